//! The gRPC contract, wire-compatible with ServiceRadar's `monitoring` package.
//!
//! The code under `src/generated` is committed, so that a build needs no `protoc` and no code generator;
//! `tests/generated.rs` makes it again from `proto/monitoring.proto` and compares.
//! `tests/golden.rs` holds every field number against bytes written by hand.

/// The messages, clients and servers of package `monitoring`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
#[rustfmt::skip]
mod generated {
    include!("generated/monitoring.rs");
}

pub use generated::*;

/// Fully qualified name of the agent's service, as the gRPC health service knows it.
pub const AGENT_SERVICE: &str = agent_service_server::SERVICE_NAME;
/// Fully qualified name of the poller's service, as the gRPC health service knows it.
pub const POLLER_SERVICE: &str = poller_service_server::SERVICE_NAME;
/// The standard health service, which both serve as well (grpc/health/v1/health.proto).
pub const HEALTH_SERVICE: &str = "grpc.health.v1.Health";
