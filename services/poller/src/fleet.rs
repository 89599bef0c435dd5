//! Which agents answer: what the health service, the heartbeats and the health events are made from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_identity::{TenantName, TenantSlug};
use tokio::sync::watch;

/// The state of every configured agent. Cloning it gives another handle on the same state.
#[derive(Debug, Clone)]
pub struct Fleet {
    agents: Arc<Mutex<BTreeMap<TenantName, AgentState>>>,
    all_polled: watch::Sender<bool>,
}

#[derive(Debug, Clone, Copy, Default)]
struct AgentState {
    /// `None` until it was tried.
    reachable: Option<bool>,
    polled_once: bool,
}

/// How many of a tenant's agents there are, and how many answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantCount {
    /// Configured agents.
    pub configured: usize,
    /// Agents that answered the last time that they were asked.
    pub reachable: usize,
}

impl Fleet {
    /// The configured agents, none of which was tried yet.
    #[must_use]
    pub fn new(agents: impl IntoIterator<Item = TenantName>) -> Self {
        let agents: BTreeMap<_, _> = agents.into_iter().map(|name| (name, AgentState::default())).collect();
        let all_polled = watch::Sender::new(agents.is_empty());
        Self { agents: Arc::new(Mutex::new(agents)), all_polled }
    }

    /// Notes how a poll of `agent` ended; says whether that is a change.
    pub fn note(&self, agent: &TenantName, reachable: bool) -> bool {
        let mut agents = self.agents();
        let Some(state) = agents.get_mut(agent) else { return false };
        let changed = state.reachable.replace(reachable) != Some(reachable);
        state.polled_once |= reachable;
        if changed && reachable && agents.values().all(|state| state.polled_once) {
            self.all_polled.send_replace(true);
        }
        changed
    }

    /// How a tenant's agents stand.
    #[must_use]
    pub fn count(&self, tenant: &TenantSlug) -> TenantCount {
        let agents = self.agents();
        let of_tenant = || agents.iter().filter(|(name, _)| name.tenant == *tenant);
        TenantCount {
            configured: of_tenant().count(),
            reachable: of_tenant().filter(|(_, state)| state.reachable == Some(true)).count(),
        }
    }

    /// How many agents did not answer the last time that they were asked.
    #[must_use]
    pub fn unreachable(&self) -> usize {
        self.agents().values().filter(|state| state.reachable == Some(false)).count()
    }

    /// Whether every agent was polled successfully at least once since start, to be watched.
    #[must_use]
    pub fn all_polled(&self) -> watch::Receiver<bool> {
        self.all_polled.subscribe()
    }

    fn agents(&self) -> MutexGuard<'_, BTreeMap<TenantName, AgentState>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> TenantName {
        format!("{name}.serviceradar").parse().unwrap()
    }

    #[test]
    fn everybody_must_have_been_polled_once() {
        let (acme, globex) = (agent("agent-001.p1.acme"), agent("agent-001.p1.globex"));
        let fleet = Fleet::new([acme.clone(), globex.clone()]);
        let all_polled = fleet.all_polled();
        assert!(fleet.note(&acme, true) && !*all_polled.borrow());
        assert!(fleet.note(&globex, false) && !*all_polled.borrow());
        assert!(fleet.note(&acme, false), "it was reachable before");
        assert!(fleet.note(&globex, true) && *all_polled.borrow());
        assert!(!fleet.note(&globex, true), "nothing changed");
        assert!(fleet.note(&globex, false) && *all_polled.borrow(), "once is once");
    }

    #[test]
    fn tenants_are_counted_apart() {
        let fleet = Fleet::new(["agent-001.p1.acme", "agent-002.p1.acme", "agent-001.p1.acme2"].map(agent));
        fleet.note(&agent("agent-001.p1.acme"), true);
        fleet.note(&agent("agent-001.p1.stranger"), true);
        let count = fleet.count(&"acme".parse().unwrap());
        assert_eq!(count, TenantCount { configured: 2, reachable: 1 });
        assert_eq!(fleet.unreachable(), 0, "nobody was asked in vain");
        fleet.note(&agent("agent-002.p1.acme"), false);
        assert_eq!(fleet.unreachable(), 1);
        assert_eq!(fleet.count(&"acme2".parse().unwrap()), TenantCount { configured: 1, reachable: 0 });
    }

    #[test]
    fn nobody_to_poll_is_everybody_polled() {
        assert!(*Fleet::new([]).all_polled().borrow());
    }
}
