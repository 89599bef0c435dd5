//! What came of the cases beside what the suite says of them.

use std::collections::BTreeMap;
use std::fmt;

use crate::expectation::Expectation;
use crate::judge::Ending;

/// Cases by the rule that they were refused for.
type ByRule = BTreeMap<String, Vec<String>>;

/// All cases, sorted into four.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Accepted, as they should be.
    pub(crate) accepted: Vec<String>,
    /// Refused, as they should be.
    pub(crate) refused: ByRule,
    /// Refused although the suite accepts them.
    pub(crate) stricter: ByRule,
    /// Accepted although the suite refuses them: each needs an exception.
    pub(crate) laxer: Vec<String>,
}

impl Comparison {
    pub(crate) fn note(&mut self, case: &str, expected: Expectation, ending: Ending) {
        let case = case.to_owned();
        match (expected, ending) {
            (Expectation::Valid, Ending::SoundPath) => self.accepted.push(case),
            (Expectation::Invalid, Ending::SoundPath) => self.laxer.push(case),
            (Expectation::Valid, Ending::Refused(why)) => self.stricter.entry(why).or_default().push(case),
            (Expectation::Invalid, Ending::Refused(why)) => self.refused.entry(why).or_default().push(case),
        }
    }

    /// What is accepted and must not be, and exceptions that nothing needs any more.
    pub(crate) fn problems(&self, exceptions: &[(&str, &str)]) -> Vec<String> {
        let is_listed = |case: &&String| exceptions.iter().any(|(listed, _)| listed == case);
        let unlisted = self.laxer.iter().filter(|case| !is_listed(case));
        let unlisted = unlisted.map(|case| format!("{case}: accepted, and the suite refuses it"));
        let needed = |listed: &str| self.laxer.iter().any(|case| case == listed);
        let stale = exceptions.iter().filter(|(listed, _)| !needed(listed));
        let stale = stale.map(|(case, _)| format!("{case}: an exception that is not needed any more"));
        unlisted.chain(stale).collect()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |by_rule: &ByRule| by_rule.values().map(Vec::len).sum::<usize>();
        let (accepted, refused) = (self.accepted.len(), count(&self.refused));
        let (stricter, laxer) = (count(&self.stricter), self.laxer.len());
        let (cases, agreed) = (accepted + refused + stricter + laxer, accepted + refused);
        writeln!(
            formatter,
            "{cases} cases: {agreed} agreed ({accepted} accepted, {refused} refused), {stricter} stricter, {laxer} exceptions"
        )?;
        for (what, by_rule) in [("refused", &self.refused), ("stricter", &self.stricter)] {
            for (rule, cases) in by_rule {
                writeln!(formatter, "  {what} by {rule}: {}", cases.join(" "))?;
            }
        }
        Ok(())
    }
}
