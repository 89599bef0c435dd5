//! Orders to a probe that stands somewhere else, and what it saw there: one JSON document a line, each way.
//!
//! An order names what is to be attempted and with which credential; the credentials are sent once. The answers come in
//! the order in which the attempts end, each with its order's number. The end of the orders is the end of the probe.

mod order;
mod remote;
mod serve;

pub use order::{Answered, Letter, LoginOrder, Opening, Order, Reply, Seen, Shown, Step};
pub use remote::{Lost, Remote, RemoteSession};
pub use serve::serve;
