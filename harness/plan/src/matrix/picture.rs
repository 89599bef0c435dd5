//! The whole table as one picture: a line for each operation, a column for each kind of caller.
//!
//! A person looks for the one red place. So cells are gathered: what is as predicted shows by its kind (a door that
//! opens, a wall that holds), and one cell that is not shows in its whole field.

use std::collections::BTreeMap;
use std::fmt;

use bulkhead_identity::{PeerName, PlatformName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Layer};
use super::table::Table;
use crate::access::{Conclusion, Expectation, Operation, Who};

/// Who acts, seen from whom it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// The tenant's own.
    Own,
    /// Another tenant's.
    Other,
    /// The poller.
    Poller,
    /// The administrator.
    Admin,
    /// NATS's own certificate.
    Broker,
    /// A certificate with one thing wrong.
    Hostile,
    /// No certificate.
    Nobody,
}

impl Column {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Own, Self::Other, Self::Poller, Self::Admin, Self::Broker, Self::Hostile, Self::Nobody];

    /// Its heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
            Self::Poller => "poller",
            Self::Admin => "admin",
            Self::Broker => "broker",
            Self::Hostile => "hostile",
            Self::Nobody => "nobody",
        }
    }

    /// The column that a cell stands in.
    pub fn of(cell: &Cell) -> Self {
        let Who::Peer(name) = &cell.who else {
            return match &cell.who {
                Who::Forged { .. } => Self::Hostile,
                _ => Self::Nobody,
            };
        };
        match name {
            PeerName::Platform(PlatformName::Poller) => Self::Poller,
            PeerName::Platform(PlatformName::Admin) => Self::Admin,
            PeerName::Platform(PlatformName::Nats | PlatformName::Core) => Self::Broker,
            PeerName::Tenant(name) => match concerned(&cell.operation) {
                Some(tenant) if tenant != name.tenant.as_str() => Self::Other,
                _ => Self::Own,
            },
        }
    }
}

/// The tenant that an operation is done to; none where it is the platform.
fn concerned(operation: &Operation) -> Option<String> {
    let slug = match operation {
        Operation::Message { owner, .. } | Operation::Storage { owner, .. } => Some(owner),
        Operation::ReadResults { tenant }
        | Operation::FileReport { tenant }
        | Operation::FilePolled { tenant } => Some(tenant),
        Operation::ConnectAs { user } => {
            return user.tenant().map_or(Some(String::new()), |slug| Some(slug.to_string()));
        }
        Operation::Impersonate { service, .. } => {
            return service.tenant().map_or(Some(String::new()), |slug| Some(slug.to_string()));
        }
        Operation::Find { .. } => None,
        other => return other.service().and_then(|name| name.tenant().map(ToString::to_string)),
    };
    slug.map(ToString::to_string)
}

/// All cells of one operation and one kind of caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Accesses that are possible, as predicted.
    pub open: usize,
    /// Accesses that are refused or lead nowhere, as predicted.
    pub closed: usize,
    /// Not judged.
    pub unclear: usize,
    /// Refused, and should be possible.
    pub broken: usize,
    /// Possible, and must not be.
    pub violated: usize,
}

impl Field {
    /// Counts one more cell.
    pub fn add(&mut self, conclusion: Conclusion, expected: &Expectation) {
        match (conclusion, expected) {
            (Conclusion::Violated, _) => self.violated += 1,
            (Conclusion::Broken, _) => self.broken += 1,
            (Conclusion::Inconclusive, _) => self.unclear += 1,
            (Conclusion::Passed, Expectation::Allowed) => self.open += 1,
            (Conclusion::Passed, _) => self.closed += 1,
        }
    }

    /// The worst of its cells; nothing for an empty field.
    pub fn worst(&self) -> Option<Conclusion> {
        match self {
            Self { violated: 1.., .. } => Some(Conclusion::Violated),
            Self { broken: 1.., .. } => Some(Conclusion::Broken),
            Self { unclear: 1.., .. } => Some(Conclusion::Inconclusive),
            Self { open: 0, closed: 0, .. } => None,
            _ => Some(Conclusion::Passed),
        }
    }
}

/// Short, and the same width for all: `+3` open, `·9` closed, `!2` violated, `x1` broken, `?4` not judged.
impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let parts = [
            ('!', self.violated),
            ('x', self.broken),
            ('?', self.unclear),
            ('+', self.open),
            ('·', self.closed),
        ];
        for (sign, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push(sign);
            text.push_str(&count.to_string());
        }
        formatter.pad(&text)
    }
}

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    rows: BTreeMap<(Layer, String), BTreeMap<Column, Field>>,
}

impl Picture {
    /// Of a table.
    pub fn of(table: &Table) -> Self {
        let mut picture = Self::default();
        for entry in table.entries() {
            let row = (entry.cell.layer(), entry.cell.operation.code());
            let field = picture.rows.entry(row).or_default().entry(Column::of(&entry.cell)).or_default();
            field.add(entry.conclusion, &entry.expected);
        }
        picture
    }

    /// The rows: the layer, the operation's code, and the fields that are not empty.
    pub fn rows(&self) -> impl Iterator<Item = (Layer, &str, &BTreeMap<Column, Field>)> {
        self.rows.iter().map(|((layer, operation), fields)| (*layer, operation.as_str(), fields))
    }
}
