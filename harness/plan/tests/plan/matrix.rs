//! The predicted table is complete and says what isolation is; the comparison overlooks nothing.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_plan::Topology;
use bulkhead_plan::access::{Conclusion, DenialReason, Expectation, Model, Outcome, Vantage, Who};
use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::matrix::{Cell, Column, Layer, Measured, Picture, Plan, Table};

use crate::support::spec_of;

fn model(slugs: &[&str], backend: BackendKind) -> Model {
    Model::of_topology(&Topology::new(&spec_of(slugs)).unwrap(), backend)
}

fn plans() -> Vec<Plan> {
    let topologies: [&[&str]; 4] =
        [&["acme"], &["acme", "globex"], &["acme", "acme2", "ac"], &["a", "a-b", "b", "acme"]];
    let backends = [BackendKind::Process, BackendKind::Docker];
    let both = |slugs: &[&str]| backends.map(|backend| Plan::of(&model(slugs, backend)));
    topologies.into_iter().flat_map(both).collect()
}

fn small() -> Plan {
    Plan::of(&model(&["acme", "globex"], BackendKind::Process))
}

/// A run that finds exactly what is predicted.
fn as_predicted(plan: &Plan) -> BTreeMap<Cell, Measured> {
    let found = |expected: &Expectation| match expected {
        Expectation::Allowed => Outcome::Allowed,
        Expectation::Denied(reasons) => Outcome::Denied(reasons[0]),
        Expectation::Unreachable => Outcome::Unreachable,
        Expectation::Unspecified(why) => panic!("planned without an expectation: {why}"),
    };
    let cells = plan.cells().iter();
    cells.map(|planned| (planned.cell.clone(), measured(found(&planned.expected)))).collect()
}

fn measured(outcome: Outcome) -> Measured {
    Measured { outcome, evidence: Vec::new(), unrecorded: None }
}

/// The run, with one cell that `wanted` chooses changed.
fn with_one(plan: &Plan, wanted: impl Fn(&Expectation) -> bool, change: impl Fn(&mut Measured)) -> Table {
    let mut found = as_predicted(plan);
    let planned = plan.cells().iter().find(|planned| wanted(&planned.expected)).unwrap();
    change(found.get_mut(&planned.cell).unwrap());
    Table::compare(plan, found)
}

#[test]
fn every_cell_has_a_name_of_its_own() {
    for plan in plans() {
        let names: BTreeSet<String> = plan.cells().iter().map(|planned| planned.cell.id()).collect();
        let cells: BTreeSet<&Cell> = plan.cells().iter().map(|planned| &planned.cell).collect();
        assert_eq!(names.len(), plan.cells().len());
        assert_eq!(cells.len(), plan.cells().len());
    }
}

#[test]
fn no_stranger_may_do_anything_with_what_is_a_tenant_s() {
    for plan in plans() {
        for planned in plan.cells() {
            let cell = &planned.cell;
            let stranger = matches!(Column::of(cell), Column::Other | Column::Nobody | Column::Broker);
            let own_files = cell.layer() == Layer::Disk;
            let only_reaching = matches!(cell.operation, bulkhead_plan::access::Operation::Reach { .. });
            if stranger && !own_files && !only_reaching {
                assert_ne!(planned.expected, Expectation::Allowed, "{cell}");
            }
        }
    }
}

#[test]
fn the_order_of_the_tenants_says_nothing() {
    let there = Plan::of(&model(&["acme", "globex", "initech"], BackendKind::Docker));
    let back = Plan::of(&model(&["initech", "globex", "acme"], BackendKind::Docker));
    assert_eq!(there, back);
}

#[test]
fn every_layer_and_every_kind_of_caller_is_in_the_table() {
    let plan = small();
    let layers: BTreeSet<Layer> = plan.cells().iter().map(|planned| planned.cell.layer()).collect();
    assert_eq!(layers.len(), Layer::ALL.len());
    let columns: BTreeSet<Column> = plan.cells().iter().map(|planned| Column::of(&planned.cell)).collect();
    assert_eq!(columns.len(), Column::ALL.len());
    let hostile =
        |planned: &&bulkhead_plan::matrix::PlannedCell| matches!(planned.cell.who, Who::Forged { .. });
    assert!(plan.cells().iter().filter(hostile).count() > 300);
}

#[test]
fn containers_are_attacked_from_everywhere_and_processes_from_this_machine() {
    let places = |backend| {
        let plan = Plan::of(&model(&["acme", "globex"], backend));
        plan.cells().iter().map(|planned| planned.cell.from.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(places(BackendKind::Process), BTreeSet::from([Vantage::Host]));
    assert_eq!(places(BackendKind::Docker).len(), 5, "two tenants, the platform, outside, this machine");
}

#[test]
fn a_run_that_finds_what_is_predicted_is_well() {
    for plan in plans() {
        let table = Table::compare(&plan, as_predicted(&plan));
        assert_eq!(table.exit_code(), 0, "{:?}", table.flaws());
        assert_eq!(table.red().count(), 0);
    }
}

#[test]
fn a_table_says_how_much_of_each_layer_ended_how_and_what_nobody_asked() {
    for plan in plans() {
        let table = Table::compare(&plan, as_predicted(&plan));
        assert_eq!(table.unasked(), plan.unasked());
        let of_layer = |layer| plan.cells().iter().filter(|planned| planned.cell.layer() == layer).count();
        for layer in [Layer::Tls, Layer::Grpc, Layer::Storage, Layer::Disk] {
            assert!(of_layer(layer) > 1, "{layer}");
            assert_eq!(table.count(Some(layer), Conclusion::Passed), of_layer(layer), "{layer}");
            assert_eq!(table.count(Some(layer), Conclusion::Violated), 0, "{layer}");
        }
        assert_eq!(table.count(None, Conclusion::Passed), plan.cells().len());
    }
}

#[test]
fn a_hole_is_not_judged() {
    let plan = small();
    let mut found = as_predicted(&plan);
    found.pop_first();
    let table = Table::compare(&plan, found);
    assert_eq!((table.exit_code(), table.red().count()), (5, 1));
    assert_eq!(table.count(None, Conclusion::Inconclusive), 1);
    assert!(table.red().all(|entry| entry.conclusion == Conclusion::Inconclusive));
}

#[test]
fn a_cell_that_was_never_planned_is_not_overlooked() {
    let plan = small();
    let part = small().only(|cell| cell.layer() == Layer::Disk);
    let table = Table::compare(&part, as_predicted(&plan));
    assert_eq!(table.exit_code(), 5);
    assert!(table.flaws().iter().all(|flaw| flaw.starts_with("measured and never planned")));
}

#[test]
fn a_part_knows_of_how_much_it_is_one() {
    let plan = small();
    assert_eq!(plan.part(), None);
    let part = small().only(|cell| cell.layer() == Layer::Disk);
    let told = part.part().unwrap();
    assert_eq!((told.cells, told.of), (part.cells().len(), plan.cells().len()));
    assert_eq!(told.to_string(), format!("{} of {} cells", told.cells, told.of));
    assert_eq!(Table::compare(&part, as_predicted(&part)).part(), Some(told));
    let narrower = part.only(|_| false).part().unwrap();
    assert_eq!((narrower.cells, narrower.of), (0, told.of), "a part of a part is one of the whole");
    assert_eq!(small().only(|_| true).part(), None, "whoever chooses everything leaves nothing out");
}

#[test]
fn nothing_proves_nothing() {
    let plan = small().only(|_| false);
    assert_eq!(Table::compare(&plan, BTreeMap::new()).exit_code(), 5);
}

#[test]
fn one_access_too_many_or_too_few_is_a_violation() {
    let plan = small();
    let denied = |expected: &Expectation| matches!(expected, Expectation::Denied(_));
    let leak = with_one(&plan, denied, |cell| cell.outcome = Outcome::Allowed);
    assert_eq!((leak.exit_code(), leak.count(None, Conclusion::Violated)), (4, 1));
    let allowed = |expected: &Expectation| *expected == Expectation::Allowed;
    let refusal = Outcome::Denied(DenialReason::Expired);
    let broken = with_one(&plan, allowed, |cell| cell.outcome = refusal.clone());
    assert_eq!((broken.exit_code(), broken.count(None, Conclusion::Broken)), (4, 1));
}

#[test]
fn a_wall_that_somebody_speaks_through_is_none() {
    let plan = Plan::of(&model(&["acme", "globex"], BackendKind::Docker));
    let walled = |expected: &Expectation| *expected == Expectation::Unreachable;
    let refused = Outcome::Denied(DenialReason::UnknownIssuer);
    let table = with_one(&plan, walled, |cell| cell.outcome = refused.clone());
    assert_eq!((table.exit_code(), table.count(None, Conclusion::Violated)), (4, 1));
}

#[test]
fn another_reason_silence_and_a_missing_record_are_not_judged() {
    let plan = small();
    let unknown =
        |expected: &Expectation| *expected == Expectation::Denied(vec![DenialReason::UnknownIssuer]);
    let another = Outcome::Denied(DenialReason::Expired);
    let table = with_one(&plan, unknown, |cell| cell.outcome = another.clone());
    assert_eq!((table.exit_code(), table.red().count()), (5, 1));
    let silence = Outcome::Inconclusive("silence".to_owned());
    let table = with_one(&plan, unknown, |cell| cell.outcome = silence.clone());
    assert_eq!((table.exit_code(), table.red().count()), (5, 1));
    let table = with_one(&plan, unknown, |cell| cell.outcome = Outcome::Unreachable);
    assert_eq!((table.exit_code(), table.red().count()), (5, 1));
    let allowed = |expected: &Expectation| *expected == Expectation::Allowed;
    let table = with_one(&plan, allowed, |cell| cell.unrecorded = Some("no record".to_owned()));
    assert_eq!((table.exit_code(), table.red().count()), (5, 1));
}

#[test]
fn a_leak_needs_no_record() {
    let plan = small();
    let denied = |expected: &Expectation| matches!(expected, Expectation::Denied(_));
    let table = with_one(&plan, denied, |cell| {
        *cell = Measured { unrecorded: Some("no record".to_owned()), ..measured(Outcome::Allowed) };
    });
    assert_eq!(table.exit_code(), 4);
}

#[test]
fn a_cell_says_what_was_expected_what_was_found_and_that_it_is_not_on_record() {
    let allowed = |expected: &Expectation| *expected == Expectation::Allowed;
    let text = |change: &dyn Fn(&mut Measured)| {
        let table = with_one(&small(), allowed, change);
        table.red().next().unwrap().to_string()
    };
    let refused = text(&|measured| {
        measured.outcome = Outcome::Denied(DenialReason::Expired);
        measured.unrecorded = Some("of a refusal nobody asks that".to_owned());
    });
    assert!(refused.ends_with(": expected allowed, found denied: expired"), "{refused}");
    let unrecorded = text(&|measured| measured.unrecorded = Some("nobody wrote it down".to_owned()));
    assert!(
        unrecorded.ends_with(": expected allowed, found allowed, and nobody wrote it down"),
        "{unrecorded}"
    );
}

#[test]
fn a_reason_that_a_server_s_word_may_mean_counts_as_seen() {
    let plan = small();
    let mut found = as_predicted(&plan);
    for measured in found.values_mut() {
        if let Outcome::Denied(reason) = measured.outcome {
            measured.outcome = Outcome::Refused(vec![DenialReason::Malformed, reason]);
        }
    }
    let table = Table::compare(&plan, found);
    assert_eq!(table.exit_code(), 0, "{:?}", table.flaws());
}

#[test]
fn a_reason_that_nobody_was_refused_for_is_missed() {
    let plan = small();
    let mut found = as_predicted(&plan);
    for cell in found.values_mut().filter(|cell| cell.outcome == Outcome::Denied(DenialReason::Quota)) {
        cell.outcome = Outcome::Denied(DenialReason::OtherAccount);
    }
    let table = Table::compare(&plan, found);
    assert_eq!(table.exit_code(), 5);
    assert!(table.flaws().iter().any(|flaw| flaw.ends_with("denied for quota")), "{:?}", table.flaws());
}

#[test]
fn one_red_cell_shows_in_the_picture() {
    let plan = small();
    let denied = |expected: &Expectation| matches!(expected, Expectation::Denied(_));
    let worst = |table: &Table| {
        let picture = Picture::of(table);
        let fields = picture.rows().flat_map(|(_, _, fields)| fields.values().map(|field| field.worst()));
        fields.max().flatten()
    };
    assert_eq!(worst(&Table::compare(&plan, as_predicted(&plan))), Some(Conclusion::Passed));
    let leak = with_one(&plan, denied, |cell| cell.outcome = Outcome::Allowed);
    assert_eq!(worst(&leak), Some(Conclusion::Violated));
    let total: usize = Picture::of(&leak)
        .rows()
        .flat_map(|(_, _, fields)| fields.values().copied())
        .map(|field| field.open + field.closed + field.unclear + field.broken + field.violated)
        .sum();
    assert_eq!(total, plan.cells().len(), "every cell is in one field");
}
