//! What is expected of an attempt. Computed from who is in the environment and from the isolation model; no rendered file
//! is read and no service is asked.

mod broker;
mod files;
mod grpc;
mod manner;
mod messages;
mod place;
mod scope;
mod storage;
mod tls;

use std::collections::BTreeMap;
use std::fmt;

use bulkhead_identity::{AgentId, AuthorityName, PeerName, PlatformName, TenantSlug};

use super::attempt::{
    Attempt, CallTarget, Method, Operation, RequestAuthority, SideDoor, TenantMetadata, Who,
};
use super::outcome::{DenialReason, Outcome};
use crate::environment::{BackendKind, EnvironmentRecord};
use crate::spec::NetworkMode;
use crate::topology::Topology;

pub use scope::Scope;

/// What is expected of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It is done.
    Allowed,
    /// It is refused for one of these reasons; one reason, except where two walls stand at the same place.
    Denied(Vec<DenialReason>),
    /// No packet comes back.
    Unreachable,
    /// The model does not say, and why: not covered, never passed.
    Unspecified(&'static str),
}

impl Expectation {
    /// Whether an outcome is what was expected. Nothing satisfies [`Expectation::Unspecified`], and
    /// [`Outcome::Inconclusive`] satisfies nothing.
    pub fn is_met_by(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Allowed, Outcome::Allowed) | (Self::Unreachable, Outcome::Unreachable) => true,
            (Self::Denied(reasons), Outcome::Denied(reason)) => reasons.contains(reason),
            (Self::Denied(reasons), Outcome::Refused(possible)) => {
                possible.iter().any(|reason| reasons.contains(reason))
            }
            _ => false,
        }
    }

    fn denied(reason: DenialReason) -> Self {
        Self::Denied(vec![reason])
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => formatter.write_str("allowed"),
            Self::Denied(reasons) if reasons.len() == DenialReason::ALL.len() => {
                formatter.write_str("denied, for whatever reason")
            }
            Self::Denied(reasons) => {
                let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
                write!(formatter, "denied: {}", codes.join(" or "))
            }
            Self::Unreachable => formatter.write_str("unreachable"),
            Self::Unspecified(why) => write!(formatter, "nothing ({why})"),
        }
    }
}

/// Who is in an environment and how it is separated: all that expectations depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    tenants: BTreeMap<TenantSlug, Vec<AgentId>>,
    network: NetworkMode,
    backend: BackendKind,
    /// Of a platform that this project did not start.
    scope: Option<Scope>,
}

impl Model {
    /// The model of a topology that `backend` runs.
    pub fn of_topology(topology: &Topology, backend: BackendKind) -> Self {
        let tenants = topology.tenants().iter().map(|tenant| (tenant.slug.clone(), tenant.agents.clone()));
        Self { tenants: tenants.collect(), network: topology.spec().network, backend, scope: None }
    }

    /// The model of a running environment.
    pub fn of_record(record: &EnvironmentRecord) -> Self {
        let tenants = record.tenants.iter().map(|tenant| {
            let agents = tenant.agents.iter().map(|agent| agent.id.clone());
            (tenant.slug.clone(), agents.collect())
        });
        Self {
            tenants: tenants.collect(),
            network: record.network_mode,
            backend: record.backend,
            scope: None,
        }
    }

    /// The model of a platform that this project did not start. It is seen from this machine, as processes on it are.
    pub fn of_scope(tenants: BTreeMap<TenantSlug, Vec<AgentId>>, scope: Scope) -> Self {
        Self { tenants, network: NetworkMode::Flat, backend: BackendKind::Process, scope: Some(scope) }
    }

    /// What is expected of an attempt.
    pub fn expected(&self, attempt: &Attempt) -> Expectation {
        let Attempt { who, operation } = attempt;
        if let Some(why) = self.unknown(who) {
            return Expectation::Unspecified(why);
        }
        match operation {
            Operation::Call { target, method, metadata, authority } => {
                grpc::call(who, target, *method, metadata, authority)
            }
            Operation::AskForAnother { agent, .. } => self.ask_for_another(who, agent),
            Operation::ReportForAnother { named } => grpc::report_for_another(who, named),
            Operation::Handshake { service } => self.handshake(who, service),
            Operation::Resume { service, .. } => match self.handshake(who, service) {
                Expectation::Allowed => Expectation::denied(DenialReason::VerifiedAnew),
                refused => refused,
            },
            Operation::Impersonate { service, dialler } => tls::impersonation(who, service, dialler),
            Operation::Connect => self.connect(who),
            Operation::ConnectAs { user } => self.connected(who, |name| broker::connected_as(name, user)),
            Operation::Broker { operation } => self.connected(who, |name| broker::asked(name, *operation)),
            // What a tenant has is in files below one folder; what is not there was not given to it.
            Operation::Find { artefact } => files::find(who, artefact),
            Operation::FileReport { tenant } | Operation::FilePolled { tenant } => {
                grpc::file_report(who, tenant)
            }
            Operation::SideDoor { service, door } => self.side_door(service, *door),
            Operation::Knock { service, manner } => manner::knock(who, service, *manner),
            Operation::Message { operation, owner } => {
                self.connected(who, |name| messages::message(name, *operation, owner))
            }
            Operation::Storage { operation, owner } => {
                self.connected(who, |name| storage::storage(name, *operation, owner))
            }
            Operation::ReadResults { tenant } => {
                let exists = self.tenants.contains_key(tenant);
                self.connected(who, |name| messages::read_results(name, exists))
            }
            Operation::Reach { target } => self.reach(who, target),
        }
    }

    /// Why nothing can be said about this caller: its certificate would have to come from an authority that is not
    /// there.
    fn unknown(&self, who: &Who) -> Option<&'static str> {
        let name = match who {
            Who::Peer(name) | Who::Forged { name, .. } => name,
            Who::Anonymous => return None,
        };
        let known = name.tenant().is_none_or(|slug| self.tenants.contains_key(slug));
        (!known).then_some("the caller's tenant is not part of the environment")
    }

    /// Whether a gRPC service speaks to the caller.
    fn handshake(&self, who: &Who, service: &PeerName) -> Expectation {
        match call_target(service) {
            Some(target) => grpc::handshake(who, &target),
            None => Expectation::Unspecified("it is no gRPC service"),
        }
    }

    /// Whoever may ask an agent learns from it what it is, and nothing of another.
    fn ask_for_another(&self, who: &Who, agent: &PeerName) -> Expectation {
        let Some(target) = call_target(agent) else {
            return Expectation::Unspecified("it is no gRPC service");
        };
        let (absent, authority) = (TenantMetadata::Absent, RequestAuthority::Target);
        match grpc::call(who, &target, Method::GetStatus, &absent, &authority) {
            Expectation::Allowed => Expectation::denied(DenialReason::AgentOther),
            refused => refused,
        }
    }

    /// Nobody opens any door but the platform's.
    fn side_door(&self, service: &PeerName, door: SideDoor) -> Expectation {
        match (door, self.backend) {
            (SideDoor::Unplanned, BackendKind::Docker | BackendKind::Compose) => Expectation::Unspecified(
                "the ports that a container listens on cannot be listed from outside",
            ),
            (SideDoor::Unplanned, BackendKind::Process) => Expectation::Unreachable,
            (SideDoor::Published, BackendKind::Process) => {
                Expectation::Unspecified("a process has no ports of this machine beside its own")
            }
            (SideDoor::Published, BackendKind::Docker | BackendKind::Compose) => Expectation::Unreachable,
            _ if *service == PeerName::Platform(PlatformName::Nats) => Expectation::Unreachable,
            _ => Expectation::Unspecified("only NATS has such a door"),
        }
    }

    /// Whether NATS lets the caller in.
    fn connect(&self, who: &Who) -> Expectation {
        match who {
            Who::Anonymous => Expectation::denied(DenialReason::NoCertificate),
            Who::Peer(PeerName::Platform(PlatformName::Nats)) => {
                Expectation::denied(DenialReason::WrongPurpose)
            }
            Who::Peer(name) if self.is_user(name) => Expectation::Allowed,
            Who::Peer(_) => Expectation::denied(DenialReason::NatsAuthorization),
            Who::Forged { name, flaw } => tls::at_the_broker(name, flaw, self.is_user(name)),
        }
    }

    /// What follows for somebody who is connected; who is not let in is denied by that already.
    fn connected(&self, who: &Who, then: impl FnOnce(&PeerName) -> Expectation) -> Expectation {
        match (self.connect(who), who) {
            (Expectation::Allowed, Who::Peer(name) | Who::Forged { name, .. }) => then(name),
            (refused, _) => refused,
        }
    }

    fn is_user(&self, name: &PeerName) -> bool {
        match name {
            PeerName::Platform(name) => matches!(name, PlatformName::Poller | PlatformName::Admin),
            PeerName::Tenant(name) => {
                self.tenants.get(&name.tenant).is_some_and(|agents| agents.contains(&name.agent_id()))
            }
        }
    }

    /// Whether a packet gets from the caller's place to the target's.
    fn reach(&self, who: &Who, target: &PeerName) -> Expectation {
        let (Who::Peer(from) | Who::Forged { name: from, .. }) = who else {
            return Expectation::Unspecified("somebody without a name has no place in the environment");
        };
        if *from == PeerName::Platform(PlatformName::Admin) {
            return Expectation::Unspecified("the administrator has no place in the environment");
        }
        if self.backend == BackendKind::Process {
            return Expectation::Unspecified("processes on loopback have no network walls");
        }
        match (self.network, from.tenant(), target.tenant()) {
            (NetworkMode::PerTenant, Some(from), Some(to)) if from != to => Expectation::Unreachable,
            _ => Expectation::Allowed,
        }
    }
}

/// The gRPC service of that name, if it has one.
fn call_target(service: &PeerName) -> Option<CallTarget> {
    match service {
        PeerName::Tenant(name) => {
            Some(CallTarget::Agent { tenant: name.tenant.clone(), agent: name.agent_id() })
        }
        PeerName::Platform(PlatformName::Poller) => Some(CallTarget::Poller),
        PeerName::Platform(PlatformName::Nats | PlatformName::Core | PlatformName::Admin) => None,
    }
}

/// The authority whose certificate a service needs in order to judge a name.
fn responsible(name: &PeerName) -> AuthorityName {
    name.tenant().map_or(AuthorityName::Platform, |slug| AuthorityName::Tenant(slug.clone()))
}
