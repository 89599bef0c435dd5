//! What no fault of the catalogue turns red, and why not.

use bulkhead_plan::fault::Ground;

/// Scenarios or phrases that need not be red under any fault.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// Which.
    pub names: &'static [&'static str],
    /// What must be seen of them instead.
    pub instead: Instead,
    /// Where; everywhere if it is not said.
    pub ground: Option<Ground>,
    /// Why no fault turns them red.
    pub why: &'static str,
}

/// What is seen of something that is never red.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Under some fault it could not be judged: it noticed that something was missing, which accuses nobody.
    NotJudged,
    /// Nothing.
    Nothing,
}

impl Exception {
    /// Whether it excuses something on this ground.
    pub(super) fn excuses(&self, name: &str, ground: Ground) -> bool {
        self.ground.is_none_or(|only| only == ground) && self.names.contains(&name)
    }
}

/// Scenarios.
pub(super) const SCENARIOS: &[Exception] = &[];

/// Phrases.
pub(super) const PHRASES: &[Exception] = &[];
