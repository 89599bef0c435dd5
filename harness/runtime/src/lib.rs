//! Brings a planned environment up and down: images, containers, processes, readiness, events.
//!
//! [`Starter`] says what it will do and does it; [`Environment`] is what came of it and owns the teardown;
//! [`teardown`] takes down what other commands started. What happens meanwhile is [`event::Event`]s, which
//! [`console`] renders. [`probe`] attacks what runs, one attempt at a time.

mod adopt;
pub mod backend;
pub mod beside;
pub mod build;
mod cache;
pub mod console;
pub mod cut;
pub mod digest;
pub mod elf;
pub mod engine;
pub mod environment;
pub mod error;
pub mod event;
pub mod handover;
pub mod images;
pub mod logs;
pub mod nats_binary;
pub mod owner;
pub mod probe;
pub mod readiness;
pub mod spawn;
pub mod starter;
pub mod teardown;
pub mod vantage;
pub mod wheel;
pub mod workdir;

pub use environment::Environment;
pub use error::{Failure, StartError, exit_code};
pub use event::{Event, Events};
pub use starter::{BackendChoice, Lifetime, ProgramSource, StartOptions, Starter};
