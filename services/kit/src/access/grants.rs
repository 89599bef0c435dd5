//! Which peers may call which gRPC service.

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{PeerName, PeerPattern};

/// What is allowed; everything else is refused.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    services: Vec<(&'static str, Vec<PeerPattern>)>,
}

impl Grants {
    /// Nothing is allowed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Lets `peers` call every method of `service`, a full name as in `monitoring.AgentService`.
    #[must_use]
    pub fn allow(mut self, service: &'static str, peers: impl IntoIterator<Item = PeerPattern>) -> Self {
        self.services.push((service, peers.into_iter().collect()));
        self
    }

    /// Everybody who may call something: whom the handshake must let in.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerPattern> {
        self.services.iter().flat_map(|(_, peers)| peers.iter().cloned()).collect()
    }

    /// Whether `name` may call the method at `path`, `/package.Service/Method`.
    pub(super) fn permit(&self, name: &PeerName, path: &str) -> bool {
        let Some((service, _method)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
            return false;
        };
        if seeded::is_on(SeededFault::GrantsIgnored) {
            return true;
        }
        let granted = self.services.iter().filter(|(granted, _)| *granted == service);
        granted.flat_map(|(_, peers)| peers).any(|pattern| pattern.accepts(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_refused() {
        let poller: PeerName = "poller.serviceradar".parse().unwrap();
        let member: PeerName = "agent-002.p1.acme.serviceradar".parse().unwrap();
        let other: PeerName = "agent-001.p1.acme2.serviceradar".parse().unwrap();
        let health = "grpc.health.v1.Health";
        let grants = Grants::none()
            .allow("monitoring.AgentService", [PeerPattern::Exactly(poller.clone())])
            .allow(health, [PeerPattern::MemberOf("acme".parse().unwrap())]);
        assert!(grants.permit(&poller, "/monitoring.AgentService/GetStatus"));
        assert!(grants.permit(&member, "/grpc.health.v1.Health/Check"));
        for (name, path) in [
            (&member, "/monitoring.AgentService/GetStatus"),
            (&poller, "/grpc.health.v1.Health/Check"),
            (&other, "/grpc.health.v1.Health/Check"),
            (&poller, "/monitoring.AgentServices/GetStatus"),
            (&poller, "monitoring.AgentService/GetStatus"),
            (&poller, "/monitoring.AgentService"),
            (&poller, "//monitoring.AgentService/GetStatus"),
            (&poller, "/"),
            (&poller, ""),
        ] {
            assert!(!grants.permit(name, path), "{name} {path}");
        }
    }
}
