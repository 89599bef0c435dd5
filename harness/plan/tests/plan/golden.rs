//! Rendered files, compared with committed ones: a change of a renderer is seen by a person.

use std::collections::BTreeMap;
use std::path::Path;

use bulkhead_plan::environment::{self, BackendKind, RunningService};
use bulkhead_plan::guide::guide;
use bulkhead_plan::placement::HostPort;
use bulkhead_plan::render::{self, ComposeOptions};
use bulkhead_plan::{EnvironmentRecord, EnvironmentSpec, Placement, Role, ServiceId, Topology};

use crate::support::{NOW, assert_golden, spec_of};

fn two_tenants() -> Topology {
    Topology::new(&EnvironmentSpec::with_tenants("example".parse().unwrap(), 2, 1).unwrap()).unwrap()
}

fn agent(tenant: &str) -> ServiceId {
    format!("tenants/{tenant}/agent-001.p1").parse().unwrap()
}

fn process_placement(topology: &Topology) -> Placement {
    crate::support::processes(topology, 40_000, Path::new("/home/dev/my project/.bulkhead/example"))
}

#[test]
fn nats_configuration() {
    let topology = two_tenants();
    let containers = Placement::containers(&topology).unwrap();
    assert_golden("tests/golden/containers/nats.conf", &render::nats(&topology, &containers).unwrap());
    let processes = process_placement(&topology);
    assert_golden("tests/golden/processes/nats.conf", &render::nats(&topology, &processes).unwrap());
}

#[test]
fn poller_configuration() {
    let topology = two_tenants();
    let containers = Placement::containers(&topology).unwrap();
    assert_golden("tests/golden/containers/poller.yaml", &render::poller(&topology, &containers).unwrap());
    let processes = process_placement(&topology);
    assert_golden("tests/golden/processes/poller.yaml", &render::poller(&topology, &processes).unwrap());
}

#[test]
fn agent_configuration() {
    let topology = two_tenants();
    let service = topology.service(&agent("acme")).unwrap();
    let containers = Placement::containers(&topology).unwrap();
    assert_golden("tests/golden/containers/agent.yaml", &render::agent(service, &containers).unwrap());
    let processes = process_placement(&topology);
    assert_golden("tests/golden/processes/agent.yaml", &render::agent(service, &processes).unwrap());
}

#[test]
fn compose_override() {
    let topology = two_tenants();
    let placement = Placement::containers(&topology).unwrap();
    let options = ComposeOptions::new("../.bulkhead/compose", "1000:1000");
    let example = render::compose(&topology, &placement, &options).unwrap();
    assert_golden("../../compose/docker-compose.override.yml.example", &example);

    let flat = "name: flat\ntenants: [{ slug: acme, agents: [agent-001.p1, agent-002.p2] }]\nnetwork: flat\nports: { nats: 4222 }\n";
    let topology = Topology::new(&EnvironmentSpec::from_yaml(flat).unwrap()).unwrap();
    let placement = Placement::containers(&topology).unwrap();
    let options = ComposeOptions {
        agent_image: "example/agent@sha256:0123".to_owned(),
        ..ComposeOptions::new("/var/lib/state", "0:0")
    };
    let rendered = render::compose(&topology, &placement, &options).unwrap();
    assert_golden("tests/golden/containers/docker-compose.override.flat.yml", &rendered);
}

#[test]
fn guides() {
    let topology = two_tenants();
    let containers = Placement::containers(&topology).unwrap();
    let processes = process_placement(&topology);
    for (directory, backend, placement) in
        [("containers", BackendKind::Docker, containers), ("processes", BackendKind::Process, processes)]
    {
        let record = record(&topology, backend, &placement);
        let text = guide(&record, Path::new("/home/dev/my project/services/wire/proto")).to_string();
        assert_golden(&format!("tests/golden/{directory}/guide.txt"), &text);
        let json = format!("{}\n", serde_json::to_string_pretty(&record).unwrap());
        assert_golden(&format!("tests/golden/{directory}/environment.json"), &json);
        assert_eq!(serde_json::from_str::<EnvironmentRecord>(&json).unwrap(), record);
    }
}

fn record(topology: &Topology, backend: BackendKind, placement: &Placement) -> EnvironmentRecord {
    let running = topology.services().iter().zip(40_000..).map(|(service, port)| {
        let dotted = service.id.dotted();
        let running = RunningService {
            address: HostPort::new("10.1.2.3", port),
            loopback: (service.id == ServiceId::Nats).then(|| HostPort::new("127.0.0.1", 30_000)),
            handle: format!("bulkhead-example-{dotted}"),
            logs: format!("/home/dev/my project/.bulkhead/example/logs/{dotted}.log"),
        };
        (service.id.clone(), running)
    });
    let running: BTreeMap<_, _> = running.collect();
    let state_dir = Path::new("/home/dev/my project/.bulkhead/example");
    EnvironmentRecord::assemble(topology, placement, backend, NOW, state_dir, &running).unwrap()
}

#[test]
fn the_published_schema_is_current() {
    let schema = format!("{}\n", serde_json::to_string_pretty(&environment::schema()).unwrap());
    assert_golden("../../docs/schema/environment.schema.json", &schema);
    let schema = format!("{}\n", serde_json::to_string_pretty(&bulkhead_plan::foreign::schema()).unwrap());
    assert_golden("../../docs/schema/platform.schema.json", &schema);
}

#[test]
fn a_service_that_does_not_run_is_named() {
    let topology = Topology::new(&spec_of(&["acme"])).unwrap();
    let placement = Placement::containers(&topology).unwrap();
    let error = EnvironmentRecord::assemble(
        &topology,
        &placement,
        BackendKind::Docker,
        NOW,
        Path::new("/state"),
        &BTreeMap::new(),
    );
    assert!(error.unwrap_err().to_string().starts_with("nats is part of the environment"));
}

/// The committed Compose file is written by hand.
#[test]
fn compose_gives_each_service_as_much_memory_as_the_engine_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/docker-compose.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let limits: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("mem_limit: ")).collect();
    let expected = [Role::Nats, Role::Poller].map(|role| format!("{}m", role.memory_mib()));
    assert_eq!(limits, expected);
}
