//! The plan, tested from outside: what is rendered, what is issued, what is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod certificates;
mod golden;
mod nats_server;
mod renewal;
#[allow(dead_code)]
mod support;
