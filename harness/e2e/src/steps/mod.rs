//! The features' sentences, by noun. A `When` makes attempts and files what they came to; a `Then` compares.

mod agents;
mod attack;
mod certificates;
#[cfg(test)]
mod dictionary;
mod listening;
mod manners;
mod matrix;
mod messages;
mod network;
mod outcomes;
mod questions;
mod receipts;
mod storage;
mod stored;
mod streams;
mod sweep;

pub(crate) use storage::{Reading, clean_up};
pub(crate) use sweep::sweep;
