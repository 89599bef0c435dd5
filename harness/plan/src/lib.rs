//! What an environment is, computed without I/O, clock or engine: topology, PKI, rendered files, expected access.
//!
//! `EnvironmentSpec` → [`Topology`] → PKI and rendered files → expectations. Time and randomness are parameters;
//! writing, starting and probing are the runtime's. Nothing in here may use tokio, Docker or the file system.

pub mod access;
pub mod environment;
pub mod fault;
pub mod file;
pub mod foreign;
pub mod guide;
pub mod matrix;
pub mod pki;
pub mod placement;
pub mod render;
pub mod spec;
pub mod topology;
mod yaml;

pub use environment::EnvironmentRecord;
pub use file::{FileContents, PlannedFile};
pub use pki::Pki;
pub use placement::Placement;
pub use spec::EnvironmentSpec;
pub use topology::{Role, Service, ServiceId, Topology};
