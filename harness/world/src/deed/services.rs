//! Services that end and come back.

use std::time::{Duration, Instant};

use bulkhead_plan::ServiceId;
use bulkhead_runtime::Failure;

use super::{Done, Ground};

/// Between two restarts: long enough for everybody to be well again, and to be struck in the middle of something.
const UP_FOR: Duration = Duration::from_millis(1500);

/// Stops NATS in order and starts it again, at least once.
pub(super) async fn restart_broker(ground: &mut Ground<'_>) -> Result<Done, String> {
    again_and_again(ground, &ServiceId::Nats, async |ground, id| ground.environment.stop_service(id).await)
        .await
}

/// Kills the tenant's agent without asking it, and starts it again, at least once.
pub(super) async fn kill_agent(ground: &mut Ground<'_>) -> Result<Done, String> {
    let agent = ground.stage.agent(&ground.tenant)?.id.clone();
    let id = ServiceId::Agent { tenant: ground.tenant.clone(), agent };
    again_and_again(ground, &id, async |ground, id| ground.environment.kill_service(id).await).await
}

async fn again_and_again(
    ground: &mut Ground<'_>,
    id: &ServiceId,
    end: impl AsyncFn(&Ground<'_>, &ServiceId) -> Result<(), Failure>,
) -> Result<Done, String> {
    let (mut times, mut longest) = (0_usize, Duration::ZERO);
    loop {
        let began = Instant::now();
        end(ground, id).await.map_err(|error| format!("{id} does not end: {error}"))?;
        let started = ground.environment.start_service(id).await;
        started.map_err(|error| format!("{id} does not come back: {error}"))?;
        times += 1;
        longest = longest.max(began.elapsed());
        if !ground.pause(UP_FOR).await {
            let longest = longest.as_secs_f64();
            return Ok(Done::saying(format!("{id} was away {times} times, for {longest:.2} s at most")));
        }
    }
}
