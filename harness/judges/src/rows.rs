//! What a judge prints: one row for each attempt, as it saw it.

use std::fmt;
use std::net::SocketAddr;

use bulkhead_identity::{PeerName, TenantSlug};
use serde::{Deserialize, Serialize};

use crate::deed::Deed;

/// Everything that one judge saw.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The library that it is made with, and its version.
    pub judge: String,
    /// Its attempts.
    pub rows: Vec<Row>,
}

/// Who did what to whom: what makes one attempt another than the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Whom the certificate names; nobody when there is none.
    pub who: Option<PeerName>,
    /// What is wrong with the certificate, when something is.
    pub flaw: Option<String>,
    /// What was done.
    pub operation: Deed,
    /// To which tenant.
    pub owner: Option<TenantSlug>,
    /// At which service.
    pub target: Option<PeerName>,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.who, &self.flaw) {
            (None, _) => formatter.write_str("nobody")?,
            (Some(who), None) => write!(formatter, "{who}")?,
            (Some(who), Some(flaw)) => write!(formatter, "{who} ({flaw})")?,
        }
        write!(formatter, " {}", self.operation.word())?;
        if let Some(owner) = &self.owner {
            write!(formatter, " {owner}")?;
        }
        self.target.iter().try_for_each(|target| write!(formatter, " at {target}"))
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// Which.
    #[serde(flatten)]
    pub cell: Cell,
    /// How it ended.
    pub outcome: Sight,
    /// The stable word for a refusal that the other side put into words.
    pub reason: Option<String>,
    /// What was seen, for people.
    pub evidence: Vec<String>,
    /// Rightful attempts beside it, before and after.
    pub controls: Vec<Control>,
    /// From where the service was called.
    pub callers: Vec<SocketAddr>,
}

/// How an attempt ended for the one who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// It was done.
    Allowed,
    /// The other side said no.
    Denied,
    /// The connection was ended without an answer.
    TurnedAway,
    /// Nothing came.
    Silent,
    /// It cannot be said.
    Inconclusive,
}

/// Something rightful, done beside an attempt by the same means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Control {
    /// What.
    pub what: String,
    /// Whether it succeeded.
    pub held: bool,
}
