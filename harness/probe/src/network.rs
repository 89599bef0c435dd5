//! Whether a TCP port can be reached at all.
//!
//! A wall between two Docker networks *drops*: it shows as a timeout, exactly as a dead host does. So the
//! result of one such probe proves nothing; a wall is judged as a pair, with the same port answering from
//! its own network in the same moment.

use std::time::Duration;

use super::tls::connect;
use super::{Observation, Stopwatch};

/// Connects and closes again.
pub async fn reach(address: &str, deadline: Duration) -> Observation<()> {
    let watch = Stopwatch::start(format!("TCP connect to {address}"));
    match connect(address, deadline).await {
        Ok(tcp) => {
            let local = tcp.local_addr().ok();
            watch.stop(super::Sight::Answered(()), local)
        }
        Err(sight) => watch.stop(sight, None),
    }
}
