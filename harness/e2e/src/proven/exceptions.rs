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

/// One that holds everywhere.
const fn exception(names: &'static [&'static str], instead: Instead, why: &'static str) -> Exception {
    Exception { names, instead, ground: None, why }
}

/// Scenarios.
pub(super) const SCENARIOS: &[Exception] = &[
    exception(
        &[
            "an accepted call is audited with its caller and its trace",
            "the administrator's reading of acme's agent is on record",
            "the administrator reads acme's stored results",
            "the administrator reads globex's stored results",
        ],
        Instead::NotJudged,
        "a record that is missing accuses nobody, and nothing is proven without it",
    ),
    exception(
        &[
            "acme's agent answers acme",
            "the platform gives acme's agent a job",
            "acme and the platform receive acme's results",
            "the platform hears every tenant at once",
            "acme's agent reaches acme's agent",
            "acme's agent reaches the broker",
            "acme's agent reaches the poller",
        ],
        Instead::NotJudged,
        "what does not come is silence, which a dead service keeps as well",
    ),
    exception(
        &[
            "acme's agent refuses a caller that does not speak TLS",
            "the poller refuses a caller that does not speak TLS",
        ],
        Instead::NotJudged,
        "no mistake is seeded with which the services speak without TLS: they have no code for it",
    ),
    exception(
        &["the broker refuses a caller that does not speak TLS"],
        Instead::NotJudged,
        "who shows no certificate is no user either: with one wall down the other one refuses, for its own reason",
    ),
    exception(
        &[
            "acme's agent refuses a poller whose certificate is also naming globex's agent",
            "the poller refuses an agent of acme's whose certificate is also naming globex's agent",
            "the poller refuses an agent of acme's whose certificate is also naming localhost",
            "the poller turns away from an agent of acme's whose certificate is also naming localhost",
        ],
        Instead::NotJudged,
        "the authority's name constraint and the leaf's profile both refuse it: with one down the other does, for its own reason",
    ),
    exception(
        &[
            "globex cannot read the health of acme's agent",
            "globex cannot read the results of acme's agent",
            "globex cannot read the status of acme's agent",
            "globex cannot read the streamed results of acme's agent",
        ],
        Instead::NotJudged,
        "behind the handshake stand the grants and the tenant's name: with one down the others refuse, for their own reasons",
    ),
    exception(
        &["the administrator cannot report to the poller"],
        Instead::NotJudged,
        "who may call everything still has no tenant to report for",
    ),
    exception(
        &["globex cannot have the broker purge acme's account"],
        Instead::NotJudged,
        "the broker does it for its own account alone (since CVE-2025-30215), and leaves others without an answer",
    ),
    exception(
        &["globex cannot ask as acme"],
        Instead::NotJudged,
        "the broker writes who asks over whatever a client wrote, and nothing turns that off",
    ),
    exception(
        &["acme reads what it kept", "acme reads what it put into a bucket"],
        Instead::Nothing,
        "who may not read has nothing to compare with: it is broken at its premise, in which the owner keeps and reads",
    ),
    exception(
        &[
            "acme's agent accepts acme's agent",
            "acme's agent accepts the administrator",
            "acme's agent accepts the poller",
            "acme's agent accepts the poller with a certificate made this minute",
            "acme's agent reports to the poller",
            "an agent of acme's sees the health of acme's agent",
            "the administrator reads the status of acme's agent",
            "the poller accepts acme's agent",
            "the poller accepts acme's agent with a certificate made this minute",
            "the poller accepts globex's agent",
            "the poller is answered by acme's agent when it claims acme",
            "the poller is answered by acme's agent when it claims no tenant",
            "the poller reads the health of acme's agent",
            "the poller reads the results of acme's agent",
            "the poller reads the status of acme's agent",
            "the poller reads the streamed results of acme's agent",
        ],
        Instead::Nothing,
        "services that their configuration would shut refuse to start; the steps are red where the broker shuts somebody out",
    ),
    exception(
        &[
            "the broker accepts globex's agent",
            "the broker accepts the administrator",
            "the broker accepts the poller",
        ],
        Instead::Nothing,
        "the first tenant's agent is shut out in their place, at the same door and by the same step",
    ),
    exception(
        &[
            "acme's agent talks to the broker that it expects",
            "acme's agent talks to the poller that it expects",
            "the poller talks to the agent that it expects",
        ],
        Instead::Nothing,
        "a stand-in is configured by the scenario, and the mistakes in its code let in and shut nobody out",
    ),
];

/// Phrases.
pub(super) const PHRASES: &[Exception] = &[
    exception(
        &[
            "the access to {tenant} is on record under the administrator's name",
            "{peer} has recorded that {peer} was accepted",
        ],
        Instead::NotJudged,
        "a record that is missing accuses nobody, and nothing is proven without it",
    ),
    exception(
        &["{peer} has recorded that {peer} was refused"],
        Instead::Nothing,
        "the step before it needs the same record to believe the refusal, and fails first",
    ),
    exception(
        &[
            "the administrator finds it among the stored results of {tenant}",
            "{peer} answers with {tenant}'s result",
            "{peer} receives the result",
            "{peer} is within reach",
        ],
        Instead::NotJudged,
        "what does not come is silence, which a dead service keeps as well",
    ),
    exception(
        &["the service was asked by {tenant}"],
        Instead::NotJudged,
        "the broker writes who asks over whatever a client wrote, and nothing turns that off",
    ),
    Exception {
        names: &["{peer} is out of reach"],
        instead: Instead::Nothing,
        ground: Some(Ground::Processes),
        why: "processes share this machine's network, and have no walls to be shown",
    },
    exception(
        &["{peer} has seen nothing of {tenant}'s"],
        Instead::Nothing,
        "where equal names meet, the second owner cannot keep anything under it: that is violated before anything is read",
    ),
    exception(
        &["{tenant}'s notes are complete"],
        Instead::Nothing,
        "a copy takes nothing from what it copies, whatever else is wrong",
    ),
    exception(
        &["the access matrix is as predicted at {string}", "the whole access matrix is as predicted"],
        Instead::Nothing,
        "they stand in counterexamples and in no feature; that the matrix turns red is what prove shows without --scenarios",
    ),
];
