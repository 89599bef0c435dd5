//! Whether the scenarios are worth their green: each of them, and each phrase that judges, was seen to fail.
//!
//! [`Tally`] collects how scenarios ended in environments that have a mistake in them. What never failed *survived*: its
//! green proves nothing, unless it is listed among the exceptions with a reason. The lists cannot rot: an exception that
//! is no longer needed, or that names what there is not, is as wrong as a survivor.

mod exceptions;
mod proof;
mod tally;

pub use exceptions::{Exception, Instead};
pub use proof::{Part, Proof};
pub use tally::{Seen, Tally};

#[cfg(test)]
mod tests;
