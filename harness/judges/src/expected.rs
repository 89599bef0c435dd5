//! Which attempts a judge has to make in an environment: a table with holes is no verdict.

use std::collections::BTreeSet;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_plan::environment::EnvironmentRecord;

use crate::deed::Deed;
use crate::rows::Cell;

/// A certificate by the name in it, and by what is wrong with it.
type Certificate = (Option<PeerName>, Option<String>);

/// What is tried at the broker.
pub(crate) fn at_the_broker(record: &EnvironmentRecord, forged: &[(PeerName, String)]) -> BTreeSet<Cell> {
    let agents = first_agents(record);
    let admin = &record.platform.admin.name;
    let mut cells = BTreeSet::new();
    let callers = agents.iter().map(|(_, name)| honest(name)).chain([honest(admin), (None, None)]);
    for (who, flaw) in callers.chain(forged.iter().map(forgery)) {
        let target = Some(record.platform.nats.name.clone());
        cells.insert(Cell { who, flaw, operation: Deed::Connect, owner: None, target });
    }
    let mut tried = |who: &PeerName, operation, owner: Option<&TenantSlug>| {
        let (who, flaw) = honest(who);
        cells.insert(Cell { who, flaw, operation, owner: owner.cloned(), target: None });
    };
    for (_, who) in &agents {
        Deed::OF_THE_BROKER.into_iter().for_each(|deed| tried(who, deed, None));
        for (owner, _) in &agents {
            Deed::MESSAGES.into_iter().chain(Deed::STORAGE).for_each(|deed| tried(who, deed, Some(owner)));
        }
    }
    agents.iter().for_each(|(owner, _)| tried(admin, Deed::ReadResults, Some(owner)));
    cells
}

/// What is tried at the agents.
pub(crate) fn at_the_agents(record: &EnvironmentRecord, forged: &[(PeerName, String)]) -> BTreeSet<Cell> {
    let agents = first_agents(record);
    let platform = &record.platform;
    let mut cells = BTreeSet::new();
    for (owner, target) in &agents {
        let callers = agents.iter().map(|(_, name)| honest(name));
        let callers =
            callers.chain([honest(&platform.poller.name), honest(&platform.admin.name), (None, None)]);
        let callers = callers.chain(forged.iter().filter(|(name, _)| name == target).map(forgery));
        for (who, flaw) in callers {
            cells.extend(Deed::CALLS.map(|operation| Cell {
                who: who.clone(),
                flaw: flaw.clone(),
                operation,
                owner: Some(owner.clone()),
                target: Some(target.clone()),
            }));
        }
    }
    cells
}

fn first_agents(record: &EnvironmentRecord) -> Vec<(TenantSlug, PeerName)> {
    let of = record
        .tenants
        .iter()
        .filter_map(|tenant| Some((tenant.slug.clone(), tenant.agents.first()?.name.clone())));
    of.collect()
}

fn honest(name: &PeerName) -> Certificate {
    (Some(name.clone()), None)
}

fn forgery((name, flaw): &(PeerName, String)) -> Certificate {
    (Some(name.clone()), Some(flaw.clone()))
}
