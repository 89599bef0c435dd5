//! What the owner of a platform expects where, in place of what the access model does.

use super::error::DescriptionError;
use super::written::{Expected, Override};
use crate::access::{DenialReason, Expectation};
use crate::spec::Position;
use crate::yaml::{self, Spanned};

/// What was stated of some cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// This outcome.
    Expect(Expectation),
    /// They are not attempted, and why.
    NotCovered(String),
}

/// What was stated, in the order in which it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations(Vec<Statement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    pattern: String,
    at: Position,
    stated: Stated,
}

impl Expectations {
    pub(super) fn of(written: Vec<Spanned<Override>>) -> Result<Self, DescriptionError> {
        let statement = |spanned: Spanned<Override>| {
            let at = yaml::position_of(&spanned);
            let pattern = spanned.value.cells.clone();
            let stated = stated(spanned.value).map_err(|what| DescriptionError::Expectation { at, what })?;
            Ok(Statement { pattern, at, stated })
        };
        written.into_iter().map(statement).collect::<Result<_, _>>().map(Self)
    }

    /// What was stated of the cell of this name last, with its number, for [`Self::unused`].
    pub fn about(&self, cell: &str) -> Option<&Stated> {
        self.0.iter().rev().find(|statement| matches(&statement.pattern, cell)).map(|last| &last.stated)
    }

    /// Each, in words: which cells, and what is expected of them.
    pub fn in_words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|statement| match &statement.stated {
            Stated::Expect(Expectation::Denied(reasons)) if reasons.len() == DenialReason::ALL.len() => {
                format!("{}: denied, for whatever reason", statement.pattern)
            }
            Stated::Expect(expected) => format!("{}: {expected}", statement.pattern),
            Stated::NotCovered(why) => format!("{}: not covered, {why}", statement.pattern),
        })
    }

    /// The first statement that is about none of these cells: its author meant some, and they are judged by the model.
    ///
    /// # Errors
    /// There is one.
    pub fn all_used(&self, cells: &[String]) -> Result<(), DescriptionError> {
        let used = |statement: &&Statement| cells.iter().any(|cell| matches(&statement.pattern, cell));
        match self.0.iter().find(|statement| !used(statement)) {
            None => Ok(()),
            Some(Statement { pattern, at, .. }) => Err(DescriptionError::Expectation {
                at: *at,
                what: format!(
                    "no cell is called {pattern:?}: write `operation | who | from | to whom` with `*` for anything; \
                     `matrix --against FILE --predict` lists the cells"
                ),
            }),
        }
    }
}

fn stated(written: Override) -> Result<Stated, String> {
    let Override { cells, expect, reasons, because } = written;
    if !reasons.is_empty() && expect != Expected::Denied {
        return Err(format!("{cells:?} has reasons and is not expected to be denied: leave them out"));
    }
    Ok(match (expect, because) {
        (Expected::Allowed, _) => Stated::Expect(Expectation::Allowed),
        (Expected::Unreachable, _) => Stated::Expect(Expectation::Unreachable),
        (Expected::Denied, _) if reasons.is_empty() => {
            Stated::Expect(Expectation::Denied(DenialReason::ALL.to_vec()))
        }
        (Expected::Denied, _) => Stated::Expect(Expectation::Denied(reasons)),
        (Expected::NotCovered, Some(why)) if !why.trim().is_empty() => Stated::NotCovered(why),
        (Expected::NotCovered, _) => {
            return Err(format!("{cells:?} is not covered without a reason: say why in `because`"));
        }
    })
}

/// Whether a text is what a pattern with `*` for anything says.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    let mut rest = rest;
    for part in parts {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let cell = "js.purge | agent-001.p1.globex.serviceradar | this machine | acme";
        for pattern in ["*", "js.* | *globex* | * | acme", "js.purge | * | * | *", cell, "*acme"] {
            assert!(matches(pattern, cell), "{pattern}");
        }
        for pattern in ["", "js.purge", "js.* | *initech* | * | acme", "*| globex", "js.purge*purge*acme"] {
            assert!(!matches(pattern, cell), "{pattern}");
        }
        assert!(!matches("ab*b", "ab"), "a star does not give a letter twice");
    }
}
