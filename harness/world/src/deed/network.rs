//! A network that is cut.

use std::time::Duration;

use bulkhead_plan::ServiceId;
use bulkhead_runtime::cut::Cut;

use super::{Done, Ground};

/// How long it is cut: longer than one attempt of anybody's lasts.
const CUT_FOR: Duration = Duration::from_secs(4);
const WHOLE_FOR: Duration = Duration::from_secs(1);

/// Takes NATS off the tenant's network and puts it back, at least once.
pub(super) async fn cut(ground: &mut Ground<'_>) -> Result<Done, String> {
    let mut times = 0_usize;
    loop {
        let cut = Cut::between(ground.environment.record(), &ServiceId::Nats, &ground.tenant).await;
        let cut = cut.map_err(|error| error.to_string())?;
        // Cut to the end, also when it is over: half a second would show nothing.
        tokio::time::sleep(CUT_FOR).await;
        cut.mend().await.map_err(|error| error.to_string())?;
        times += 1;
        if !ground.pause(WHOLE_FOR).await {
            let seconds = CUT_FOR.as_secs();
            return Ok(Done::saying(format!(
                "NATS was off {}'s network {times} times, for {seconds} s each",
                ground.tenant
            )));
        }
    }
}
