//! What of a pattern must be red: a part for each kind of place, of caller and of object that it means.
//!
//! One red cell is not enough for a pattern: if every attempt from inside tenants' networks were green by a mistake of the
//! probes, those from this machine would still show every fault.

use std::fmt;

use super::{Caller, Ground, Object, Pattern};
use crate::access::Vantage;
use crate::matrix::{Entry, Table};

/// The cells of a pattern from one kind of place, by one of the callers and at one of the objects that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pattern: Pattern,
    from: Option<Standpoint>,
    who: Option<Caller>,
    object: Option<Object>,
}

/// What kind of place an attempt is made from, whichever tenant's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standpoint {
    Host,
    Tenant,
    Platform,
    Outside,
}

impl Standpoint {
    const ALL: [Self; 4] = [Self::Host, Self::Tenant, Self::Platform, Self::Outside];

    const fn of(vantage: &Vantage) -> Self {
        match vantage {
            Vantage::Host => Self::Host,
            Vantage::Tenant(_) => Self::Tenant,
            Vantage::Platform => Self::Platform,
            Vantage::Outside => Self::Outside,
        }
    }
}

impl Share {
    /// The parts of a pattern that the table has cells for, of which one could be red as the pattern says. Where a fault cannot
    /// show from a kind of place, its pattern leaves that place out, with the reason (`Pattern::unseen_from`).
    pub(super) fn of(pattern: &Pattern, table: &Table, ground: Ground) -> Vec<Self> {
        let mut shares = Vec::new();
        for from in Standpoint::ALL {
            for who in each(pattern.callers()) {
                for object in each(pattern.objects()) {
                    let share = Self { pattern: *pattern, from: Some(from), who, object };
                    if table.entries().iter().any(|entry| share.could_be_shown_by(entry, ground)) {
                        shares.push(share);
                    }
                }
            }
        }
        // A pattern that no cell can meet is not met: it stays whole.
        if shares.is_empty() {
            shares.push(Self { pattern: *pattern, from: None, who: None, object: None });
        }
        shares
    }

    /// Whether a red cell is one of them, and red as the pattern says.
    pub(super) fn is_shown_by(&self, entry: &Entry) -> bool {
        self.means(entry) && self.pattern.matches_as(&entry.cell, entry.conclusion)
    }

    fn could_be_shown_by(&self, entry: &Entry, ground: Ground) -> bool {
        self.means(entry) && self.pattern.can_show(&entry.cell, &entry.expected, ground)
    }

    fn means(&self, entry: &Entry) -> bool {
        self.from.is_none_or(|from| from == Standpoint::of(&entry.cell.from))
            && self.who.is_none_or(|who| who.is(&entry.cell))
            && self.object.is_none_or(|object| object.is(&entry.cell))
            && self.pattern.matches(&entry.cell)
    }
}

/// Each of those that are named; all together where nobody is.
fn each<T: Copy>(named: &[T]) -> Vec<Option<T>> {
    match named {
        [] => vec![None],
        named => named.iter().copied().map(Some).collect(),
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.pattern)?;
        if let Some(who) = self.who.filter(|_| self.pattern.callers().len() > 1) {
            write!(formatter, ", {who}")?;
        }
        if let Some(object) = self.object.filter(|_| self.pattern.objects().len() > 1) {
            write!(formatter, ", at {object}")?;
        }
        match self.from {
            Some(from) => write!(formatter, ", seen from {from}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Standpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Host => "this machine",
            Self::Tenant => "a tenant's network",
            Self::Platform => "the platform's network",
            Self::Outside => "outside",
        })
    }
}
