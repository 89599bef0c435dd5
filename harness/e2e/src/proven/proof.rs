//! What was shown to fail, what is excused, and what is neither.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bulkhead_plan::fault::Ground;
use serde::Serialize;

use super::exceptions::{Exception, Instead};
use super::tally::Seen;
use crate::report::Conclusion;

/// What the scenarios are worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Of the scenarios.
    pub scenarios: Part,
    /// Of the phrases that judge.
    pub phrases: Part,
    /// How many scenarios were red without any fault.
    pub false_alarms: usize,
    /// How many scenarios could not be judged without any fault.
    pub doubts: usize,
    /// How many faults the scenarios met.
    pub faults: usize,
    /// Whether these were all that there are here. Of a part of them nothing is demanded but that there is no false alarm.
    pub all_faults: bool,
}

/// Of scenarios, or of phrases: which failed when they had to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How many there are here.
    pub total: usize,
    /// How many were red under a fault.
    pub shown: usize,
    /// How many were not, for a reason that is listed.
    pub listed: usize,
    /// What was never red, and is not listed.
    pub survived: Vec<String>,
    /// What is listed, and was red: the exception must go.
    pub needless: Vec<String>,
    /// What is listed, and is not there.
    pub unknown: Vec<String>,
}

impl Part {
    /// Compares what was seen with the exceptions that hold on this ground.
    pub(super) fn of(
        seen: &BTreeMap<String, Seen>,
        not_covered: &BTreeSet<String>,
        exceptions: &[Exception],
        ground: Ground,
    ) -> Self {
        let mut part = Self { total: seen.len(), ..Self::default() };
        for (name, seen) in seen {
            let mut excused = exceptions.iter().filter(|exception| exception.excuses(name, ground));
            match (excused.next(), seen.red_under.is_empty()) {
                (None, false) => part.shown += 1,
                (Some(exception), false) => {
                    part.shown += 1;
                    let under = seen.red_under.first().map_or("", String::as_str);
                    part.needless
                        .push(format!("{name}: it was red under {under} (listed: {})", exception.why));
                }
                (None, true) => part.survived.push(name.clone()),
                (Some(exception), true)
                    if exception.instead == Instead::NotJudged && seen.not_judged_under.is_empty() =>
                {
                    part.survived.push(format!("{name}: not even once not judged"));
                }
                (Some(_), true) => part.listed += 1,
            }
        }
        let listed = exceptions.iter().flat_map(|exception| exception.names);
        let unknown = listed.filter(|name| !seen.contains_key(**name) && !not_covered.contains(**name));
        part.unknown = unknown.map(|name| (*name).to_owned()).collect();
        part
    }

    fn is_wrong(&self, all_faults: bool) -> bool {
        let survived = all_faults && !self.survived.is_empty();
        survived || !self.needless.is_empty() || !self.unknown.is_empty()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, shown, listed, .. } = self;
        write!(formatter, "{shown} of {total} shown to turn red; {listed} listed with a reason")
    }
}

impl Proof {
    /// The process's exit code: 0 when everything failed that had to, and nothing else did; 4 when the scenarios cannot be
    /// trusted, or a list of exceptions is wrong; 5 when an environment could not be judged, or no fault was seeded.
    #[must_use]
    pub fn exit_code(&self, not_judged: usize) -> u8 {
        let wrong = [&self.scenarios, &self.phrases].into_iter().any(|part| part.is_wrong(self.all_faults));
        let worst = if wrong || self.false_alarms > 0 {
            Conclusion::Violated
        } else if not_judged > 0 || self.doubts > 0 || self.faults == 0 {
            Conclusion::Inconclusive
        } else {
            Conclusion::Passed
        };
        Conclusion::exit_code(Some(worst))
    }
}
