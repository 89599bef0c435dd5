//! What a run of the suite says about an environment without any fault.

use crate::access::Conclusion;
use crate::matrix::Table;

/// The suite's word on an environment without any fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The cells in which it accuses a platform that has done nothing: violated, or broken.
    pub alarms: Vec<String>,
    /// What it could not judge, cells or the table itself: nobody is accused by that, and nothing is proven.
    pub doubts: Vec<String>,
    /// How many cells were as predicted.
    pub as_predicted: usize,
}

impl Control {
    /// Of what a run found.
    pub fn of(table: &Table) -> Self {
        let (doubtful, accused): (Vec<_>, Vec<_>) =
            table.red().partition(|entry| entry.conclusion == Conclusion::Inconclusive);
        let as_predicted = table.count(None, Conclusion::Passed);
        let mut doubts: Vec<String> = doubtful.into_iter().map(ToString::to_string).collect();
        doubts.extend(table.flaws().iter().cloned());
        if as_predicted == 0 {
            doubts.push("no cell was as predicted".to_owned());
        }
        Self { alarms: accused.into_iter().map(ToString::to_string).collect(), doubts, as_predicted }
    }

    /// Whether a fault that turns cells red afterwards proves anything.
    pub fn is_well(&self) -> bool {
        self.alarms.is_empty() && self.doubts.is_empty()
    }
}
