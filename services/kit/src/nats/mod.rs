//! The link to NATS: mutual TLS with our verifier, a fixed short retry, and a state that can be watched.
//!
//! [`Link`] is the connection, [`Outbox`] the bounded buffer in front of it.

mod link;
mod outbox;

pub use link::{Link, LinkError};
pub use outbox::{BUFFER_MAXIMUM_BYTES, MAXIMUM_MESSAGE_BYTES, Outbox, OutboxStatus};
