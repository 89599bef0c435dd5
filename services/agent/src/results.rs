//! What the checks found: the last result of each, and a bounded history with sequence numbers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bulkhead_identity::TenantName;
use serde::Serialize;
use time::OffsetDateTime;

use crate::checks::{Check, Kind, Outcome};

/// How many results are kept over all checks.
pub const HISTORY_MAXIMUM: usize = 1000;

/// One result of one check, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The check's name.
    pub name: String,
    /// The check's kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it found what it looked for.
    pub available: bool,
    /// What it saw.
    pub message: String,
    /// How long it took, in nanoseconds.
    pub response_time_ns: u64,
    /// The agent, `component.partition`.
    pub agent_id: String,
    /// The agent's tenant.
    pub tenant: String,
    /// When it was seen: milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Its place among the agent's results; absent in the answer to a job, which is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// What a job sent along, to know its answer again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl CheckResult {
    /// What `agent` saw with `check`.
    #[must_use]
    pub fn new(agent: &TenantName, check: &Check, outcome: Outcome) -> Self {
        Self::of(agent, &check.name, &check.kind.to_string(), outcome)
    }

    /// The same for something that could not be made a check.
    #[must_use]
    pub fn of(agent: &TenantName, name: &str, kind: &str, outcome: Outcome) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            available: outcome.available,
            message: outcome.message,
            response_time_ns: u64::try_from(outcome.response_time.as_nanos()).unwrap_or(u64::MAX),
            agent_id: agent.agent_id().to_string(),
            tenant: agent.tenant.to_string(),
            timestamp_ms: now_ms(),
            sequence: None,
            nonce: None,
        }
    }
}

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// What is new since a sequence.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// The results, oldest first.
    pub results: Vec<CheckResult>,
    /// What to ask from the next time.
    pub current_sequence: String,
}

/// The results of this agent since it started.
#[derive(Debug)]
pub struct Results {
    agent: TenantName,
    kinds: BTreeMap<String, Kind>,
    /// Part of every sequence that is handed out: after a restart an old one is known to be of another life.
    session: i64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last_sequence: u64,
    latest: BTreeMap<String, CheckResult>,
    history: VecDeque<CheckResult>,
}

impl Results {
    /// No results yet of these checks.
    #[must_use]
    pub fn new<'a>(agent: TenantName, checks: impl IntoIterator<Item = &'a Check>) -> Self {
        Self {
            agent,
            kinds: checks.into_iter().map(|check| (check.name.clone(), check.kind)).collect(),
            session: now_ms(),
            kept: Mutex::default(),
        }
    }

    /// Whose results they are.
    #[must_use]
    pub fn agent(&self) -> &TenantName {
        &self.agent
    }

    /// The checks by name.
    #[must_use]
    pub fn kinds(&self) -> &BTreeMap<String, Kind> {
        &self.kinds
    }

    /// Keeps a result and gives it the next sequence number.
    pub fn keep(&self, mut result: CheckResult) -> CheckResult {
        let mut kept = self.kept();
        kept.last_sequence += 1;
        result.sequence = Some(kept.last_sequence);
        kept.latest.insert(result.name.clone(), result.clone());
        if kept.history.len() >= HISTORY_MAXIMUM {
            kept.history.pop_front();
        }
        kept.history.push_back(result.clone());
        result
    }

    /// The last result of a check, once there is one.
    #[must_use]
    pub fn latest(&self, name: &str) -> Option<CheckResult> {
        self.kept().latest.get(name).cloned()
    }

    /// The last result of every check that has one.
    #[must_use]
    pub fn all_latest(&self) -> Vec<CheckResult> {
        self.kept().latest.values().cloned().collect()
    }

    /// The results after `sequence`, of one check or of all. A sequence that this agent did not hand out
    /// since it started (also an empty one) is before everything: nothing is ever left out for it.
    #[must_use]
    pub fn since(&self, name: Option<&str>, sequence: &str) -> News {
        let kept = self.kept();
        let after = self.number(sequence).filter(|number| *number <= kept.last_sequence).unwrap_or(0);
        let is_new = |result: &&CheckResult| result.sequence > Some(after);
        let is_wanted = |result: &&CheckResult| name.is_none_or(|name| result.name == name);
        News {
            results: kept.history.iter().filter(is_new).filter(is_wanted).cloned().collect(),
            current_sequence: format!("{}.{}", self.session, kept.last_sequence),
        }
    }

    fn number(&self, sequence: &str) -> Option<u64> {
        let (session, number) = sequence.split_once('.')?;
        (session == self.session.to_string()).then(|| number.parse().ok())?
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn results() -> Results {
        let checks = ["a", "b"].map(|name| Check::new(name, "process", "x", 1000).unwrap());
        Results::new("agent-001.p1.acme.serviceradar".parse().unwrap(), &checks)
    }

    fn keep(results: &Results, name: &str, message: &str) {
        let outcome = Outcome { available: true, message: message.to_owned(), response_time: Duration::ZERO };
        results.keep(CheckResult::of(results.agent(), name, "process", outcome));
    }

    fn messages(news: &News) -> Vec<&str> {
        news.results.iter().map(|result| result.message.as_str()).collect()
    }

    #[test]
    fn only_what_is_new_is_given() {
        let results = results();
        keep(&results, "a", "1");
        keep(&results, "b", "2");
        let first = results.since(None, "");
        assert_eq!(messages(&first), ["1", "2"]);
        assert_eq!(messages(&results.since(None, &first.current_sequence)), [""; 0]);
        keep(&results, "a", "3");
        let second = results.since(None, &first.current_sequence);
        assert_eq!(messages(&second), ["3"]);
        assert_eq!(messages(&results.since(Some("b"), "")), ["2"]);
        assert_eq!(results.latest("a").unwrap().message, "3");
    }

    #[test]
    fn a_sequence_of_another_life_or_of_nobody_gives_everything() {
        let results = results();
        keep(&results, "a", "1");
        let current = results.since(None, "").current_sequence;
        let number = current.split_once('.').unwrap().1;
        for sequence in ["junk", "1", "9.1", &format!("1.{number}"), &format!("{current}0"), "-1.-1"] {
            assert_eq!(messages(&results.since(None, sequence)), ["1"], "{sequence}");
        }
    }

    #[test]
    fn the_history_is_bounded_and_the_oldest_go() {
        let results = results();
        (0..HISTORY_MAXIMUM + 2).for_each(|number| keep(&results, "a", &number.to_string()));
        let news = results.since(None, "");
        assert_eq!(news.results.len(), HISTORY_MAXIMUM);
        assert_eq!(news.results[0].message, "2");
    }
}
