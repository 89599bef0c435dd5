//! The servers' own records: the other half of every verdict.
//!
//! A refused client cannot tell why it was refused, and often not even *that* it was. The server can: the
//! platform's services write one audit record for each accept and refusal, the broker one log line. A
//! [`Book`] follows the logs of an environment's services from the moment it is opened, and finds a record
//! by the client's address or trace id, with a deadline. A record that does not come is reported as missing,
//! with what the service did say; it is never taken for a denial.

mod audit;
mod book;
mod broker;
mod excerpt;
mod source;

pub use audit::{Audit, Event};
pub use book::{Book, Line, Missing, Place};
pub use broker::{BrokerRecord, Complaint};
pub use excerpt::Excerpt;
pub use source::Source;
