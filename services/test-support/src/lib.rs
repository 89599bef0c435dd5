//! For tests of services: certificates made at run time, the very log lines, a real NATS server.
//!
//! Only dev-dependencies name it. What it does not do: it knows nothing of the harness and of how it lays out an
//! environment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod forge;
mod lines;
mod nats_server;

use std::time::{Duration, Instant};

pub use forge::Forge;
pub use lines::Lines;
pub use nats_server::{NatsServer, server_binary};

/// Asks `look` until it finds what it looks for, for at most ten seconds; then fails with the last state
/// that was seen.
///
/// # Panics
/// When it is not found in time.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match look().await {
            Ok(found) => return found,
            Err(state) => assert!(Instant::now() < deadline, "{what}: not within 10 s, last seen: {state}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
