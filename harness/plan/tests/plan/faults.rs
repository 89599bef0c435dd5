//! The catalogue of faults: that it is well-formed, fits what is rendered today, and accuses cells that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bulkhead_identity::AuthorityName;
use bulkhead_plan::access::{Conclusion, Expectation, Model, Outcome, Vantage, Who};
use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::fault::{
    Change, Control, Fault, Ground, Red, RedCells, Score, Verdict, Wiring, catalogue, find, judge, shut,
};
use bulkhead_plan::matrix::{Cell, Column, Measured, Plan, Table};
use bulkhead_plan::pki::{self, Action, ExistingCertificates, Pki, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Placement, PlannedFile, Topology, render};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use crate::support::{NOW, as_existing, new_pki, processes, spec_of};

/// Environments of different shapes: prefixes of each other, many agents, many tenants, no order.
pub(crate) fn topologies() -> Vec<Topology> {
    let many = EnvironmentSpec::with_tenants("many".parse().unwrap(), 5, 3).unwrap();
    let specs = [spec_of(&["acme", "acme2"]), spec_of(&["zeta", "alpha"]), many];
    specs.iter().map(|spec| Topology::new(spec).unwrap()).collect()
}

fn placement(topology: &Topology, backend: BackendKind) -> Placement {
    match backend {
        BackendKind::Process => processes(topology, 40_000, Path::new("/tmp/state")),
        BackendKind::Docker | BackendKind::Compose => Placement::containers(topology).unwrap(),
    }
}

fn files(topology: &Topology, pki: &Pki, backend: BackendKind) -> Vec<PlannedFile> {
    let mut files = pki.files();
    files.extend(render::service_files(topology, pki, &placement(topology, backend)).unwrap());
    files
}

pub(crate) fn covered(backend: BackendKind) -> impl Iterator<Item = &'static Fault> {
    catalogue().filter(move |fault| fault.not_covered(Ground::of(backend)).is_none())
}

pub(crate) const BACKENDS: [BackendKind; 2] = [BackendKind::Process, BackendKind::Docker];

#[test]
fn every_fault_has_a_name_of_its_own_a_sentence_and_a_source() {
    let mut ids = BTreeSet::new();
    for fault in catalogue().chain(shut()) {
        let id = fault.id();
        assert!(ids.insert(id), "{id} is there twice");
        let kebab = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        assert!(id.split('-').all(kebab), "{id}");
        assert!(fault.title().ends_with('.') && !fault.reference().is_empty(), "{id}");
    }
    assert!(ids.len() >= 40, "{}", ids.len());
}

#[test]
fn the_readme_says_how_many_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let [processes, containers] = BACKENDS.map(|backend| covered(backend).count());
    let said = format!("seeds {processes} realistic mistakes on processes ({containers} on containers)");
    assert!(text.contains(&said), "README.md: {said}");
}

#[test]
fn every_pattern_accuses_a_cell_that_there_is() {
    for topology in topologies() {
        for backend in BACKENDS {
            let plan = Plan::of(&Model::of_topology(&topology, backend));
            let ground = Ground::of(backend);
            for fault in covered(backend) {
                let may = fault.may().iter().filter(|pattern| pattern.applies_on(ground));
                let mut patterns = 0;
                for pattern in fault.required(ground).chain(may) {
                    let meant = plan.cells().iter().any(|planned| pattern.matches(&planned.cell));
                    assert!(meant, "{} on {ground}: no cell is {pattern}", fault.id());
                    patterns += 1;
                }
                let refuses = matches!(fault.red(), Red::RefusesToStart(_));
                assert!(refuses || patterns > 0, "{} has nothing to turn red on {ground}", fault.id());
            }
        }
    }
}

#[test]
fn every_change_fits_what_is_rendered_and_changes_something() {
    for topology in topologies() {
        for backend in BACKENDS {
            let well = files(&topology, &new_pki(&topology), backend);
            for fault in covered(backend).chain(shut()) {
                let mut changed = well.clone();
                fault.seed(&mut changed, &topology, backend).unwrap_or_else(|error| panic!("{error}"));
                let elsewhere = matches!(fault.change(), Change::Pki(_) | Change::Wiring(_));
                assert_eq!(changed == well, elsewhere, "{}", fault.id());
            }
        }
    }
}

#[test]
fn a_change_that_fits_nothing_fails() {
    let topology = &topologies()[0];
    let fault = find("broker-takes-old-tls").unwrap();
    let error = fault.seed(&mut Vec::new(), topology, BackendKind::Process).unwrap_err();
    assert!(error.to_string().contains("services/nats/nats.conf"), "{error}");
    let mut files = vec![PlannedFile::public("services/nats/nats.conf", "tls { }")];
    let error = fault.seed(&mut files, topology, BackendKind::Process).unwrap_err();
    assert!(error.to_string().contains("min_version"), "{error}");
}

#[test]
fn wiring_leaves_what_is_expected_alone() {
    let topology = &topologies()[0];
    for fault in catalogue() {
        let Some(wiring) = fault.wiring() else { continue };
        let rewired = wiring.rewire(topology);
        let model = |topology: &Topology| Model::of_topology(topology, BackendKind::Docker);
        assert_eq!(model(&rewired), model(topology), "{}", fault.id());
        // What is mounted is no part of a topology.
        assert_eq!(rewired == *topology, wiring == Wiring::SharedCertificates, "{}", fault.id());
    }
}

/// The faults that programs can be told to make, and in whose code they are, from the source that lists them.
fn in_code() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services/identity/src/seeded/fault.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let entries = text.lines().filter_map(|line| {
        let (_, rest) = line.trim().split_once(" = \"")?;
        let (id, place) = rest.split_once("\", ")?;
        Some((id.to_owned(), place.strip_suffix(';')?.to_owned()))
    });
    entries.collect()
}

#[test]
fn every_mistake_that_programs_can_make_is_in_the_catalogue() {
    let known = in_code();
    assert!(known.len() > 30, "{known:?}");
    for (id, place) in &known {
        let fault = find(id).unwrap_or_else(|near| panic!("{id} is not in the catalogue; near it: {near:?}"));
        let expected = match place.as_str() {
            "Poller" => (false, true),
            "Agent" => (true, false),
            _ => (true, true),
        };
        assert_eq!(fault.in_code(), expected, "{id}");
    }
    for fault in catalogue().filter(|fault| fault.in_code() != (false, false)) {
        assert!(known.contains_key(fault.id()), "no program can be told to make {}", fault.id());
    }
}

#[test]
fn a_program_is_told_in_the_configuration_that_is_its_own() {
    let topology = &topologies()[0];
    let well = files(topology, &new_pki(topology), BackendKind::Process);
    for (id, agents, poller) in
        [("agent-any-poller", 2, 0), ("reports-by-claim", 0, 1), ("old-tls-accepted", 2, 1)]
    {
        let mut changed = well.clone();
        find(id).unwrap().seed(&mut changed, topology, BackendKind::Process).unwrap();
        let told = |name: &str| {
            let line = format!("\nseeded_fault: {id}\n");
            let texts = changed.iter().filter(|file| file.path.ends_with(name));
            texts.filter(|file| file.contents.public_text().unwrap().contains(&line)).count()
        };
        assert_eq!((told("agent.yaml"), told("poller.yaml")), (agents, poller), "{id}");
    }
}

fn weakened(topology: &Topology, id: &str) -> Pki {
    let weakness = find(id).unwrap().weakness();
    assert!(weakness.is_some(), "{id}");
    let none = ExistingCertificates::none();
    pki::plan_weakened(topology, &mut SystemKeys::new(), NOW, &none, weakness).unwrap()
}

fn look<T>(der: &[u8], look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    look(&x509_parser::parse_x509_certificate(der).unwrap().1)
}

fn is_constrained(pki: &Pki, name: &AuthorityName) -> bool {
    look(&pki.authority(name).unwrap().der, |certificate| {
        certificate
            .iter_extensions()
            .any(|e| matches!(e.parsed_extension(), ParsedExtension::NameConstraints(_)))
    })
}

#[test]
fn a_weak_hierarchy_is_weak_in_the_one_way() {
    let topology = &topologies()[0];
    let (acme, acme2) = ("acme".parse().unwrap(), "acme2".parse().unwrap());
    let (acme, acme2) = (AuthorityName::Tenant(acme), AuthorityName::Tenant(acme2));
    let key = |pki: &Pki, name: &AuthorityName| pki.authority(name).unwrap().key_pem.clone();
    let path_length = |pki: &Pki| {
        look(&pki.authority(&acme).unwrap().der, |certificate| {
            certificate.basic_constraints().unwrap().unwrap().value.path_len_constraint
        })
    };
    for (id, constraints, length, shared) in [
        ("tenant-authority-unconstrained", (false, true), Some(0), false),
        ("platform-authority-unconstrained", (true, false), Some(0), false),
        ("tenant-authority-unlimited", (true, true), None, false),
        ("tenant-authorities-share-key", (true, true), Some(0), true),
        ("leaves-name-localhost", (true, true), Some(0), false),
    ] {
        let pki = weakened(topology, id);
        let found = (is_constrained(&pki, &acme), is_constrained(&pki, &AuthorityName::Platform));
        assert_eq!(found, constraints, "{id}");
        assert_eq!(path_length(&pki), length, "{id}");
        assert_eq!(key(&pki, &acme) == key(&pki, &acme2), shared, "{id}");
    }
}

#[test]
fn what_a_fault_has_issued_is_not_kept_by_the_next_start() {
    let topology = &topologies()[0];
    for id in ["tenant-authority-unconstrained", "tenant-authority-unlimited", "leaves-name-localhost"] {
        let existing = as_existing(&weakened(topology, id).files());
        let next = pki::plan(topology, &mut SystemKeys::new(), NOW, &existing).unwrap();
        let renewed = next.notices().iter().filter(|notice| matches!(notice.action, Action::Renewed(_)));
        assert!(renewed.count() >= 2, "{id}: {:?}", next.notices());
    }
}

/// What a run finds: as predicted everywhere, except in cells that are changed.
fn measured(plan: &Plan, change: impl Fn(&Cell) -> Option<Outcome>) -> Table {
    let found = plan.cells().iter().map(|planned| {
        let predicted = match &planned.expected {
            Expectation::Allowed => Outcome::Allowed,
            Expectation::Denied(reasons) => Outcome::Denied(reasons[0]),
            Expectation::Unreachable => Outcome::Unreachable,
            Expectation::Unspecified(why) => Outcome::Inconclusive((*why).to_owned()),
        };
        let outcome = change(&planned.cell).unwrap_or(predicted);
        (planned.cell.clone(), Measured { outcome, evidence: Vec::new(), unrecorded: None })
    });
    Table::compare(plan, found.collect())
}

#[test]
fn killed_survived_and_spilled() {
    let plan = Plan::of(&Model::of_topology(&topologies()[0], BackendKind::Process));
    let fault = find("broker-takes-old-tls").unwrap();
    let verdict = |red: &[&str]| {
        let table = measured(&plan, |cell| {
            let here = red.iter().any(|text| cell.id().contains(text));
            here.then_some(Outcome::Allowed)
        });
        Verdict::of(fault, &judge(fault, &table, Ground::Processes))
    };
    assert!(matches!(verdict(&[]), Verdict::Survived(missing) if missing.len() == 1));
    let own = "tls.old-tls | agent-001.p1.acme.serviceradar | this machine | nats.serviceradar";
    assert!(matches!(verdict(&[own]), Verdict::Killed { red } if red.count() == 1));
    let strange = "disk.open-key | agent-001.p1.acme.serviceradar";
    assert!(matches!(verdict(&[own, strange]), Verdict::Spilled(cells) if cells.len() == 1));
    assert!(matches!(verdict(&[strange]), Verdict::Survived(_)));
}

/// What is said of a fault that shows wherever it can, except in the cells that are hidden.
fn verdict_without(id: &str, hidden: impl Fn(&Cell) -> bool) -> Verdict {
    let plan = Plan::of(&Model::of_topology(&topologies()[0], BackendKind::Docker));
    let fault = find(id).unwrap();
    let table = measured(&plan, |cell| {
        let mut patterns = fault.required(Ground::Containers);
        let shows = patterns.any(|pattern| pattern.matches_as(cell, Conclusion::Violated));
        (shows && !hidden(cell)).then_some(Outcome::Allowed)
    });
    Verdict::of(fault, &judge(fault, &table, Ground::Containers))
}

#[test]
fn a_kind_of_place_that_stayed_green_is_a_survivor() {
    let id = "broker-takes-old-tls";
    assert!(verdict_without(id, |_| false).is_killed());
    for (hidden, word) in
        [(true, "seen from a tenant's network"), (false, "seen from the platform's network")]
    {
        let verdict = verdict_without(id, |cell| matches!(cell.from, Vantage::Tenant(_)) == hidden);
        let Verdict::Survived(green) = verdict else { panic!("{verdict:?}") };
        assert!(green.len() == 1 && green[0].ends_with(word), "{green:?}");
    }
}

#[test]
fn each_caller_and_each_object_that_is_named_must_show() {
    let by_others = |cell: &Cell| {
        matches!(&cell.who, Who::Peer(name) if name.to_string().contains("acme2."))
            && !cell.id().contains("| acme2")
    };
    let verdict = verdict_without("dialer-any-name", |cell| by_others(cell) || cell.id().contains("| nats"));
    assert!(verdict.is_killed(), "acme's show still: {verdict:?}");
    let verdict = verdict_without("dialer-any-name", |cell| Column::of(cell) == Column::Other);
    let Verdict::Survived(green) = verdict else { panic!("{verdict:?}") };
    assert_eq!(green, ["tls.impersonate by own/other found possible, other, seen from this machine"]);
    let verdict = verdict_without("alpn-not-required", |cell| cell.id().contains("| poller.serviceradar"));
    let Verdict::Survived(green) = verdict else { panic!("{verdict:?}") };
    assert!(
        !green.is_empty() && green.iter().all(|line| line.contains(", at poller, seen from")),
        "{green:?}"
    );
}

#[test]
fn where_a_fault_cannot_show_it_need_not_and_elsewhere_it_must() {
    let id = "broker-monitoring-open";
    assert!(verdict_without(id, |cell| cell.from == Vantage::Outside).is_killed());
    let verdict = verdict_without(id, |cell| cell.from != Vantage::Outside);
    assert!(matches!(&verdict, Verdict::Survived(green) if green.len() == 3), "{verdict:?}");
}

#[test]
fn a_control_accuses_nobody_of_what_it_could_not_judge() {
    let plan = Plan::of(&Model::of_topology(&topologies()[0], BackendKind::Process));
    let with = |code: &'static str, outcome: Outcome| {
        let table = measured(&plan, |cell| (cell.operation.code() == code).then(|| outcome.clone()));
        Control::of(&table)
    };
    assert!(with("", Outcome::Unreachable).is_well());
    let open = with("tls.old-tls", Outcome::Allowed);
    assert!(!open.alarms.is_empty() && !open.is_well(), "{open:?}");
    let unclear = with("tls.old-tls", Outcome::Inconclusive("a timeout".to_owned()));
    assert!(unclear.alarms.is_empty() && !unclear.doubts.is_empty() && !unclear.is_well(), "{unclear:?}");
    let nothing = Control::of(&Table::compare(&plan.only(|_| false), BTreeMap::new()));
    assert!(nothing.alarms.is_empty() && !nothing.is_well(), "{nothing:?}");
}

#[test]
fn a_cell_that_could_not_be_judged_is_no_proof() {
    let plan = Plan::of(&Model::of_topology(&topologies()[0], BackendKind::Process));
    let fault = find("broker-takes-old-tls").unwrap();
    let table = measured(&plan, |cell| {
        let here = cell.operation.code() == "tls.old-tls" && cell.id().contains("| nats.serviceradar");
        here.then(|| Outcome::Inconclusive("a timeout".to_owned()))
    });
    let verdict = Verdict::of(fault, &judge(fault, &table, Ground::Processes));
    assert!(matches!(verdict, Verdict::Survived(_)), "{verdict:?}");
}

#[test]
fn a_refusal_at_the_start_counts_for_its_own_reason_only() {
    let fault = find("key-readable-by-everybody").unwrap();
    let refused = Verdict::of_failed_start(fault, "agent ended: every user of this machine can read it");
    assert_eq!(refused, Verdict::RefusedAtStart);
    assert!(matches!(Verdict::of_failed_start(fault, "port taken"), Verdict::NotJudged(_)));
    let other = find("broker-takes-old-tls").unwrap();
    assert!(matches!(Verdict::of_failed_start(other, "every user of this machine"), Verdict::NotJudged(_)));
}

#[test]
fn the_score_is_perfect_or_the_suite_is_not_trusted() {
    let (killed, survived) = (Verdict::Killed { red: RedCells::default() }, Verdict::Survived(Vec::new()));
    let (unclear, uncovered) = (Verdict::NotJudged(String::new()), Verdict::NotCovered("why"));
    let control = |alarms: usize, doubts: usize| {
        let lines = |count| vec!["a cell".to_owned(); count];
        [Control { alarms: lines(alarms), doubts: lines(doubts), as_predicted: 1 }]
    };
    let code =
        |verdicts: &[&Verdict], alarms| Score::of(verdicts.iter().copied(), &control(alarms, 0)).exit_code();
    let unsure = Score::of([&killed], &control(0, 2));
    assert_eq!((unsure.exit_code(), unsure.false_alarms, unsure.controls_not_judged), (5, 0, 1));
    assert_eq!(unsure.to_string(), "1/1 killed, 0 false alarms, 1 without a fault not judged");
    assert_eq!(Score::of([&killed], &control(1, 2)).exit_code(), 4);
    assert_eq!(code(&[&killed, &Verdict::RefusedAtStart, &uncovered], 0), 0);
    assert_eq!(code(&[&killed], 1), 4);
    assert_eq!(code(&[&killed, &survived, &unclear], 0), 4);
    assert_eq!(code(&[&killed, &Verdict::Spilled(Vec::new())], 0), 4);
    assert_eq!(code(&[&killed, &unclear], 0), 5);
    assert_eq!(code(&[&uncovered], 0), 5);
    assert_eq!(code(&[], 0), 5);
    let score = Score::of([&killed, &survived, &uncovered], &[]);
    assert_eq!(score.to_string(), "1/2 killed, 0 false alarms, 1 not covered here");
    assert_eq!(Score::of([&killed], &[]).to_string(), "1/1 killed, 0 false alarms");
    assert_eq!(Score::of([&unclear], &control(3, 0)).to_string(), "0/1 killed, 3 false alarms, 1 not judged");
}

#[test]
fn of_several_runs_the_worst_counts_and_what_is_open_is_told_from_what_is_not() {
    let by_badness = [
        (Verdict::NotCovered("why"), "not-covered", false),
        (Verdict::Killed { red: RedCells::default() }, "killed", false),
        (Verdict::NotJudged(String::new()), "not-judged", true),
        (Verdict::Spilled(Vec::new()), "spilled", true),
        (Verdict::Survived(Vec::new()), "survived", true),
    ];
    for [better, worse] in by_badness.array_windows() {
        assert!(better.0.badness() < worse.0.badness(), "{better:?} {worse:?}");
    }
    for (verdict, word, is_open) in by_badness {
        assert_eq!((verdict.word(), verdict.is_open()), (word, is_open));
    }
    let refused = Verdict::RefusedAtStart;
    assert_eq!((refused.word(), refused.is_open()), ("refused-at-start", false));
}

#[test]
fn red_cells_are_counted_by_operation_and_by_the_way_in_which_they_are_red() {
    let plan = Plan::of(&Model::of_topology(&topologies()[0], BackendKind::Process));
    let table = measured(&plan, |cell| {
        let code = cell.operation.code();
        let outcome = match code.as_str() {
            "tls.old-tls" => Outcome::Allowed,
            "disk.open-key" => Outcome::Inconclusive("unreadable".to_owned()),
            _ => return None,
        };
        Some(outcome)
    });
    let planned =
        |code: &str| plan.cells().iter().filter(|planned| planned.cell.operation.code() == code).count();
    let red: RedCells = table.red().collect();
    let (old, open) = (planned("tls.old-tls"), planned("disk.open-key"));
    assert!(old > 1 && open > 1);
    assert_eq!(red.count(), old + open);
    assert_eq!(red.by_operation().len(), 2);
    assert_eq!(red.by_operation()["tls.old-tls"][&Conclusion::Violated], old);
    assert_eq!(red.by_operation()["disk.open-key"][&Conclusion::Inconclusive], open);
}

#[test]
fn a_name_that_is_none_is_told_its_neighbours() {
    assert_eq!(find("netwrok-flat").unwrap_err()[0], "network-flat");
    assert_eq!(find("one-account").unwrap_err()[0], "one-account-for-all");
    assert!(find("member-by-prefix").is_ok());
}
