//! Tasks that are to go on until the end, and are started again when they panic.
//!
//! A panic is a mistake of ours, and may be one that an agent has found: it must cost no more than that agent's own
//! round, and nobody's polling may end in silence.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Runs what `make` makes until it ends by itself; begins anew after `pause` when it panics.
pub async fn supervised<F>(what: String, pause: Duration, shutdown: CancellationToken, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(make()).await {
        tracing::error!(task = what, %error, "a task of the poller failed and is started again");
        if shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_task_that_panics_is_told_and_started_again() {
        let lines = bulkhead_test_support::Lines::capture("poller.serviceradar", "platform");
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = starts.clone();
        let make = move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(start > 1, "a mistake") }
        };
        supervised("polling".into(), Duration::ZERO, CancellationToken::new(), make).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        let told: Vec<_> = lines.all().into_iter().filter(|line| line["level"] == "ERROR").collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0]["task"], "polling");
    }

    #[tokio::test]
    async fn the_end_is_not_waited_for() {
        let shutdown = CancellationToken::new();
        let ending = shutdown.clone();
        let make = move || {
            ending.cancel();
            async { panic!("a mistake") }
        };
        supervised("polling".into(), Duration::from_secs(3600), shutdown, make).await;
    }
}
