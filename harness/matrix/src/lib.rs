//! Fills the access matrix of a running environment.
//!
//! The cells come from [`bulkhead_plan::matrix`], with what the oracle expects of each; here they are attempted, each from
//! where it says. Attempts at one door make a lane: the door's rightful peer is served before and after them, and each is
//! joined with the server's own record. Attempts on the broker make a talk: whoever tries shows before and after that it
//! can talk to itself, and whoever is attacked that it hears. Nothing here knows what is expected, so that nothing here
//! can be lenient.

mod counterexample;
mod disk;
mod doors;
mod impersonation;
mod network;
mod run;
mod site;
mod talk;

pub use counterexample::write_counterexample;
pub use run::{MatrixError, Options, Progress, Run, StandInProgram, StandIns, fresh_run, run};
