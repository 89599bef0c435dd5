//! An agent that reports as much as it may.

use std::time::Instant;

use bulkhead_probe::Sight;
use bulkhead_probe::grpc::{Answer, Call, Caller, call};
use bulkhead_wire::{PollerStatusRequest, ServiceStatus};
use futures::future::join_all;

use super::{Done, Ground};
use crate::stage::POLLER;

/// Calls at the same time.
const AT_ONCE: usize = 2;
/// Services in one report, and what each says: together a little less than a call may bring (1 MiB).
const SERVICES: usize = 5;
const BYTES: usize = 180 * 1024;

/// Sends the poller the largest reports that it takes.
pub(super) async fn report(ground: &mut Ground<'_>) -> Result<Done, String> {
    let agent = &ground.stage.agent(&ground.tenant)?.name;
    let credential = ground.stage.credential(agent).map_err(|error| error.to_string())?;
    let (address, caller) =
        (ground.stage.address(&POLLER)?, Caller::of(Some(&credential), &POLLER.to_string()));
    let (began, over) = (Instant::now(), &ground.over);
    let reporting = (0..AT_ONCE).map(async |_| {
        let (mut taken, mut refused) = (0_usize, Vec::new());
        while !over.is_cancelled() {
            let seen = call(&address, &caller, Call::ReportStatus(largest())).await;
            match &seen.sight {
                Sight::Answered(Answer::Reported(_)) => taken += 1,
                _ => refused.push(seen.to_string()),
            }
        }
        (taken, refused)
    });
    let (taken, refused): (Vec<usize>, Vec<Vec<String>>) = join_all(reporting).await.into_iter().unzip();
    let (taken, seconds) = (taken.into_iter().sum::<usize>(), began.elapsed().as_secs_f64());
    let refused: Vec<String> = refused.into_iter().flatten().collect();
    if taken == 0 {
        let why = refused.first().map_or("no time for one", String::as_str);
        return Err(format!("not one report was taken: {why}"));
    }
    let kib = SERVICES * BYTES / 1024;
    let last = refused.last().map(|why| format!(", the last: {why}")).unwrap_or_default();
    Ok(Done::saying(format!(
        "{taken} reports of {kib} KiB taken in {seconds:.1} s, {} not{last}",
        refused.len()
    )))
}

fn largest() -> PollerStatusRequest {
    let service = |number: usize| ServiceStatus {
        service_name: format!("large-{number}"),
        service_type: "process".to_owned(),
        available: true,
        message: format!("{{\"filling\":\"{}\"}}", "x".repeat(BYTES)).into_bytes(),
        ..ServiceStatus::default()
    };
    PollerStatusRequest { services: (0..SERVICES).map(service).collect(), ..PollerStatusRequest::default() }
}
