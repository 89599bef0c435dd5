//! One attempt, one [`Observation`]: what a peer tried, and what it saw.
//!
//! A probe never interprets. Silence, a closed connection and a dead server look alike to a caller that
//! wants them to, so each has its own [`Sight`], and only an explicit word of the other side is
//! [`Sight::Refused`]. Whether a refusal was the *expected* one is decided by joining the observation with
//! the server's own record ([`records`]), by peer port or trace id.
//!
//! Every probe has a deadline and makes exactly one attempt: no reconnection, no retry.

pub mod clear;
pub mod credential;
pub mod forge;
pub mod grpc;
pub mod impostor;
pub mod nats;
pub mod network;
mod nonce;
mod observation;
pub mod records;
pub mod tls;

pub use credential::{CredentialError, Presented};
pub use nonce::{Nonce, TraceId};
pub use observation::{Observation, Refusal, Sight, Stopwatch};
