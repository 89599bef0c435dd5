//! Valid peers of each service: the proof that it is there and serves, around every denial.

use bulkhead_runtime::probe::Sight;
use bulkhead_runtime::probe::grpc::{Answer, Call, Caller, call};
use bulkhead_runtime::probe::nats::{Login, login};

use crate::platform::Platform;
use crate::words::Peer;

/// A rightful peer of the service's is served now, and not the one that makes the attempt: if that one is kept out, it is
/// not because the service is dead. Says who was served, or what was seen instead.
pub(crate) async fn served(platform: &Platform, service: &Peer, attempts: &Peer) -> Result<String, String> {
    let rightful = rightful_peer_of(platform, service, attempts);
    let target = platform.target(service).map_err(|error| error.to_string())?;
    let credential = platform.credential(&rightful).map_err(|error| error.to_string())?;
    if *service == Peer::Broker {
        let credential = credential.ok_or_else(|| format!("{rightful} has no certificate"))?;
        let seen = login(&target.address, &Login::with(&credential)).await;
        return match seen.sight {
            Sight::Answered(_) => Ok(seen.to_string()),
            _ => Err(seen.to_string()),
        };
    }
    let caller = Caller::of(credential.as_ref(), &target.name.common_name());
    let seen = call(&target.address, &caller, Call::Health(String::new())).await;
    match seen.sight {
        Sight::Answered(Answer::Serving(true)) => Ok(seen.to_string()),
        Sight::Answered(_) => Err(format!("{} answers that it is not serving", target.name)),
        _ => Err(seen.to_string()),
    }
}

/// Who may use a service without any doubt, and is somebody else than who makes the attempt.
fn rightful_peer_of(platform: &Platform, service: &Peer, attempts: &Peer) -> Peer {
    match (service, attempts) {
        (Peer::Agent(_), Peer::Poller) => Peer::Administrator,
        (Peer::Agent(_), _) => Peer::Poller,
        _ => {
            let attempts = platform.name(attempts).ok();
            let slugs = platform.record.tenants.iter().map(|tenant| Peer::tenant(tenant.slug.as_str()));
            let mut others = slugs.filter(|peer| platform.name(peer).ok() != attempts);
            others.next().unwrap_or(Peer::Poller)
        }
    }
}
