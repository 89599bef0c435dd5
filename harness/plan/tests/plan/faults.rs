//! The catalogue of faults: that it is well-formed, fits what is rendered today, and accuses cells that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bulkhead_identity::AuthorityName;
use bulkhead_plan::access::{Model, Outcome};
use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::fault::{Change, Fault, Ground, Red, Score, Verdict, catalogue, find, judge};
use bulkhead_plan::matrix::{Cell, Measured, Plan, Table};
use bulkhead_plan::pki::{self, Action, ExistingCertificates, Pki, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Placement, PlannedFile, Topology, render};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use crate::support::{NOW, as_existing, new_pki, processes, spec_of};

/// Environments of different shapes: prefixes of each other, many agents, many tenants, no order.
fn topologies() -> Vec<Topology> {
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

fn covered(backend: BackendKind) -> impl Iterator<Item = &'static Fault> {
    catalogue().filter(move |fault| fault.not_covered(Ground::of(backend)).is_none())
}

const BACKENDS: [BackendKind; 2] = [BackendKind::Process, BackendKind::Docker];

#[test]
fn every_fault_has_a_name_of_its_own_a_sentence_and_a_source() {
    let mut ids = BTreeSet::new();
    for fault in catalogue() {
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
            for fault in covered(backend) {
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
        assert!(rewired != *topology, "{}", fault.id());
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
            "Poller" => Change::Code { agents: false, poller: true },
            "Agent" => Change::Code { agents: true, poller: false },
            _ => Change::Code { agents: true, poller: true },
        };
        assert_eq!(*fault.change(), expected, "{id}");
    }
    for fault in catalogue().filter(|fault| matches!(fault.change(), Change::Code { .. })) {
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
    use bulkhead_plan::access::Expectation;
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
    assert_eq!(verdict(&[own]), Verdict::Killed { red: 1 });
    let strange = "disk.open-key | agent-001.p1.acme.serviceradar";
    assert!(matches!(verdict(&[own, strange]), Verdict::Spilled(cells) if cells.len() == 1));
    assert!(matches!(verdict(&[strange]), Verdict::Survived(_)));
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
    let (killed, survived) = (Verdict::Killed { red: 3 }, Verdict::Survived(Vec::new()));
    let (unclear, uncovered) = (Verdict::NotJudged(String::new()), Verdict::NotCovered("why"));
    let code = |verdicts: &[&Verdict], alarms| Score::of(verdicts.iter().copied(), alarms).exit_code();
    assert_eq!(code(&[&killed, &Verdict::RefusedAtStart, &uncovered], 0), 0);
    assert_eq!(code(&[&killed], 1), 4);
    assert_eq!(code(&[&killed, &survived, &unclear], 0), 4);
    assert_eq!(code(&[&killed, &Verdict::Spilled(Vec::new())], 0), 4);
    assert_eq!(code(&[&killed, &unclear], 0), 5);
    assert_eq!(code(&[&uncovered], 0), 5);
    assert_eq!(code(&[], 0), 5);
    let score = Score::of([&killed, &survived, &uncovered], 0);
    assert_eq!(score.to_string(), "1/2 killed, 0 false alarms, 1 not covered here");
}

#[test]
fn a_name_that_is_none_is_told_its_neighbours() {
    assert_eq!(find("netwrok-flat").unwrap_err()[0], "network-flat");
    assert_eq!(find("one-account").unwrap_err()[0], "one-account-for-all");
    assert!(find("member-by-prefix").is_ok());
}
