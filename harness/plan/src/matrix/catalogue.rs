//! Which cells there are: every identity, from every vantage that it would act from, with every operation.

use bulkhead_identity::{AgentId, AuthorityName, PeerName, PlatformName, TenantSlug};

use super::cell::Cell;
use crate::access::{
    Artefact, BrokerOperation, CallTarget, CertificateFlaw, Manner, MessageOperation, Method, Model,
    Operation, RequestAuthority, SideDoor, StorageOperation, TenantMetadata, Vantage, Who,
};

/// Everybody and every service of one environment, as the cells need them.
struct Cast<'a> {
    model: &'a Model,
    tenants: Vec<TenantSlug>,
    agents: Vec<PeerName>,
    /// With a certificate of their own: the agents, the poller, the administrator, the broker.
    peers: Vec<PeerName>,
    /// That listen for gRPC: the agents and the poller.
    services: Vec<PeerName>,
}

const POLLER: PeerName = PeerName::Platform(PlatformName::Poller);
const ADMIN: PeerName = PeerName::Platform(PlatformName::Admin);
const NATS: PeerName = PeerName::Platform(PlatformName::Nats);

/// Every cell, in an order that follows from the model alone.
pub(super) fn cells(model: &Model) -> Vec<Cell> {
    let cast = Cast::of(model);
    let mut cells = Vec::new();
    cells.extend(cast.network());
    cells.extend(cast.handshakes());
    cells.extend(cast.sessions_and_manners());
    cells.extend(cast.impersonations());
    cells.extend(cast.calls());
    cells.extend(cast.meant_for_others());
    cells.extend(cast.reported_for_others());
    cells.extend(cast.messages());
    cells.extend(cast.storage());
    cells.extend(cast.broker());
    cells.extend(cast.platform());
    cells.extend(cast.disk());
    cells
}

/// The hostile certificates that carry a name: one thing is wrong with each. Of all tenants' authorities the first other
/// one plays the rogue, and for a name of the platform's each does.
pub fn forgeries(model: &Model, name: &PeerName) -> Vec<CertificateFlaw> {
    let others = model.tenants().filter(|slug| name.tenant() != Some(slug));
    let rogues = others.take(if name.tenant().is_some() { 1 } else { usize::MAX });
    let mut flaws: Vec<CertificateFlaw> =
        rogues.map(|slug| CertificateFlaw::IssuedBy(AuthorityName::Tenant(slug.clone()))).collect();
    if name.tenant().is_some() {
        flaws.push(CertificateFlaw::IssuedBy(AuthorityName::Platform));
    }
    let borrower = model.tenants().find(|slug| name.tenant() != Some(slug));
    flaws.extend(
        borrower.map(|slug| CertificateFlaw::BorrowedIssuerName(AuthorityName::Tenant(slug.clone()))),
    );
    flaws.extend([
        CertificateFlaw::SelfSigned,
        CertificateFlaw::UnknownAuthority,
        CertificateFlaw::CopiedAuthority,
        CertificateFlaw::UnderLeaf,
        CertificateFlaw::UnderSubordinate,
        CertificateFlaw::StaleGeneration,
        CertificateFlaw::AlteredSignature,
        CertificateFlaw::Expired,
        CertificateFlaw::NotYetValid,
        CertificateFlaw::Revoked,
        CertificateFlaw::LocalhostName,
        CertificateFlaw::CommonNameOnly,
        CertificateFlaw::NoPurpose,
        CertificateFlaw::OnlyForServers,
        CertificateFlaw::OnlyForClients,
        CertificateFlaw::KeyNotHeld,
    ]);
    if let Some(stranger) = stranger_to(model, name) {
        flaws.extend([
            CertificateFlaw::ExtraName(stranger.clone()),
            CertificateFlaw::TwoCommonNames(stranger.clone()),
            CertificateFlaw::OtherCommonName(stranger.clone()),
            CertificateFlaw::OtherAlternativeName(stranger),
        ]);
    }
    flaws
}

/// Somebody of another tenant, whose name a certificate might carry beside its owner's.
fn stranger_to(model: &Model, name: &PeerName) -> Option<PeerName> {
    model.agents().find(|agent| agent.tenant() != name.tenant())
}

impl<'a> Cast<'a> {
    fn of(model: &'a Model) -> Self {
        let agents: Vec<PeerName> = model.agents().collect();
        let peers = agents.iter().cloned().chain([POLLER, ADMIN, NATS]).collect();
        let services = agents.iter().cloned().chain([POLLER]).collect();
        Self { model, tenants: model.tenants().cloned().collect(), agents, peers, services }
    }

    fn home_and_host(&self, name: &PeerName) -> Vec<Vantage> {
        let mut vantages = vec![self.model.home_of(name), Vantage::Host];
        vantages.dedup();
        vantages
    }

    fn network(&self) -> Vec<Cell> {
        let targets: Vec<PeerName> = self.services.iter().cloned().chain([NATS]).collect();
        let mut cells = Vec::new();
        for from in self.model.vantages() {
            for target in &targets {
                let operation = Operation::Reach { target: target.clone() };
                cells.push(Cell { who: Who::Anonymous, from: from.clone(), operation });
                for door in SideDoor::ALL {
                    // What is published is published on this machine, and looked for there.
                    if door == SideDoor::Published && from != Vantage::Host {
                        continue;
                    }
                    let operation = Operation::SideDoor { service: target.clone(), door };
                    cells.push(Cell { who: Who::Anonymous, from: from.clone(), operation });
                }
            }
        }
        cells
    }

    /// Every certificate at every door that can be reached from where its thief is: the real ones from everywhere, the
    /// hostile ones from the network of the tenant that they name and from this machine.
    fn handshakes(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        let mut knock_everywhere = |who: &Who, from: Vantage| {
            for service in self.services.iter().filter(|service| self.model.reaches(&from, service)) {
                let operation = Operation::Handshake { service: service.clone() };
                cells.push(Cell { who: who.clone(), from: from.clone(), operation });
            }
            if self.model.reaches(&from, &NATS) {
                cells.push(Cell { who: who.clone(), from, operation: Operation::Connect });
            }
        };
        for from in self.model.vantages() {
            knock_everywhere(&Who::Anonymous, from.clone());
            for name in &self.peers {
                knock_everywhere(&Who::Peer(name.clone()), from.clone());
            }
        }
        for name in self.agents.iter().chain([&POLLER, &ADMIN]) {
            for flaw in std::iter::once(CertificateFlaw::None).chain(forgeries(self.model, name)) {
                let who = Who::Forged { name: name.clone(), flaw };
                for from in self.home_and_host(name) {
                    knock_everywhere(&who, from);
                }
            }
        }
        cells
    }

    fn sessions_and_manners(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for service in &self.services {
            for manner in [Manner::AskForAuthorities, Manner::HoldTheDoor, Manner::BeSilent] {
                cells.push(nobody_knocks(service, manner));
            }
        }
        cells.push(nobody_knocks(&NATS, Manner::BeSilent));
        // One tenant is enough: to have no place left takes hundreds of handshakes, and every tenant is counted alike.
        if let Some(first) = self.agents.first().filter(|_| self.tenants.len() > 1) {
            let from = self.model.home_of(first);
            let operation = Operation::Knock { service: POLLER, manner: Manner::TakeAllPlaces };
            cells.push(Cell { who: Who::Peer(first.clone()), from, operation });
        }
        for name in self.agents.iter().chain([&POLLER, &ADMIN]) {
            let (who, from) = (Who::Peer(name.clone()), self.model.home_of(name));
            for service in &self.services {
                if !self.model.reaches(&from, service) {
                    continue;
                }
                let earlier =
                    std::iter::once(service).chain(self.services.iter().find(|other| *other != service));
                for earlier in earlier.filter(|earlier| self.model.reaches(&from, earlier)) {
                    let operation = Operation::Resume { service: service.clone(), earlier: earlier.clone() };
                    cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                }
            }
            for service in self.services.iter().chain([&NATS]) {
                for manner in [Manner::OldTls, Manner::NoAlpn, Manner::InTheClear] {
                    if self.model.reaches(&from, service) {
                        let operation = Operation::Knock { service: service.clone(), manner };
                        cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                    }
                }
            }
        }
        cells
    }

    /// Who is believed by the poller to be an agent, and by an agent to be the poller or the broker. They are met on this
    /// machine, where stand-ins dial them.
    fn impersonations(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        let mut meet = |who: Who, service: &PeerName, dialler: &PeerName| {
            let operation = Operation::Impersonate { service: service.clone(), dialler: dialler.clone() };
            cells.push(Cell { who, from: Vantage::Host, operation });
        };
        for slug in &self.tenants {
            let Some(agent) = self.agents.iter().find(|agent| agent.tenant() == Some(slug)) else { continue };
            for other in self.agents.iter().filter(|other| other.tenant() != Some(slug)) {
                meet(Who::Peer(other.clone()), agent, &POLLER);
            }
            for flaw in std::iter::once(CertificateFlaw::None).chain(forgeries(self.model, agent)) {
                meet(Who::Forged { name: agent.clone(), flaw }, agent, &POLLER);
            }
            meet(Who::Anonymous, agent, &POLLER);
            for service in [&POLLER, &NATS] {
                for other in &self.agents {
                    meet(Who::Peer(other.clone()), service, agent);
                }
                for flaw in std::iter::once(CertificateFlaw::None).chain(forgeries(self.model, service)) {
                    meet(Who::Forged { name: service.clone(), flaw }, service, agent);
                }
                meet(Who::Anonymous, service, agent);
            }
        }
        cells
    }

    /// Every method of every service, by everybody; then one that is permitted, with whatever can be said around it.
    fn calls(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        // An agent that sends the poller's certificate, which is public, behind its own.
        let followed = self.agents.iter().map(|name| Who::Forged {
            name: name.clone(),
            flaw: CertificateFlaw::TrailingCertificate(POLLER),
        });
        let everybody = self.peers.iter().cloned().map(Who::Peer).chain([Who::Anonymous]).chain(followed);
        for who in everybody {
            let from = match &who {
                Who::Peer(name) | Who::Forged { name, .. } => self.model.home_of(name),
                Who::Anonymous => Vantage::Host,
            };
            for service in self.services.iter().filter(|service| self.model.reaches(&from, service)) {
                let target = target_of(service);
                let mut call = |method, metadata, authority| {
                    let operation = Operation::Call { target: target.clone(), method, metadata, authority };
                    cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                };
                for method in Method::ALL {
                    call(method, TenantMetadata::Absent, RequestAuthority::Target);
                }
                // Everybody with the health, which is granted to all, and whoever is granted data with those as well.
                for method in [Method::Health].into_iter().chain(data_of(&who, service)) {
                    for metadata in self.claims() {
                        call(method, metadata, RequestAuthority::Target);
                    }
                    for other in self.other_services(service) {
                        call(method, TenantMetadata::Absent, RequestAuthority::Other(other));
                    }
                }
            }
        }
        cells
    }

    /// The first agent of each tenant reports something of another tenant's.
    fn reported_for_others(&self) -> Vec<Cell> {
        let report = |tenant: &TenantSlug| {
            let agent = self.agents.iter().find(|agent| agent.tenant() == Some(tenant))?;
            let named = self.tenants.iter().find(|other| *other != tenant)?;
            let operation = Operation::ReportForAnother { named: named.clone() };
            let (who, from) = (Who::Peer(agent.clone()), self.model.home_of(agent));
            Some(Cell { who, from, operation })
        };
        self.tenants.iter().filter_map(report).collect()
    }

    /// The poller, which may ask every agent, asks each for what another one knows. It is in every tenant's network, and in
    /// none of them at home: this machine is where each agent can be reached from.
    fn meant_for_others(&self) -> Vec<Cell> {
        let ids: Vec<AgentId> = self.agents.iter().filter_map(agent_id).collect();
        let ask = |agent: &PeerName| {
            let own = agent_id(agent)?;
            // Tenants may all call their agents alike; then one is meant that is nowhere.
            let named = ids.iter().find(|id| **id != own).cloned().or_else(|| NOBODYS_AGENT.parse().ok())?;
            Some(Cell {
                who: Who::Peer(POLLER),
                from: Vantage::Host,
                operation: Operation::AskForAnother { agent: agent.clone(), named },
            })
        };
        self.agents.iter().filter_map(ask).collect()
    }

    fn claims(&self) -> Vec<TenantMetadata> {
        let mut claims: Vec<TenantMetadata> =
            self.tenants.iter().take(CLAIMED_TENANTS).cloned().map(TenantMetadata::Claims).collect();
        claims.extend(self.tenants.first().cloned().map(TenantMetadata::ClaimsTwice));
        claims.extend([TenantMetadata::Unreadable, TenantMetadata::Binary]);
        claims
    }

    fn other_services<'s>(&'s self, service: &'s PeerName) -> impl Iterator<Item = PeerName> + 's {
        self.services.iter().filter(move |other| *other != service).take(2).cloned()
    }

    fn messages(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (who, from) in self.talkers() {
            for owner in &self.tenants {
                for operation in MessageOperation::ALL {
                    let operation = Operation::Message { operation, owner: owner.clone() };
                    cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                }
            }
            for user in self.agents.iter().chain([&POLLER]) {
                let operation = Operation::ConnectAs { user: user.clone() };
                cells.push(Cell { who: who.clone(), from: from.clone(), operation });
            }
        }
        cells
    }

    fn storage(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (who, from) in self.talkers() {
            for owner in &self.tenants {
                for operation in StorageOperation::ALL {
                    let operation = Operation::Storage { operation, owner: owner.clone() };
                    cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                }
            }
        }
        cells
    }

    fn broker(&self) -> Vec<Cell> {
        let of = |(who, from): (Who, Vantage)| {
            BrokerOperation::ALL.map(|operation| Cell {
                who: who.clone(),
                from: from.clone(),
                operation: Operation::Broker { operation },
            })
        };
        self.talkers().into_iter().flat_map(of).collect()
    }

    fn platform(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (who, from) in self.talkers() {
            for tenant in &self.tenants {
                let operation = Operation::ReadResults { tenant: tenant.clone() };
                cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                if matches!(&who, Who::Peer(PeerName::Tenant(_))) {
                    let (reported, polled) = (tenant.clone(), tenant.clone());
                    let operation = Operation::FileReport { tenant: reported };
                    cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                    let operation = Operation::FilePolled { tenant: polled };
                    cells.push(Cell { who: who.clone(), from: from.clone(), operation });
                }
            }
        }
        cells
    }

    fn disk(&self) -> Vec<Cell> {
        let authorities = || {
            let tenants = self.tenants.iter().cloned().map(AuthorityName::Tenant);
            [AuthorityName::Root, AuthorityName::Platform].into_iter().chain(tenants)
        };
        let mut artefacts: Vec<Artefact> = self.peers.iter().cloned().map(Artefact::Key).collect();
        artefacts.extend(authorities().map(Artefact::AuthorityKey));
        artefacts.extend(authorities().map(Artefact::Trust));
        artefacts.push(Artefact::OpenKey);
        let mut cells = Vec::new();
        for holder in self.services.iter().chain([&NATS]) {
            for artefact in &artefacts {
                let (who, operation) =
                    (Who::Peer(holder.clone()), Operation::Find { artefact: artefact.clone() });
                cells.push(Cell { who, from: self.model.home_of(holder), operation });
            }
        }
        cells
    }

    /// Those whom NATS lets in, each at home.
    fn talkers(&self) -> Vec<(Who, Vantage)> {
        let talkers = self.agents.iter().chain([&POLLER, &ADMIN]);
        talkers.map(|name| (Who::Peer(name.clone()), self.model.home_of(name))).collect()
    }
}

/// How many tenants a caller claims to speak for, one after the other: its own and others.
const CLAIMED_TENANTS: usize = 3;

/// An agent that no environment has.
const NOBODYS_AGENT: &str = "elsewhere.p1";

fn nobody_knocks(service: &PeerName, manner: Manner) -> Cell {
    let operation = Operation::Knock { service: service.clone(), manner };
    Cell { who: Who::Anonymous, from: Vantage::Host, operation }
}

fn agent_id(name: &PeerName) -> Option<AgentId> {
    match name {
        PeerName::Tenant(name) => Some(name.agent_id()),
        PeerName::Platform(_) => None,
    }
}

/// A method that gives or takes data, which the service grants to such a caller.
fn data_of(who: &Who, service: &PeerName) -> Option<Method> {
    match (who, service) {
        (Who::Peer(PeerName::Platform(_)), PeerName::Tenant(_)) => Some(Method::GetStatus),
        (Who::Peer(PeerName::Tenant(_)), PeerName::Platform(_)) => Some(Method::ReportStatus),
        _ => None,
    }
}

fn target_of(service: &PeerName) -> CallTarget {
    match service {
        PeerName::Tenant(name) => CallTarget::Agent { tenant: name.tenant.clone(), agent: name.agent_id() },
        PeerName::Platform(_) => CallTarget::Poller,
    }
}
