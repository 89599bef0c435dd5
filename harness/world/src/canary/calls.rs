//! Calls in both directions, each on a connection of its own: the poller's to a tenant's agent, and the agent's to the
//! poller.

use std::sync::Arc;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_probe::Sight;
use bulkhead_probe::grpc::{Answer, Call};
use bulkhead_probe::post::Answered;
use tokio_util::sync::CancellationToken;

use super::{OTHERS_EVERY, ticks};
use crate::stage::Stage;
use crate::trace::Way;

/// Who calls whom.
pub(super) struct Line {
    pub(super) who: PeerName,
    pub(super) service: PeerName,
    /// From whose network.
    pub(super) home: PeerName,
}

/// Calls until the end. Only somebody who serves has answered.
pub(super) async fn send(
    stage: Arc<Stage>,
    tenant: TenantSlug,
    way: Way,
    line: Line,
    end: CancellationToken,
) {
    let (mut ticks, from) = (ticks(OTHERS_EVERY), stage.home_of(&line.home));
    for number in 0.. {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let at = stage.now();
        stage.note(|trace| trace.flock(tenant.as_ref(), way).began(number, at));
        let seen = stage.call(&line.who, &from, &line.service, Call::Health(String::new())).await;
        let why = match seen {
            Ok(seen) => match &seen.sight {
                Sight::Answered(Answered::Call(Answer::Serving(true))) => None,
                Sight::Answered(_) => Some(format!("{} says that it does not serve", line.service)),
                _ => Some(seen.to_string()),
            },
            Err(why) => Some(why),
        };
        let at = stage.now();
        stage.note(|trace| {
            let flock = trace.flock(tenant.as_ref(), way);
            match why {
                Some(why) => flock.failed(number, why),
                None => _ = flock.arrived(number, at),
            }
        });
    }
}
