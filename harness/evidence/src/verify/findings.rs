//! What a verification found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Signer;
use crate::report::Verdict;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// What holds.
    pub passed: Vec<String>,
    /// What does not: the evidence was changed, is not whole, or contradicts itself.
    pub problems: Vec<String>,
    /// What could not be compared, and why.
    pub notes: Vec<String>,
    /// Who is known to have signed; nobody when the signature does not hold.
    pub signer: Option<Signer>,
    /// What the report comes to, computed again; nothing when it cannot be read.
    pub verdict: Option<Verdict>,
    /// The hashes of what was inside.
    #[serde(skip)]
    pub(super) hashes: BTreeMap<String, String>,
}

impl Verification {
    /// Whether everything holds that can be checked.
    pub fn holds(&self) -> bool {
        self.problems.is_empty() && self.signer.is_some()
    }

    pub(super) fn passed(&mut self, what: impl Into<String>) {
        self.passed.push(what.into());
    }

    pub(super) fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }
}
