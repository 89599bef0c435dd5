//! What agent and poller share: mTLS listener and dialer, NATS link, configuration, logs, audit records, signals.
//!
//! The way of a service: [`config`] reads files, [`credential`] and [`trust`] turn paths into who the
//! service is and whom it believes, [`tls`] listens and dials with them, [`access`] judges each gRPC
//! call, [`nats`] carries messages, [`log`] and [`audit`] write one line each, [`signal`] ends it all.
//!
//! What the kit does not do: as it is shipped it has no switch that weakens any of this, and it never takes a tenant
//! from anywhere but a verified certificate. (`seeded`, where it is, is what tests of the suite are built with.)

pub mod access;
pub mod audit;
pub mod config;
pub mod credential;
pub mod log;
pub mod nats;
mod places;
#[cfg(feature = "seeded-faults")]
pub mod seeded;
pub mod signal;
pub mod tls;
pub mod trace;
pub mod trust;
