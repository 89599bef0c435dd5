//! Specifications that are refused: each error says what is wrong, where, and what to do.

use bulkhead_plan::spec::{
    Lifetimes, LifetimesError, MAX_AGENTS_PER_TENANT, MAX_TENANTS, MAX_TENANTS_IN_CONTAINERS, SpecError,
    TenantSpec,
};
use bulkhead_plan::topology::{Subnet, Topology, TopologyError};
use bulkhead_plan::{EnvironmentSpec, Placement};

fn refusal(text: &str) -> String {
    match EnvironmentSpec::from_yaml(text) {
        Ok(spec) => panic!("accepted: {spec:?}"),
        Err(error) => error.to_string(),
    }
}

fn with_tenants(tenants: usize, agents: usize) -> Result<EnvironmentSpec, SpecError> {
    EnvironmentSpec::with_tenants("test".parse().unwrap(), tenants, agents)
}

#[test]
fn every_refusal_names_what_is_wrong_and_the_line() {
    let long = "a".repeat(17);
    let cases: &[(&str, &str, &[&str])] = &[
        ("upper case", "name: t\ntenants:\n  - slug: Acme\n", &["Acme", "3"]),
        ("underscore", "name: t\ntenants:\n  - slug: a_b\n", &["a_b", "3"]),
        ("wildcard", "name: t\ntenants:\n  - slug: '*'\n", &["*", "3"]),
        ("two labels", "name: t\ntenants:\n  - slug: acme.agents\n", &["acme.agents", "3"]),
        ("empty", "name: t\ntenants:\n  - slug: ''\n", &["3"]),
        ("too long", &format!("name: t\ntenants:\n  - slug: {long}\n"), &[&long, "3"]),
        (
            "reserved",
            "name: t\ntenants:\n  - slug: acme\n  - slug: platform\n",
            &["platform", "reserved", "4"],
        ),
        ("reserved sys", "name: t\ntenants:\n  - slug: sys\n", &["sys", "3"]),
        ("duplicate", "name: t\ntenants:\n  - slug: acme\n  - slug: acme\n", &["acme", "twice", "line 4"]),
        ("no tenants", "name: t\ntenants: []\n", &["0 tenants", "between 1 and 1000"]),
        ("tenants missing", "name: t\n", &["tenants"]),
        ("name missing", "tenants:\n  - slug: acme\n", &["name"]),
        ("bad name", "name: My Environment\ntenants:\n  - slug: acme\n", &["My Environment", "1"]),
        ("unknown key", "name: t\ntenants:\n  - slug: acme\nnetwrok: flat\n", &["netwrok", "4"]),
        ("unknown key in a tenant", "name: t\ntenants:\n  - slug: acme\n    agent: 3\n", &["agent", "4"]),
        (
            "unknown key in images",
            "name: t\ntenants: [{ slug: acme }]\nimages: { agnet: x }\n",
            &["agnet", "3"],
        ),
        (
            "unknown network",
            "name: t\ntenants: [{ slug: acme }]\nnetwork: shared\n",
            &["shared", "per-tenant", "3"],
        ),
        ("tenants is a number", "name: t\ntenants: 3\n", &["2", "a list is expected"]),
        ("slug is a list", "name: t\ntenants:\n  - slug: [acme]\n", &["3"]),
        ("port too large", "name: t\ntenants: [{ slug: acme }]\nports: { nats: 65536 }\n", &["3"]),
        (
            "port is text",
            "name: t\ntenants: [{ slug: acme }]\nports: { nats: four }\n",
            &["3", "from 0 to 65535"],
        ),
        (
            "one port twice",
            "name: t\ntenants: [{ slug: acme }]\nports: { nats: 4222, poller: 4222 }\n",
            &["ports.nats", "ports.poller", "4222", "line 3"],
        ),
        (
            "an image without a name",
            "name: t\ntenants: [{ slug: acme }]\nimages:\n  nats: nats:2\n  agent: ''\n",
            &["images.agent is empty", "line 4"],
        ),
        (
            "agent in one label",
            "name: t\ntenants:\n  - slug: acme\n    agents: [agent-001]\n",
            &["agent-001", "4"],
        ),
        (
            "agent twice",
            "name: t\ntenants:\n  - slug: acme\n    agents: [a.p, a.p]\n",
            &["a.p", "twice", "line 4"],
        ),
        (
            "no agents",
            "name: t\ntenants:\n  - slug: acme\n    agents: []\n",
            &["acme", "0 agents", "between 1", "line 3"],
        ),
        ("lifetime 0", "name: t\ntenants: [{ slug: acme }]\nlifetimes: { leaf_hours: 0 }\n", &["3"]),
        ("lifetime below 0", "name: t\ntenants: [{ slug: acme }]\nlifetimes: { leaf_hours: -1 }\n", &["3"]),
        (
            "a leaf outlives its authority",
            "name: t\ntenants: [{ slug: acme }]\nlifetimes:\n  authority_days: 1\n  leaf_hours: 25\n",
            &["leaf_hours (25)", "authority_days (1)", "line 4"],
        ),
        ("key twice", "name: t\nname: u\ntenants: [{ slug: acme }]\n", &["name", "twice", "2"]),
        (
            "public subnet",
            "name: t\ntenants: [{ slug: acme }]\nsubnets: 8.8.0.0/16\n",
            &["8.8.0.0/16", "private", "3"],
        ),
        ("host bits", "name: t\ntenants: [{ slug: acme }]\nsubnets: 10.1.2.3/16\n", &["10.1.0.0/16", "3"]),
        ("no yaml", "name: [\n", &["line"]),
        ("nothing", "", &[]),
    ];
    for (what, text, parts) in cases {
        let said = refusal(text);
        assert!(said.len() > 20, "{what}: {said}");
        for part in *parts {
            assert!(said.contains(part), "{what}: {part:?} is not in:\n{said}");
        }
    }
}

#[test]
fn counts_have_limits() {
    for (tenants, agents) in [(0, 1), (MAX_TENANTS + 1, 1)] {
        let error = with_tenants(tenants, agents).unwrap_err();
        assert!(matches!(error, SpecError::TenantCount { found } if found == tenants), "{error}");
        assert!(error.to_string().contains("at most 250 when they run in containers"), "{error}");
    }
    for (tenants, agents) in [(1, 0), (2, MAX_AGENTS_PER_TENANT + 1)] {
        let error = with_tenants(tenants, agents).unwrap_err();
        assert!(matches!(error, SpecError::AgentCount { found, .. } if found == agents), "{error}");
    }
    assert_eq!(with_tenants(MAX_TENANTS, 1).unwrap().tenants().len(), MAX_TENANTS);
    let agents = with_tenants(1, MAX_AGENTS_PER_TENANT).unwrap();
    assert_eq!(agents.tenants()[0].agents.len(), MAX_AGENTS_PER_TENANT);
}

#[test]
fn containers_have_a_lower_limit_and_say_so() {
    let most = Topology::new(&with_tenants(MAX_TENANTS_IN_CONTAINERS, 1).unwrap()).unwrap();
    assert!(Placement::containers(&most).is_ok());
    let more = Topology::new(&with_tenants(MAX_TENANTS_IN_CONTAINERS + 1, 1).unwrap()).unwrap();
    let error = Placement::containers(&more).unwrap_err().to_string();
    for part in ["251", "at most 250", "process backend"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_base_without_room_is_refused() {
    let spec = with_tenants(3, 1).unwrap();
    let base: Subnet = "10.9.0.0/27".parse().unwrap();
    let error = Topology::with_base(&spec, base).unwrap_err();
    let TopologyError::SubnetsExhausted { placed, tenants, .. } = error;
    assert_eq!((placed, tenants), (1, 3));
    let said = error.to_string();
    for part in ["10.9.0.0/27", "1 of 3 tenants", "network: flat"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_service_without_a_port_is_named() {
    let topology = Topology::new(&with_tenants(1, 1).unwrap()).unwrap();
    let mut ports = crate::support::ports(&topology, 4000);
    ports.remove(&"tenants/acme/agent-001.p1".parse().unwrap());
    let error = Placement::processes(&topology, &ports, "/state").unwrap_err().to_string();
    assert!(error.contains("tenants/acme/agent-001.p1"), "{error}");
}

#[test]
fn a_tenant_cannot_be_added_twice() {
    let spec = with_tenants(2, 1).unwrap();
    let again = spec.tenants()[0].clone();
    assert!(matches!(spec.clone().with_tenant(again), Err(SpecError::DuplicateTenant { .. })));
    let more = TenantSpec { slug: "acme2".parse().unwrap(), agents: vec!["agent-001.p1".parse().unwrap()] };
    assert_eq!(spec.with_tenant(more).unwrap().tenants().len(), 3);
}

#[test]
fn lifetimes_that_contradict_each_other_are_refused() {
    let lifetimes = |root_days: u32, authority_days: u32, leaf_hours: u32| Lifetimes {
        root_days: root_days.try_into().unwrap(),
        authority_days: authority_days.try_into().unwrap(),
        leaf_hours: leaf_hours.try_into().unwrap(),
    };
    let with = |lifetimes| with_tenants(1, 1).unwrap().with_lifetimes(lifetimes).map(|_| ()).unwrap_err();
    assert!(matches!(with(lifetimes(36_501, 1, 1)), LifetimesError::TooLong(_)));
    assert!(matches!(with(lifetimes(1, 2, 1)), LifetimesError::AuthorityOutlivesRoot { .. }));
    assert!(matches!(with(lifetimes(2, 1, 25)), LifetimesError::LeafOutlivesAuthority { .. }));
}

#[test]
fn a_specification_is_written_as_it_is_read() {
    let text = "name: demo\ntenants:\n- slug: acme\n  agents:\n  - agent-001.p1\n  - web.p2\n- slug: 'no'\n  agents:\n  - agent-001.p1\n\
                network: flat\nsubnets: 10.77.0.0/24\nlifetimes:\n  root_days: 10\n  authority_days: 5\n  leaf_hours: 24\n\
                images:\n  agent: example/agent:1\nports:\n  nats: 4222\n";
    let spec = EnvironmentSpec::from_yaml(text).unwrap();
    assert_eq!(EnvironmentSpec::from_yaml(&spec.to_yaml()).unwrap(), spec);
    let familiar = with_tenants(7, 2).unwrap();
    assert_eq!(EnvironmentSpec::from_yaml(&familiar.to_yaml()).unwrap(), familiar);
    let slugs: Vec<_> = familiar.tenants().iter().map(|tenant| tenant.slug.to_string()).collect();
    assert_eq!(slugs, ["acme", "globex", "initech", "umbrella", "hooli", "tenant-006", "tenant-007"]);
}
