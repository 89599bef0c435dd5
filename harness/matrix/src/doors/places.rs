//! One tenant takes all the places of a service that it can get, and others want to be served meanwhile.

use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_plan::access::{DenialReason, Outcome, Who};
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::Sight;
use bulkhead_probe::post::{Answered, Order};
use bulkhead_runtime::probe::verdict::{Judged, between};
use tokio::time::{Instant, sleep};

use super::{asked, serves};
use crate::site::Site;

/// How long a service may take to notice that connections have ended.
const RELEASE_DEADLINE: Duration = Duration::from_secs(3);
/// Between two tries.
const RELEASE_POLL: Duration = Duration::from_millis(10);
/// More connections than any service of ours gives a tenant: whoever may have so many has no limit.
const ENOUGH: usize = 300;

/// Takes them, and gives them back. Somebody of another tenant is served before, meanwhile and after.
pub(super) async fn take_all(site: &Site, cell: &Cell) -> Result<Judged, String> {
    let service = cell.operation.service().ok_or("it is done at no service's door")?;
    let Who::Peer(own) = &cell.who else {
        return Err("only somebody whom the service lets in has places there".to_owned());
    };
    let probe = site.probe(&cell.from)?;
    let session = probe.fresh_number();
    let order = Order::TakePlaces {
        session,
        address: site.address(&cell.from, &service)?,
        opening: site.opening(probe, &cell.who, &service)?,
        enough: ENOUGH,
    };
    let another = another(site, &service, own)?;
    let before = serves(site, &service, &another).await;
    let seen = probe.attempt(order).await.map_err(|lost| lost.to_string())?;
    let meanwhile = asked(site, &service, &another).await;
    probe.attempt(Order::Close { session }).await.map_err(|lost| lost.to_string())?;
    let after = serves_again(site, &service, &another).await;
    let Sight::Answered(Answered::Places { taken, turned_away }) = &seen.sight else {
        return Err(seen.to_string());
    };
    site.add_attempts(u64::try_from(*taken).unwrap_or_default());
    let mut evidence = vec![match turned_away {
        Some(why) => format!("{taken} connections of {own} stood, and the next: {why}"),
        None => format!("{taken} connections of {own} stood, and nobody objected"),
    }];
    if let Some(why) = turned_away.as_ref().filter(|_| *taken == 0) {
        return Err(format!("{own} has no place at all: {why}"));
    }
    let meanwhile = meanwhile?;
    evidence.push(meanwhile.to_string());
    let outcome = match (turned_away, &meanwhile.sight) {
        // Whoever may have as many as it likes leaves others none in the end.
        (None, _) => Outcome::Allowed,
        (Some(_), Sight::Answered(_)) => Outcome::Denied(DenialReason::OthersServed),
        (Some(_), Sight::Refused(_) | Sight::Closed(_)) => Outcome::Allowed,
        // A service that is slow has not turned anybody away.
        (Some(_), Sight::Silence(_) | Sight::Unreachable(_) | Sight::NotMade(_)) => {
            Outcome::Inconclusive(format!("another was neither served nor turned away: {meanwhile}"))
        }
    };
    Ok(between(before, Judged::new(outcome, evidence), after))
}

/// Whether a peer is served, as soon as the service has noticed that the places are free again.
async fn serves_again(site: &Site, service: &PeerName, who: &Who) -> Result<String, String> {
    let until = Instant::now() + RELEASE_DEADLINE;
    loop {
        match serves(site, service, who).await {
            Err(_) if Instant::now() < until => sleep(RELEASE_POLL).await,
            found => return found,
        }
    }
}

/// Somebody of another tenant, who would miss a place.
fn another(site: &Site, service: &PeerName, own: &PeerName) -> Result<Who, String> {
    let others = site.rightful_peers_of(service).into_iter().map(|(who, _)| who);
    let another =
        others.into_iter().find(|who| matches!(who, Who::Peer(name) if name.tenant() != own.tenant()));
    another.ok_or_else(|| "there is nobody of another tenant who would miss a place".to_owned())
}
