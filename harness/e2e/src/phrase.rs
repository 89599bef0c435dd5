//! The phrases of the steps' definitions, which are what a failure is traced to.

use std::fmt;

use cucumber::codegen::{StepConstructor as _, WorldInventory, inventory};
use cucumber::step::Location;
use serde::Serialize;

use crate::scene::Scene;

/// A phrase with its blanks, as `{peer} is out of reach`. No two definitions of one kind have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Phrase(String);

impl fmt::Display for Phrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for Phrase {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The sources of the definitions. cucumber keeps where a definition stands, and its phrase as a regular expression alone.
const SOURCES: [(&str, &str); 12] = [
    ("agents.rs", include_str!("steps/agents.rs")),
    ("certificates.rs", include_str!("steps/certificates.rs")),
    ("listening.rs", include_str!("steps/listening.rs")),
    ("manners.rs", include_str!("steps/manners.rs")),
    ("matrix.rs", include_str!("steps/matrix.rs")),
    ("messages.rs", include_str!("steps/messages.rs")),
    ("network.rs", include_str!("steps/network.rs")),
    ("outcomes.rs", include_str!("steps/outcomes.rs")),
    ("questions.rs", include_str!("steps/questions.rs")),
    ("receipts.rs", include_str!("steps/receipts.rs")),
    ("stored.rs", include_str!("steps/stored.rs")),
    ("streams.rs", include_str!("steps/streams.rs")),
];

/// The phrase of the definition that stands there.
pub(crate) fn phrase_at(location: &Location) -> Option<Phrase> {
    let file = location.path.rsplit(['/', '\\']).next()?;
    let (_, source) = SOURCES.iter().find(|(name, _)| *name == file)?;
    let line = source.lines().nth(usize::try_from(location.line).ok()?.checked_sub(1)?)?;
    let (_, after) = line.split_once('"')?;
    Some(Phrase(after.split_once('"')?.0.to_owned()))
}

/// The phrases of all steps that judge.
#[derive(Debug, Clone, Default)]
pub struct Judging {
    /// Of every `Then`: what a scenario is about.
    pub thens: Vec<Phrase>,
    /// Of each `When` that accuses by itself: what a scenario begins with is anybody's right.
    pub whens: Vec<Phrase>,
}

impl Judging {
    /// Of all steps that are defined.
    #[must_use]
    pub fn all() -> Self {
        let thens = inventory::iter::<<Scene as WorldInventory>::Then>;
        Self {
            thens: thens.into_iter().filter_map(|step| phrase_at(&step.inner().0)).collect(),
            whens: JUDGING_WHENS.map(Phrase::from).to_vec(),
        }
    }
}

/// These make an attempt that is always to succeed, and say so themselves.
const JUDGING_WHENS: [&str; 1] = ["{peer} publishes a result"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn located() -> Vec<Location> {
        let thens = inventory::iter::<<Scene as WorldInventory>::Then>;
        let whens = inventory::iter::<<Scene as WorldInventory>::When>;
        let givens = inventory::iter::<<Scene as WorldInventory>::Given>;
        let mut all: Vec<Location> = thens.into_iter().map(|step| step.inner().0).collect();
        all.extend(whens.into_iter().map(|step| step.inner().0));
        all.extend(givens.into_iter().map(|step| step.inner().0));
        all
    }

    #[test]
    fn every_definition_has_a_phrase_of_its_own() {
        let all = located();
        assert!(all.len() > 60, "{}", all.len());
        let phrases: BTreeSet<Phrase> = all
            .iter()
            .map(|at| phrase_at(at).unwrap_or_else(|| panic!("{}:{} has no phrase", at.path, at.line)))
            .collect();
        assert_eq!(phrases.len(), all.len(), "{phrases:#?}");
    }

    #[test]
    fn a_when_that_judges_is_one_that_there_is() {
        let whens = inventory::iter::<<Scene as WorldInventory>::When>;
        let whens: Vec<Phrase> = whens.into_iter().filter_map(|step| phrase_at(&step.inner().0)).collect();
        for judging in JUDGING_WHENS {
            assert!(whens.contains(&Phrase::from(judging)), "{judging}");
        }
    }
}
