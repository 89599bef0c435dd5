//! One attempt, one [`Observation`]: what a peer tried, and what it saw.
//!
//! A probe never interprets. Silence, a closed connection and a dead server look alike to a caller that
//! wants them to, so each has its own [`Sight`], and only an explicit word of the other side is
//! [`Sight::Refused`]. Whether a refusal was the *expected* one is decided by joining the observation with
//! the server's own record, by peer port or trace id: that is somebody else's work.
//!
//! Every probe has a deadline and makes exactly one attempt: no reconnection, no retry.
//!
//! An attempt is made from a place. So the probes are a program as well, which stands in a tenant's network, takes
//! orders on its standard input and says what it saw on its standard output ([`post`]): one and the same code, whether it
//! is called as a library or from afar. Keys come the same way and are kept in memory only.

mod bytes;
pub mod clear;
pub mod credential;
pub mod grpc;
pub mod impostor;
pub mod nats;
pub mod network;
mod nonce;
mod observation;
pub mod post;
pub mod silent;
pub mod tls;

pub use credential::{CredentialError, Presented};
pub use nonce::{Nonce, TraceId};
pub use observation::{Observation, Refusal, Sight, Stopwatch};

/// How long an attempt may take, unless somebody says something else.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(3);
