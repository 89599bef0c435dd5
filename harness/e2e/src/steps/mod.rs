//! The features' sentences, by noun. A `When` makes attempts and files what they came to; a `Then` compares.

mod agents;
mod certificates;
mod listening;
mod messages;
mod network;
mod outcomes;
mod questions;
mod storage;
mod streams;

pub(crate) use storage::clean_up;
