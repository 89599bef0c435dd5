//! The tenant's agent: runs checks, answers the platform's poller over mTLS, publishes on its tenant's subjects.
//!
//! [`config`] says who it is and what it checks, [`checks`] are the checks themselves, [`schedule`] runs
//! them, [`results`] keeps what they found, [`service`] answers over gRPC, [`messages`] is what goes over
//! NATS, [`jobs`] takes single checks from there, [`report`] pushes to the poller, [`agent`] holds it together,
//! [`program`] is its command line.
//!
//! What an agent does not do: it believes nothing about a tenant but its own certificate, and it keeps
//! nothing on disk.

pub mod agent;
pub mod checks;
pub mod config;
pub mod jobs;
pub mod messages;
pub mod program;
pub mod report;
pub mod results;
pub mod schedule;
pub mod service;
