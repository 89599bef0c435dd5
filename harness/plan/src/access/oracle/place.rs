//! Which packets get where.

use bulkhead_identity::{AgentId, PeerName, TenantSlug};

use super::{Expectation, Model};
use crate::access::attempt::{Attempt, Operation};
use crate::access::vantage::Vantage;
use crate::environment::BackendKind;
use crate::matrix::Cell;
use crate::spec::NetworkMode;

impl Model {
    /// From where attempts can be made in this environment, in the order in which they are shown.
    pub fn vantages(&self) -> Vec<Vantage> {
        match (self.backend, self.network) {
            (BackendKind::Process, _) => vec![Vantage::Host],
            (_, NetworkMode::Flat) => vec![Vantage::Platform, Vantage::Outside, Vantage::Host],
            (_, NetworkMode::PerTenant) => {
                let tenants = self.tenants.keys().cloned().map(Vantage::Tenant);
                tenants.chain([Vantage::Platform, Vantage::Outside, Vantage::Host]).collect()
            }
        }
    }

    /// Where somebody of this name is at home. The administrator works from the platform's network.
    pub fn home_of(&self, name: &PeerName) -> Vantage {
        match (self.backend, self.network, name.tenant()) {
            (BackendKind::Process, _, _) => Vantage::Host,
            (_, NetworkMode::PerTenant, Some(slug)) => Vantage::Tenant(slug.clone()),
            _ => Vantage::Platform,
        }
    }

    /// Whether a packet gets from there to the target. NATS and the poller are on every network of the environment, each
    /// tenant's agents on their own; this machine reaches them all; nobody outside reaches any.
    pub fn reaches(&self, from: &Vantage, target: &PeerName) -> bool {
        let open = self.backend == BackendKind::Process || self.network == NetworkMode::Flat;
        match (from, target.tenant()) {
            (Vantage::Host, _) => true,
            (Vantage::Outside, _) => false,
            (_, None) => true,
            (Vantage::Tenant(own), Some(slug)) => open || own == slug,
            (Vantage::Platform, Some(_)) => open,
        }
    }

    /// What is expected of a cell: first of the network, then of what is spoken over it.
    pub fn predict(&self, cell: &Cell) -> Expectation {
        let Some(scope) = &self.scope else { return self.predict_within(cell) };
        match scope.untried(cell) {
            Some(why) => Expectation::Unspecified(why),
            None => scope.widened(cell, self.predict_within(cell)),
        }
    }

    /// Why a cell cannot be attempted at all, whatever anybody expects of it.
    pub fn untried(&self, cell: &Cell) -> Option<&'static str> {
        self.scope.as_ref().and_then(|scope| scope.untried(cell))
    }

    fn predict_within(&self, cell: &Cell) -> Expectation {
        let Cell { who, from, operation } = cell;
        if let Operation::Reach { .. } = operation
            && self.backend == BackendKind::Process
        {
            return Expectation::Unspecified("processes on loopback have no network walls");
        }
        // What is no door of the service is none from anywhere.
        if let Operation::SideDoor { service, door } = operation
            && let unspecified @ Expectation::Unspecified(_) = self.side_door(service, *door)
        {
            return unspecified;
        }
        match operation.service() {
            Some(service) if !self.reaches(from, &service) => Expectation::Unreachable,
            Some(_) if matches!(operation, Operation::Reach { .. }) => Expectation::Allowed,
            _ => self.expected(&Attempt { who: who.clone(), operation: operation.clone() }),
        }
    }

    /// Every agent, by tenant and then by name.
    pub fn agents(&self) -> impl Iterator<Item = PeerName> {
        let of = |(slug, agents): (&TenantSlug, &Vec<AgentId>)| {
            agents.iter().map(|agent| PeerName::Tenant(agent.of_tenant(slug))).collect::<Vec<_>>()
        };
        self.tenants.iter().flat_map(of)
    }

    /// The tenants, by slug.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantSlug> {
        self.tenants.keys()
    }
}
