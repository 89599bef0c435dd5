//! The mistakes of agent and poller are really made: by the programs themselves, as their configuration says, and by a
//! poller in this process, over a real NATS server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

#[path = "../../../agent/tests/common/mod.rs"]
mod agent_common;
#[path = "../../../poller/tests/common/mod.rs"]
mod poller_common;

mod agent;
mod poller;
mod programs;
