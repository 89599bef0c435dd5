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
    for (owner, _) in &agents {
        let mut tried = |who: &PeerName, operation| {
            let (who, flaw) = honest(who);
            cells.insert(Cell { who, flaw, operation, owner: Some(owner.clone()), target: None });
        };
        tried(admin, Deed::ReadResults);
        for (tenant, who) in &agents {
            // The platform's record of a tenant is not that tenant's: of its owner the model knows no such attempt.
            let of_storage =
                Deed::STORAGE.iter().filter(|deed| tenant != owner || **deed != Deed::ReadPlatformRecord);
            Deed::MESSAGES.iter().chain(of_storage).for_each(|deed| tried(who, *deed));
        }
    }
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
