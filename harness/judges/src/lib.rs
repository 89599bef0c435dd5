//! Judges that nobody here wrote.
//!
//! Our own suite and our own services could share a mistake. So the verifier of certificates is compared with a suite of
//! the field ([`pkits`]), and a running environment is attacked by programs that are made with other people's libraries
//! ([`Judge`]): they print what they see, and what they see is compared with the access model here.

mod deed;
mod expected;
mod forged;
mod judge;
pub mod pkits;
mod python;
mod rows;
mod verdict;

pub use deed::{Deed, UnknownDeed};
pub use forged::{Forged, ForgedError};
pub use judge::{Judge, JudgeError};
pub use python::{Python, PythonError};
pub use rows::{Cell, Control, Document, Row, Sight};
pub use verdict::{Judged, Verdict};

/// Whether this run is a CI machine's (`CI=true`): then whatever is missing is a failure, and nothing is skipped.
#[must_use]
pub fn on_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}
