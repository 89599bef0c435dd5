//! What may reach what: the four outcomes of an attempt, and the expectations that the isolation model gives.

mod outcome;

pub use outcome::{DenialReason, Outcome};
