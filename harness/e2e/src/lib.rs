//! The isolation scenarios: Cucumber steps over real probes.
//!
//! The scenarios stand in `features/`. A `When` makes attempts and judges each of them: the attempt's own
//! observation is joined with the server's record, between a control before and a control after. A `Then`
//! only compares what was judged with what the specification says.
//!
//! [`run()`] runs them against a running environment and says what passed, what failed, what could not be
//! covered and why, and what could not be judged.

mod controls;
mod engage;
mod features;
mod material;
mod model;
mod phrase;
mod platform;
mod programs;
mod proven;
mod report;
mod run;
mod scene;
mod silence;
mod stand_in;
mod steps;
mod words;

pub use phrase::{Judging, Phrase};
pub use platform::PlatformError;
pub use programs::Programs;
pub use proven::{Exception, Instead, Part, Proof, Seen, Tally};
pub use report::{Conclusion, Kept, NotCovered, Report, ScenarioReport};
pub use run::{Options, RunError, run};
pub use silence::Silence;
