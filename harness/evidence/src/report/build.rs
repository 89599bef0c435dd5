//! A report, from the compared table and from what only its caller knows.

use std::time::Duration;

use bulkhead_plan::matrix::Table;
use time::OffsetDateTime;

use super::{
    CellReport, Component, NotCovered, PartFacts, PlatformFacts, Proof, Report, RunFacts, SCHEMA_VERSION,
    Scenarios, Tool, counts, picture, standards,
};
use crate::report::verdict::Verdict;

/// What a report says beside the table.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was judged.
    pub platform: PlatformFacts,
    /// When the attempts began.
    pub started_at: OffsetDateTime,
    /// How long they took.
    pub took: Duration,
    /// How many steps they were made of, controls and all.
    pub steps: u64,
    /// What made them.
    pub tool: Tool,
    /// What was running.
    pub components: Vec<Component>,
    /// The part of the table that was asked for, in the words that it was asked for with.
    pub filter: Option<String>,
    /// What the seeded faults came to, when any were tried.
    pub proof: Option<Proof>,
    /// What the scenarios came to.
    pub scenarios: Option<Scenarios>,
    /// What of this machine nobody else needs to know.
    pub hidden: Hidden,
}

/// Paths of the machine that a run was made on, and what is said in place of each: evidence names files, and where
/// somebody has a checkout is nobody else's business.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    paths: Vec<(String, &'static str)>,
}

impl Hidden {
    /// Nothing is hidden.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Says `word` wherever `path` stands. Longer paths go first, whatever the order of these calls.
    #[must_use]
    pub fn with(mut self, path: &std::path::Path, word: &'static str) -> Self {
        let path = path.to_string_lossy().trim_end_matches('/').to_owned();
        if !path.is_empty() {
            self.paths.push((path, word));
            self.paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        }
        self
    }

    /// The text without the paths. A path is hidden where it begins and ends as one: `/root` is not in `certs/root.pem`.
    pub fn hide(&self, text: &str) -> String {
        self.paths.iter().fold(text.to_owned(), |text, (path, word)| replace(&text, path, word))
    }
}

fn replace(text: &str, path: &str, word: &str) -> String {
    let goes_on = |one: char| one.is_alphanumeric() || matches!(one, '.' | '-' | '_');
    let (mut hidden, mut copied) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(path) {
        let (before, after) = (&text[..at], &text[at + path.len()..]);
        let begins = !before.ends_with(|one: char| goes_on(one) || one == '/');
        if begins && !after.starts_with(goes_on) {
            hidden.push_str(&text[copied..at]);
            hidden.push_str(word);
            copied = at + path.len();
        }
    }
    hidden.push_str(&text[copied..]);
    hidden
}

impl Report {
    /// Of a table.
    pub fn of(table: &Table, facts: Facts) -> Self {
        let Facts { platform, started_at, took, steps, tool, components, filter, proof, scenarios, hidden } =
            facts;
        let cells: Vec<CellReport> =
            table.entries().iter().map(|entry| CellReport::of(entry, &hidden)).collect();
        let not_covered = table.unasked().iter();
        let not_covered = not_covered
            .map(|unasked| NotCovered { reason: unasked.reason.clone().into_owned(), cells: unasked.cells });
        let part = table.part().map(|part| PartFacts { filter, cells: part.cells, of: part.of });
        let mut report = Self {
            schema_version: SCHEMA_VERSION,
            verdict: Verdict::nothing(),
            run: RunFacts {
                started_at,
                took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                steps,
                tool,
                components,
                part,
            },
            platform,
            counts: counts(&cells),
            flaws: table.flaws().to_vec(),
            not_covered: not_covered.collect(),
            proof,
            scenarios,
            picture: picture(&cells),
            standards: Vec::new(),
            cells,
        };
        report.standards = standards(&report);
        report.verdict = Verdict::of(&report);
        report
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Hidden;

    #[test]
    fn paths_are_hidden_where_they_are_paths() {
        let hidden = Hidden::nothing().with(Path::new("/root"), "[home]").with(Path::new("/root/a/"), "[a]");
        let cases = [
            ("/root/a/b.pem", "[a]/b.pem"),
            ("found in '/root/a', and /root.", "found in '[a]', and /root."),
            ("--config=/root/ab", "--config=[home]/ab"),
            ("certs/root.pem /srv/root/a", "certs/root.pem /srv/root/a"),
            ("/root", "[home]"),
        ];
        for (text, expected) in cases {
            assert_eq!(hidden.hide(text), expected);
        }
    }
}
