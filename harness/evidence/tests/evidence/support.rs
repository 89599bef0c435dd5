//! What the tests of this crate share: a small table in which everything is that can be.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bulkhead_evidence::bundle::{Bundle, Material, Secrets};
use bulkhead_evidence::report::{
    Component, Control, Facts, FaultOutcome, FaultResult, Hidden, PlatformFacts, Proof, Report, Scenario,
    ScenarioNotCovered, Scenarios, Tool,
};
use bulkhead_evidence::sign::SigningKey;
use bulkhead_evidence::verify::{Limits, Verification, verify};
use bulkhead_plan::access::{Conclusion, DenialReason, Expectation, Model, Outcome};
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord, RunningService};
use bulkhead_plan::matrix::{Cell, Measured, Plan, PlannedCell, Table};
use bulkhead_plan::placement::HostPort;
use bulkhead_plan::{EnvironmentSpec, Placement, ServiceId, Topology};
use time::macros::datetime;

/// Where the run of these tests was not.
pub(crate) const STATE: &str = "/home/dev/checkout/.bulkhead/example";

/// What a hostile tenant had its agent write.
pub(crate) const HOSTILE: &str = "</li></ul><script>alert('owned')</script><img src=x onerror=alert(1)> \u{202e}txt.exe\u{1b}[2J ]]> \"quoted\" & more";

pub(crate) fn topology() -> Topology {
    let spec = EnvironmentSpec::with_tenants("example".parse().unwrap(), 2, 1).unwrap();
    Topology::new(&spec).unwrap()
}

pub(crate) fn tool() -> Tool {
    Tool {
        version: "0.1.0".to_owned(),
        revision: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        modified: false,
    }
}

/// What everything would be if all were well.
pub(crate) fn as_expected(planned: &PlannedCell) -> Measured {
    let outcome = match &planned.expected {
        Expectation::Allowed => Outcome::Allowed,
        Expectation::Denied(reasons) => Outcome::Denied(reasons[0]),
        Expectation::Unreachable => Outcome::Unreachable,
        Expectation::Unspecified(why) => panic!("planned and unspecified: {why}"),
    };
    let evidence = vec![
        format!("{}: it saw {outcome}", planned.cell.who),
        "control before: the door opened to its owner".to_owned(),
        format!("control after: {STATE}/services is as it was"),
    ];
    Measured { outcome, evidence, unrecorded: None }
}

pub(crate) fn facts(filter: Option<&str>) -> Facts {
    Facts {
        platform: PlatformFacts::of(&record()),
        started_at: datetime!(2026-11-26 02:30:00 UTC),
        took: Duration::from_millis(12_345),
        steps: 4321,
        tool: tool(),
        components: vec![
            Component { name: "nats-server".to_owned(), version: "2.15.1".to_owned() },
            Component { name: "rustc".to_owned(), version: "1.91.0".to_owned() },
        ],
        filter: filter.map(str::to_owned),
        proof: None,
        scenarios: None,
        hidden: hidden(),
    }
}

pub(crate) fn hidden() -> Hidden {
    Hidden::nothing().with(Path::new("/home/dev/checkout"), "[checkout]").with(Path::new(STATE), "[state]")
}

pub(crate) fn record() -> EnvironmentRecord {
    let topology = topology();
    let ports: BTreeMap<ServiceId, u16> =
        topology.services().iter().map(|service| service.id.clone()).zip(40_000..).collect();
    let placement = Placement::processes(&topology, &ports, STATE).unwrap();
    let running = ports.into_iter().map(|(id, port)| {
        let running = RunningService {
            address: HostPort::new("127.0.0.1", port),
            loopback: None,
            handle: "4711".to_owned(),
            logs: format!("{STATE}/logs/{}.log", id.dotted()),
        };
        (id, running)
    });
    let (running, created): (BTreeMap<_, _>, _) = (running.collect(), datetime!(2026-11-26 02:29:00 UTC));
    EnvironmentRecord::assemble(
        &topology,
        &placement,
        BackendKind::Process,
        created,
        Path::new(STATE),
        &running,
    )
    .unwrap()
}

/// The whole plan, all as it must be.
pub(crate) fn well() -> Report {
    let plan = Plan::of(&Model::of_topology(&topology(), BackendKind::Process));
    let measured = plan.cells().iter().map(|planned| (planned.cell.clone(), as_expected(planned)));
    Report::of(&Table::compare(&plan, measured.collect()), facts(None))
}

/// The whole plan of containers on networks of their own, all as it must be. Its platform is still the example's.
pub(crate) fn walled() -> Report {
    let plan = Plan::of(&Model::of_topology(&topology(), BackendKind::Docker));
    let measured = plan.cells().iter().map(|planned| (planned.cell.clone(), as_expected(planned)));
    Report::of(&Table::compare(&plan, measured.collect()), facts(None))
}

/// A part of the plan, all as it must be.
pub(crate) fn part(filter: &str) -> Report {
    let plan = Plan::of(&Model::of_topology(&topology(), BackendKind::Process));
    let plan = plan.only(|cell| cell.id().contains(filter));
    let measured = plan.cells().iter().map(|planned| (planned.cell.clone(), as_expected(planned)));
    Report::of(&Table::compare(&plan, measured.collect()), facts(Some(filter)))
}

/// The whole plan of so many tenants, all as it must be. Its platform is still the example's.
pub(crate) fn large(tenants: usize) -> Report {
    let spec = EnvironmentSpec::with_tenants("example".parse().unwrap(), tenants, 1).unwrap();
    let plan = Plan::of(&Model::of_topology(&Topology::new(&spec).unwrap(), BackendKind::Process));
    let measured = plan.cells().iter().map(|planned| (planned.cell.clone(), as_expected(planned)));
    Report::of(&Table::compare(&plan, measured.collect()), facts(None))
}

/// The whole plan, and one tenant hears another.
pub(crate) fn leaking() -> Report {
    let plan = Plan::of(&Model::of_topology(&topology(), BackendKind::Process));
    let mut measured: BTreeMap<Cell, Measured> =
        plan.cells().iter().map(|planned| (planned.cell.clone(), as_expected(planned))).collect();
    let leak = "nats.subscribe | agent-001.p1.globex.serviceradar | this machine | acme";
    let (_, found) = measured.iter_mut().find(|(cell, _)| cell.id() == leak).unwrap();
    found.outcome = Outcome::Allowed;
    found.evidence.push(HOSTILE.to_owned());
    Report::of(&Table::compare(&plan, measured), facts(None))
}

/// The cells of the small table: few enough that a person reads the golden page.
fn few(cell: &Cell) -> bool {
    let id = cell.id();
    let wanted = [
        "nats.subscribe |",
        "js.purge |",
        "tls.handshake | agent-001.p1.globex.serviceradar | this machine",
        "tls.handshake | agent-001.p1.acme.serviceradar (expired) | this machine",
        "admin.read-results |",
        "disk.open-key | poller",
    ];
    wanted.iter().any(|text| id.starts_with(text))
}

/// A small table with one violated, one broken, one not judged, one hole, one unrecorded; faults and scenarios.
pub(crate) fn troubled() -> Report {
    let plan = Plan::of(&Model::of_topology(&topology(), BackendKind::Process)).only(few);
    let mut measured: BTreeMap<Cell, Measured> =
        plan.cells().iter().map(|planned| (planned.cell.clone(), as_expected(planned))).collect();
    let id = |start: &str| {
        let found = plan.cells().iter().find(|planned| planned.cell.id().starts_with(start));
        found.unwrap_or_else(|| panic!("no cell begins with {start}")).cell.clone()
    };
    let globex = "agent-001.p1.globex.serviceradar | this machine | acme";
    let mut change = |cell: &Cell, outcome| measured.get_mut(cell).unwrap().outcome = outcome;
    let violated = id(&format!("nats.subscribe | {globex}"));
    change(&violated, Outcome::Allowed);
    change(
        &id("nats.subscribe | agent-001.p1.acme.serviceradar | this machine | acme"),
        Outcome::Denied(DenialReason::SubscribePermission),
    );
    change(&id(&format!("js.purge | {globex}")), Outcome::Inconclusive("no answer within 5 s".to_owned()));
    change(&id(&format!("admin.read-results | {globex}")), Outcome::Denied(DenialReason::Quota));
    measured
        .get_mut(&id("admin.read-results | admin.platform.serviceradar | this machine | acme"))
        .unwrap()
        .unrecorded = Some("there is no audit record of it".to_owned());
    measured.get_mut(&violated).unwrap().evidence.push(HOSTILE.to_owned());
    measured.remove(&id("disk.open-key | poller"));
    let scenario = |name: &str, conclusion, why: &str| Scenario {
        feature: "Messages".to_owned(),
        rule: "A tenant's messages reach that tenant only".to_owned(),
        name: name.to_owned(),
        conclusion,
        why: why.to_owned(),
    };
    let facts = Facts {
        proof: Some(Proof {
            controls: vec![Control {
                cells: 27,
                alarms: vec![format!("js.purge | acme | x | y: {HOSTILE}")],
            }],
            exit_code: 4,
            ..proof(vec![fault("nats-export-too-wide", true), fault("tls-any-client", false)])
        }),
        scenarios: Some(Scenarios {
            scenarios: vec![
                scenario("acme and the platform receive acme's results", Conclusion::Passed, ""),
                scenario("globex cannot listen to acme's results", Conclusion::Violated, HOSTILE),
            ],
            not_covered: vec![ScenarioNotCovered {
                feature: "Network walls".to_owned(),
                name: "acme's agent does not reach globex's agent".to_owned(),
                reason: "processes on loopback have no network walls".to_owned(),
            }],
        }),
        ..facts(None)
    };
    Report::of(&Table::compare(&plan, measured), facts)
}

/// Of a suite that was seen to stay calm, with the version that made the report.
pub(crate) fn proof(faults: Vec<FaultOutcome>) -> Proof {
    Proof {
        tool: Some(tool()),
        backend: Some(BackendKind::Process),
        catalogue: Some(faults.len()),
        controls: vec![Control { cells: 27, alarms: Vec::new() }],
        exit_code: 0,
        faults,
    }
}

pub(crate) fn fault(id: &str, killed: bool) -> FaultOutcome {
    FaultOutcome {
        id: id.to_owned(),
        title: format!("a mistake called {id}"),
        reference: "CVE-2025-30215".to_owned(),
        result: if killed { FaultResult::Killed } else { FaultResult::Survived },
        red_cells: if killed { 3 } else { 0 },
        note: String::new(),
    }
}

pub(crate) fn material() -> Material {
    let described = serde_json::to_vec_pretty(&record()).unwrap();
    let files = [
        ("spec.yaml", topology().spec().to_yaml().into_bytes()),
        ("environment.json", described),
        ("certs/root.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()),
        ("logs/nats.log", b"[1] [INF] Server is ready\n".to_vec()),
    ];
    Material::of(files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect())
}

pub(crate) fn bundle(report: &Report, key: &SigningKey) -> Bundle {
    Bundle::make(report, material(), &Secrets::none(), key).unwrap()
}

pub(crate) fn verified(path: &Path) -> Verification {
    verify(path, None, &tool(), Limits::default()).unwrap()
}

/// Compares with a committed file, or writes it when BULKHEAD_UPDATE=1.
pub(crate) fn assert_golden(path: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("BULKHEAD_UPDATE").as_deref() == Ok("1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
    assert!(
        expected == found,
        "{} is not current from line {:?} on; if that is meant, run the tests with BULKHEAD_UPDATE=1 and commit what \
         changed",
        path.display(),
        differs.map(|line| line + 1)
    );
}
