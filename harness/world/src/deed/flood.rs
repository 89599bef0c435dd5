//! A tenant that publishes on its own subjects as fast as it can.

use std::time::Instant;

use futures::future::join_all;

use super::broker::Member;
use super::{Done, Ground};
use crate::stage::{answered, is_answered};

/// Connections that publish at the same time.
const CONNECTIONS: usize = 4;
/// Of one message.
const BYTES: usize = 512;
/// How many go out before their arrival is asked for.
const BURST: usize = 256;

/// Floods a channel that the platform hears and keeps, and one that nobody hears.
pub(super) async fn flood(ground: &mut Ground<'_>) -> Result<Done, String> {
    let member = Member::of(ground)?;
    let channels = ["agents.results", "flood"].map(|channel| format!("{}.{channel}.flood", ground.tenant));
    let began = Instant::now();
    let floods = (0..CONNECTIONS).zip(channels.iter().cycle()).map(async |(_, subject)| {
        let mut session = answered(member.log_in().await)?;
        let (payload, mut sent) = ("x".repeat(BYTES), 0_usize);
        while !ground.over.is_cancelled() {
            let burst = session.burst(subject, &payload, BURST).await;
            // A broker that ends the connection of somebody who is too fast is well within its rights.
            if is_answered(&burst.sight) {
                sent += BURST;
            } else {
                session = answered(member.log_in().await)?;
            }
        }
        Ok::<_, String>(sent)
    });
    let sent: Result<Vec<usize>, String> = join_all(floods).await.into_iter().collect();
    let (sent, seconds) = (sent?.into_iter().sum::<usize>(), began.elapsed().as_secs_f64());
    Ok(Done::saying(format!(
        "{sent} messages of {BYTES} bytes on {CONNECTIONS} connections in {seconds:.1} s, half of them to the platform"
    )))
}
