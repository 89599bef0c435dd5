//! Disturbs the world around the tenants, and shows what that does to those who have no part in it.
//!
//! A [`Disturbance`] is data: what is done, for how long, whom it may hit, and the bounds that hold all the same. While it
//! lasts, every tenant has canaries on their way: numbered messages to itself and to the platform, calls in both
//! directions, and messages that a stream must acknowledge. The access matrix is filled meanwhile, and again afterwards until
//! it is as predicted. What was seen is a [`trace::Trace`], and what that means is computed from it alone ([`verdict`]).

mod canary;
mod catalogue;
mod deed;
mod disturbance;
mod run;
mod stage;
pub mod trace;
pub mod verdict;

pub use catalogue::{catalogue, find};
pub use disturbance::{Bounds, Deed, Disturbance, Reach};
pub use run::{Options, WorldError, run};
