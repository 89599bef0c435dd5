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
mod platform;
mod report;
mod run;
mod scene;
mod stand_in;
mod steps;
mod words;

pub use platform::PlatformError;
pub use report::{Conclusion, Kept, NotCovered, Report, ScenarioReport};
pub use run::{Options, RunError, run};
