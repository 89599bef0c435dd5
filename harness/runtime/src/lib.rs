//! Brings a planned environment up and down: images, containers, processes, readiness, events.

pub mod build;
mod cache;
pub mod digest;
pub mod elf;
pub mod engine;
pub mod event;
pub mod images;
pub mod nats_binary;
pub mod owner;
pub mod probe;
pub mod workdir;
