//! Exit codes: a documented constant for each kind of ending, so that a CI job can tell
//! "isolation is violated" from "the environment did not start".

use std::process::ExitCode;

pub(crate) use bulkhead_runtime::exit_code::{
    ISOLATION_VIOLATED, NOT_JUDGED, NOT_STARTED, USAGE, WELL as OK,
};

/// `certs explain` alone: the certificate would be refused.
pub(crate) const REFUSED: u8 = 1;

/// An error that knows which exit code it ends the program with.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One of the constants of this module.
    pub(crate) code: u8,
    /// What was attempted, why it failed, what is left behind, what to do next.
    pub(crate) error: anyhow::Error,
}

/// What every command returns.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Gives an error its exit code.
pub(crate) trait OrExit<T> {
    /// The request itself is wrong.
    fn or_usage(self) -> Result<T, Failure>;
    /// The environment could not be brought or kept up.
    fn or_not_started(self) -> Result<T, Failure>;
    /// The suite could not come to a verdict.
    fn or_not_judged(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure { code: USAGE, error: error.into() })
    }

    fn or_not_started(self) -> Result<T, Failure> {
        self.map_err(|error| Failure { code: NOT_STARTED, error: error.into() })
    }

    fn or_not_judged(self) -> Result<T, Failure> {
        self.map_err(|error| Failure { code: NOT_JUDGED, error: error.into() })
    }
}
