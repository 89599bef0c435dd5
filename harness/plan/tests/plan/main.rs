//! The plan, tested from outside: what is rendered, what is issued, what is expected, what is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod bad_input;
mod certificates;
mod documentation;
mod faults;
mod foreign;
mod golden;
mod matrix;
mod nats_server;
mod properties;
mod renewal;
mod shaken;
mod support;
