//! How the parts ended, what that says all together, and the exit code of the whole.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::exit::{ISOLATION_VIOLATED, NOT_JUDGED, NOT_STARTED, OK};

/// How one part ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Passed,
    Failed {
        /// What the part says about the platform: [`ISOLATION_VIOLATED`], [`NOT_STARTED`] or [`NOT_JUDGED`].
        code: u8,
        reason: String,
    },
    /// Not run, and why: shown in the summary, never silent.
    Skipped(String),
}

impl Ending {
    /// Of something that says nothing about the platform: tests that fail or do not compile, a command that cannot run.
    pub(super) fn unjudged(reason: impl Into<String>) -> Self {
        Self::Failed { code: NOT_JUDGED, reason: reason.into() }
    }

    /// Of a program whose exit codes are cargo's, not ours.
    pub(super) fn of_tests(status: std::io::Result<ExitStatus>) -> Self {
        match status {
            Ok(status) if status.success() => Self::Passed,
            Ok(status) => Self::unjudged(status.to_string()),
            Err(error) => Self::unjudged(format!("could not be started: {error}")),
        }
    }

    /// Of the line that brings Compose's platform up.
    pub(super) fn of_typed(status: std::io::Result<ExitStatus>) -> Self {
        match Self::of_tests(status) {
            Self::Failed { reason, .. } => Self::Failed { code: NOT_STARTED, reason },
            ending => ending,
        }
    }

    /// Of one of our own commands, whose exit code means what the command line promises.
    pub(super) fn of_command(status: std::io::Result<ExitStatus>) -> Self {
        let code = status.as_ref().ok().and_then(ExitStatus::code).and_then(|code| u8::try_from(code).ok());
        match (code, Self::of_tests(status)) {
            (Some(code @ (ISOLATION_VIOLATED | NOT_STARTED)), Self::Failed { reason, .. }) => {
                Self::Failed { code, reason }
            }
            (_, ending) => ending,
        }
    }
}

pub(super) struct Line {
    pub(super) name: String,
    pub(super) ending: Ending,
    pub(super) took: Duration,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seconds) = (&self.name, self.took.as_secs_f64());
        match &self.ending {
            Ending::Passed => write!(formatter, "  passed   {name:<44} {seconds:>7.1} s"),
            Ending::Skipped(reason) => write!(formatter, "  skipped  {name:<44} {reason}"),
            Ending::Failed { reason, .. } => {
                write!(formatter, "  FAILED   {name:<44} {seconds:>7.1} s  {reason}")
            }
        }
    }
}

/// The code of the part that says the most: a leak before an environment that did not start, and that before a part
/// that came to no verdict.
pub(super) fn exit_code(lines: &[Line]) -> u8 {
    let codes = || {
        lines.iter().filter_map(|line| match line.ending {
            Ending::Failed { code, .. } => Some(code),
            Ending::Passed | Ending::Skipped(_) => None,
        })
    };
    let decisive =
        [ISOLATION_VIOLATED, NOT_STARTED].into_iter().find(|decisive| codes().any(|code| code == *decisive));
    decisive.or_else(|| codes().next().map(|_| NOT_JUDGED)).unwrap_or(OK)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn ended_with(code: i32) -> std::io::Result<ExitStatus> {
        Ok(ExitStatus::from_raw(code << 8))
    }

    fn code_of(endings: impl IntoIterator<Item = Ending>) -> u8 {
        let line = |ending| Line { name: String::new(), ending, took: Duration::ZERO };
        exit_code(&endings.into_iter().map(line).collect::<Vec<_>>())
    }

    #[test]
    fn only_a_judged_leak_is_called_a_leak() {
        let skipped = || Ending::Skipped("no engine".to_owned());
        assert_eq!(code_of([Ending::Passed, skipped()]), 0);
        let of_command = |code| Ending::of_command(ended_with(code));
        assert_eq!(code_of([of_command(0), of_command(4), of_command(3)]), 4);
        assert_eq!(code_of([of_command(5), of_command(3), skipped()]), 3);
        assert_eq!(code_of([of_command(5), Ending::Passed]), 5);
        assert_eq!(code_of([of_command(2)]), 5);
        assert_eq!(code_of([of_command(130)]), 5);
        assert_eq!(code_of([Ending::of_command(Ok(ExitStatus::from_raw(9)))]), 5, "killed");
    }

    #[test]
    fn a_failing_unit_test_is_no_leak_whatever_its_program_ends_with() {
        for code in [101, 4, 3] {
            assert_eq!(code_of([Ending::of_tests(ended_with(code))]), 5);
        }
        let absent = || Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        assert_eq!(code_of([Ending::of_tests(absent()), Ending::of_command(absent())]), 5);
    }
}
