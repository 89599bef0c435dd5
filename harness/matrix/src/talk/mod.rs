//! Attempts on the broker by those whom it lets in: messages, streams and buckets, the broker itself, and what the
//! platform does over it.
//!
//! Everybody who acts talks on a connection of its own, from where it is at home. Everybody who is acted upon listens,
//! keeps a stream and two buckets, and is asked before and after whether it hears and still has what it keeps.

mod broker;
mod consumers;
mod copies;
mod messages;
mod owner;
mod platform;
mod storage;
mod stretch;
mod talker;
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_identity::TenantSlug;
use bulkhead_plan::access::{BrokerOperation, Operation, Vantage, Who};
use bulkhead_plan::matrix::Cell;
use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use tokio::sync::{Mutex, Semaphore};

use crate::site::Site;
use owner::Owner;
use talker::Desk;

/// How many talk at once: more are not faster, and with thirty tenants everybody would wait for an answer longer than anybody
/// does.
const TALKS_AT_ONCE: usize = 12;

/// How many read at once as the administrator does.
const READING_AT_ONCE: usize = 4;

/// What all talks of one run have in common.
pub(crate) struct Stage<'a> {
    pub(crate) site: &'a Site,
    pub(crate) owners: BTreeMap<TenantSlug, Result<Arc<Owner>, String>>,
    /// One at a time keeps copies in a tenant's account, which may have ten streams.
    pub(crate) copying: BTreeMap<TenantSlug, Mutex<()>>,
    /// One at a time empties a stream whose name others have as well.
    pub(crate) namesakes: Mutex<()>,
    /// So many read at once as the administrator does: the poller answers eight, and whoever shows that it answers must not wait.
    pub(crate) reading: Semaphore,
    /// One at a time reserves what is to be told from everything else that is reserved.
    pub(crate) reserving: Mutex<()>,
}

impl Stage<'_> {
    pub(crate) fn owner(&self, tenant: &TenantSlug) -> Result<&Arc<Owner>, String> {
        match self.owners.get(tenant) {
            Some(Ok(owner)) => Ok(owner),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("{tenant} has nobody who would hear it")),
        }
    }
}

/// Attempts all but what uses up somebody's share.
pub(crate) async fn attempt(site: &Site, cells: &[Cell], run: &str) {
    let cells: Vec<&Cell> = cells.iter().filter(|cell| !uses_up(&cell.operation)).collect();
    if cells.is_empty() {
        return;
    }
    let owners = site.model().tenants().map(async |tenant| {
        let owner = Owner::on_stage(site, tenant, run).await;
        (tenant.clone(), owner.map(Arc::new))
    });
    let owners: BTreeMap<_, _> = join_all(owners).await.into_iter().collect();
    let copying = site.model().tenants().map(|tenant| (tenant.clone(), Mutex::default())).collect();
    let stage = Stage {
        site,
        owners,
        copying,
        namesakes: Mutex::default(),
        reading: Semaphore::new(READING_AT_ONCE),
        reserving: Mutex::default(),
    };
    let mut talks: BTreeMap<(Who, Vantage), Vec<&Cell>> = BTreeMap::new();
    for cell in cells {
        talks.entry((cell.who.clone(), cell.from.clone())).or_default().push(cell);
    }
    let talks = talks.iter().enumerate();
    let talks = talks.map(|(number, ((who, from), cells))| talk(&stage, number, who, from, cells));
    stream::iter(talks).buffer_unordered(TALKS_AT_ONCE).collect::<()>().await;
    for owner in stage.owners.into_values().flatten() {
        owner.leave(site).await;
    }
}

/// Everything that one of them attempts: with one tenant after another, and meanwhile with the broker and the platform. Each
/// begins with another tenant: what a tenant keeps is touched by one at a time, and nobody waits for the same one.
async fn talk(stage: &Stage<'_>, number: usize, who: &Who, from: &Vantage, cells: &[&Cell]) {
    let mut by_owner: BTreeMap<&TenantSlug, Vec<&Cell>> = BTreeMap::new();
    let mut others = Vec::new();
    for cell in cells {
        match &cell.operation {
            Operation::Message { owner, .. } | Operation::Storage { owner, .. } => {
                by_owner.entry(owner).or_default().push(cell);
            }
            _ => others.push(*cell),
        }
    }
    let desk = match Desk::open(stage, who, from).await {
        Ok(desk) => desk,
        Err(why) => {
            let why = format!("{who} cannot talk to the broker, so that nothing is known of it: {why}");
            cells.iter().for_each(|cell| stage.site.file_unjudged(cell, why.clone()));
            return;
        }
    };
    let (mut platform, broker): (Vec<&Cell>, Vec<&Cell>) = others.into_iter().partition(|cell| {
        matches!(
            cell.operation,
            Operation::ReadResults { .. } | Operation::FileReport { .. } | Operation::FilePolled { .. }
        )
    });
    let begins = number % platform.len().max(1);
    platform.rotate_left(begins);
    let owners = || by_owner.iter().cycle().skip(number % by_owner.len().max(1)).take(by_owner.len());
    let with_owners = async {
        for (tenant, cells) in owners() {
            let (messages, storage): (Vec<&Cell>, Vec<&Cell>) =
                cells.iter().partition(|cell| matches!(cell.operation, Operation::Message { .. }));
            let kept: Vec<&Cell> = storage.into_iter().filter(|cell| !is_copy(cell)).collect();
            tokio::join!(
                messages::attempt(stage, &desk, tenant, &messages),
                storage::attempt(stage, &desk, tenant, &kept),
            );
        }
    };
    let copying = async {
        for (tenant, cells) in owners() {
            let copies: Vec<&Cell> = cells.iter().copied().filter(|cell| is_copy(cell)).collect();
            copies::attempt(stage, &desk, tenant, &copies).await;
        }
    };
    let others = async {
        broker::attempt(stage, &desk, &broker).await;
        platform::attempt(stage, &desk, &platform).await;
    };
    tokio::join!(with_owners, copying, others);
}

fn is_copy(cell: &Cell) -> bool {
    matches!(&cell.operation, Operation::Storage { operation, .. } if copies::is_one(*operation))
}

fn uses_up(operation: &Operation) -> bool {
    matches!(operation, Operation::Broker { operation: BrokerOperation::ConnectTooOften })
}

/// What uses up somebody's share, one after the other, after everything else.
pub(crate) async fn exhaust(site: &Site, cells: &[Cell]) {
    for cell in cells.iter().filter(|cell| uses_up(&cell.operation)) {
        broker::connect_too_often(site, cell).await;
    }
}
