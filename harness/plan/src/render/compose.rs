//! `docker-compose.override.yml`: the tenants, beside the hand-written `compose/docker-compose.yml` with NATS and the poller.
//!
//! Written for Compose 1.29 and 2.x alike: no `name:`, no `!reset`, no `develop`, nothing that either refuses.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::{RenderError, command};
use crate::placement::{CONTAINER_DATA, CONTAINER_FILES, Placement};
use crate::topology::{NetworkName, Role, Service, Topology};
use crate::yaml::{self, DoubleQuoted, FlowMap, FlowSeq};

/// What differs between the machines on which an override is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeOptions {
    /// The state directory with `services/` and `data/`: absolute, or relative to the directory of the base file.
    pub state_dir: String,
    /// The numeric user and group that own the keys, as `1000:1000`.
    pub user: String,
    /// The image of NATS.
    pub nats_image: String,
    /// The image of the poller.
    pub poller_image: String,
    /// The image of the agents.
    pub agent_image: String,
    /// Further labels on everything: how the harness finds again what is its own. None for an example.
    pub labels: BTreeMap<String, String>,
}

impl ComposeOptions {
    /// The project's own images under their development tags.
    pub fn new(state_dir: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            state_dir: state_dir.into(),
            user: user.into(),
            nats_image: "bulkhead/nats:dev".to_owned(),
            poller_image: "bulkhead/poller:dev".to_owned(),
            agent_image: "bulkhead/agent:dev".to_owned(),
            labels: BTreeMap::new(),
        }
    }

    fn image(&self, role: Role) -> &str {
        match role {
            Role::Nats => &self.nats_image,
            Role::Poller => &self.poller_image,
            Role::Agent => &self.agent_image,
        }
    }
}

/// Quoted, as everything is that Compose 1.29 (YAML 1.1) might take for a number or a boolean: a tenant may be called `no`,
/// and 1000:50 is a number to the base of 60.
type Labels = BTreeMap<String, DoubleQuoted<String>>;

/// A service of the platform: the base file has the rest.
#[derive(Serialize)]
struct PlatformService<'a> {
    image: &'a str,
    user: DoubleQuoted<&'a str>,
    volumes: Vec<FlowMap<Volume>>,
    networks: BTreeMap<String, Attachment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<DoubleQuoted<String>>,
    labels: Labels,
}

/// An agent.
#[derive(Serialize)]
struct AgentService<'a> {
    image: &'a str,
    command: FlowSeq<Vec<String>>,
    user: DoubleQuoted<&'a str>,
    volumes: Vec<FlowMap<Volume>>,
    networks: BTreeMap<String, Attachment>,
    depends_on: FlowSeq<[&'static str; 1]>,
    read_only: bool,
    tmpfs: FlowSeq<[&'static str; 1]>,
    cap_drop: FlowSeq<[&'static str; 1]>,
    security_opt: FlowSeq<[&'static str; 1]>,
    mem_limit: String,
    pids_limit: u32,
    labels: Labels,
}

/// In the long form: unlike the short one, it fails when its source is missing, instead of making a directory that belongs to
/// root, and its source may have a colon in it.
#[derive(Serialize)]
struct Volume {
    r#type: &'static str,
    source: DoubleQuoted<String>,
    target: &'static str,
    read_only: bool,
}

#[derive(Serialize)]
struct Attachment {
    aliases: FlowSeq<[String; 1]>,
}

#[derive(Serialize)]
struct NetworkEntry {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    internal: bool,
    ipam: AddressManagement,
    labels: Labels,
}

#[derive(Serialize)]
struct AddressManagement {
    config: [SubnetEntry; 1],
}

#[derive(Serialize)]
struct SubnetEntry {
    subnet: String,
}

const HEADER: &str = "\
# Rendered by Bulkhead (`cargo xtask compose`): change the specification of the environment, not this file.
#
#   docker-compose -f compose/docker-compose.yml -f THIS_FILE up
#
# Every service is given its own certificate, its own key and the certificates that it believes, and nothing else.
";

/// The override. `placement` is that of containers.
///
/// # Errors
/// When the placement is that of another topology.
pub fn compose(
    topology: &Topology,
    placement: &Placement,
    options: &ComposeOptions,
) -> Result<String, RenderError> {
    let mut text = HEADER.to_owned();
    text.push_str("\nservices:\n");
    text.push_str(
        "\n  # NATS and the poller are on every network; the base file has everything else about them.\n",
    );
    for service in topology.services().iter().filter(|service| service.tenant.is_none()) {
        text.push_str(&entry(&service.id.dotted(), &platform_service(topology, service, options)));
    }
    for tenant in topology.tenants_by_slug() {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\n  # Tenant {}.", tenant.slug);
        for service in topology.agents_of(&tenant.slug) {
            text.push_str(&entry(
                &service.id.dotted(),
                &agent_service(topology, placement, service, options)?,
            ));
        }
    }
    text.push_str("\n# Explicit small subnets: an engine's default address pools end at about 31 networks. A tenant's leads nowhere else.\n\
         networks:\n");
    let mut networks: Vec<_> = topology.networks().iter().collect();
    networks.sort_by(|left, right| left.name.cmp(&right.name));
    for network in networks {
        let tenant = match &network.name {
            NetworkName::Tenant(slug) => Some(slug.to_string()),
            NetworkName::Platform | NetworkName::Shared => None,
        };
        let config = [SubnetEntry { subnet: network.subnet.to_string() }];
        let value = NetworkEntry {
            internal: network.name.is_internal(),
            ipam: AddressManagement { config },
            labels: labels(topology, options, None, tenant),
        };
        text.push_str(&entry(&network.name.to_string(), &value));
    }
    Ok(text)
}

/// One entry of a mapping that is itself an entry: `  name:` and what belongs to it.
fn entry<T: Serialize>(name: &str, value: &T) -> String {
    let block = yaml::write(&BTreeMap::from([(name, value)]));
    block.lines().map(|line| format!("  {line}\n")).collect()
}

fn platform_service<'a>(
    topology: &Topology,
    service: &Service,
    options: &'a ComposeOptions,
) -> PlatformService<'a> {
    let mut volumes = vec![files_of(service, options)];
    if service.role == Role::Nats {
        volumes.push(volume(options, "data/nats", CONTAINER_DATA, false));
    }
    let ports = &topology.spec().ports;
    let port = match service.role {
        Role::Nats => ports.nats,
        Role::Poller => ports.poller,
        Role::Agent => None,
    };
    PlatformService {
        image: options.image(service.role),
        user: DoubleQuoted(&options.user),
        volumes,
        networks: attachments(service),
        ports: port
            .map(|port| DoubleQuoted(format!("127.0.0.1:{port}:{}", service.container_port)))
            .into_iter()
            .collect(),
        labels: labels(topology, options, Some(service), None),
    }
}

fn agent_service<'a>(
    topology: &Topology,
    placement: &Placement,
    service: &Service,
    options: &'a ComposeOptions,
) -> Result<AgentService<'a>, RenderError> {
    let place = placement.get(&service.id).ok_or_else(|| RenderError::NoPlace(service.id.clone()))?;
    Ok(AgentService {
        image: options.image(service.role),
        command: FlowSeq(command(service.role, place)),
        user: DoubleQuoted(&options.user),
        volumes: vec![files_of(service, options)],
        networks: attachments(service),
        depends_on: FlowSeq(["nats"]),
        read_only: true,
        tmpfs: FlowSeq(["/tmp"]),
        cap_drop: FlowSeq(["ALL"]),
        security_opt: FlowSeq(["no-new-privileges"]),
        mem_limit: format!("{}m", service.role.memory_mib()),
        pids_limit: 64,
        labels: labels(topology, options, Some(service), service.tenant.as_ref().map(ToString::to_string)),
    })
}

fn files_of(service: &Service, options: &ComposeOptions) -> FlowMap<Volume> {
    volume(options, &format!("services/{}", service.id), CONTAINER_FILES, true)
}

fn volume(options: &ComposeOptions, path: &str, target: &'static str, read_only: bool) -> FlowMap<Volume> {
    // Compose replaces variables in every value.
    let source = format!("{}/{path}", options.state_dir.replace('$', "$$"));
    FlowMap(Volume { r#type: "bind", source: DoubleQuoted(source), target, read_only })
}

/// On each of its networks, a service is known by the name in its certificate.
fn attachments(service: &Service) -> BTreeMap<String, Attachment> {
    let attachment = || Attachment { aliases: FlowSeq([service.name.to_string()]) };
    service.networks.iter().map(|network| (network.to_string(), attachment())).collect()
}

fn labels(
    topology: &Topology,
    options: &ComposeOptions,
    service: Option<&Service>,
    tenant: Option<String>,
) -> Labels {
    let own = [
        Some(("io.bulkhead.environment", topology.spec().name.to_string())),
        service.map(|service| ("io.bulkhead.service", service.id.to_string())),
        tenant.map(|tenant| ("io.bulkhead.tenant", tenant)),
    ];
    let own = own.into_iter().flatten().map(|(key, value)| (key.to_owned(), value));
    let further = options.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
    further.chain(own).map(|(key, value)| (key, DoubleQuoted(value))).collect()
}
