//! Which cells of the access matrix are meant: by what is done, who does it, to whom, and from where.
//!
//! A pattern is written for every topology at once, so that it names nobody: who acts and who is acted on are told apart
//! by how they stand to each other.

use std::fmt;

use bulkhead_identity::{AuthorityName, PeerName, PlatformName, TenantSlug};

use crate::access::{Artefact, Conclusion, Expectation, Operation, Vantage, Who};
use crate::environment::BackendKind;
use crate::matrix::{Cell, Column};

/// Cells that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The operation's code; `*` stands for any text.
    operation: &'static str,
    /// Who acts; anybody when empty.
    who: &'static [Caller],
    /// To whom or what it is done; anything when empty.
    object: &'static [Object],
    /// From where; anywhere when empty.
    from: &'static [Place],
    /// From where none of them can be red on containers.
    unseen_from: &'static [Place],
    /// In which way they are red; in any when empty.
    shows: &'static [Conclusion],
    /// On which backend alone there are such cells.
    only_on: Option<Ground>,
}

/// Who acts, seen from whom it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// One of the tenant's own agents.
    Own,
    /// Another tenant's.
    Other,
    /// The poller.
    Poller,
    /// The administrator.
    Admin,
    /// The broker.
    Broker,
    /// Nobody.
    Nobody,
    /// A certificate with this flaw, whomever it names; `*` for any.
    Hostile(&'static str),
}

/// To whom or what it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// An agent, or the place of one.
    Agent,
    /// The poller, or its place.
    Poller,
    /// The broker, or its place.
    Broker,
    /// Something of a tenant's: its messages, its streams, its results.
    Tenant,
    /// Something of the root's: its key, trust in it.
    Root,
    /// Something of the platform's authority or peers.
    Platform,
    /// Something of the holder's own tenant.
    OwnTenant,
    /// Something of another tenant than the holder's.
    OtherTenant,
    /// The holder's own open key.
    OpenKey,
}

/// From where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This machine.
    Host,
    /// The network of the tenant that is acted on.
    OwnNetwork,
    /// Another tenant's.
    OtherNetwork,
    /// The platform's.
    PlatformNetwork,
    /// None of the environment's.
    Outside,
}

/// What an environment stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Processes on loopback.
    Processes,
    /// Containers, whoever made them.
    Containers,
}

impl Ground {
    /// What a backend stands on.
    pub const fn of(backend: BackendKind) -> Self {
        match backend {
            BackendKind::Process => Self::Processes,
            BackendKind::Docker | BackendKind::Compose => Self::Containers,
        }
    }
}

/// The cells of an operation, whoever does it.
pub(super) const fn cells(operation: &'static str) -> Pattern {
    Pattern { operation, who: &[], object: &[], from: &[], unseen_from: &[], shows: &[], only_on: None }
}

impl Pattern {
    /// Of these callers only.
    pub(super) const fn by(self, who: &'static [Caller]) -> Self {
        Self { who, ..self }
    }

    /// Of these objects only.
    pub(super) const fn at(self, object: &'static [Object]) -> Self {
        Self { object, ..self }
    }

    /// From there only.
    pub(super) const fn from(self, from: &'static [Place]) -> Self {
        Self { from, ..self }
    }

    /// Though there are such cells from there, on containers: a wall that the fault leaves standing is in the way, or nobody who
    /// profits from it stands there. Whoever writes this says which. Processes have one place alone, to which it does not apply.
    pub(super) const fn unseen_from(self, unseen_from: &'static [Place]) -> Self {
        Self { unseen_from, ..self }
    }

    /// Red in this way: an access was possible that must not be.
    pub(super) const fn open(self) -> Self {
        Self { shows: &[Conclusion::Violated], ..self }
    }

    /// Red in this way: a valid access was denied.
    pub(super) const fn broken(self) -> Self {
        Self { shows: &[Conclusion::Broken], ..self }
    }

    /// Red in this way: denied for another reason than the one that is specified, or without its record.
    pub(super) const fn otherwise(self) -> Self {
        Self { shows: &[Conclusion::Inconclusive], ..self }
    }

    /// Where there is nothing of the kind on the other backends.
    pub(super) const fn on(self, ground: Ground) -> Self {
        Self { only_on: Some(ground), ..self }
    }

    /// Whether the pattern says anything about environments on this ground.
    pub fn applies_on(&self, ground: Ground) -> bool {
        self.only_on.is_none_or(|only| only == ground)
    }

    /// Whether a cell is meant.
    pub fn matches(&self, cell: &Cell) -> bool {
        let any = |list: &[bool]| list.is_empty() || list.contains(&true);
        glob(self.operation, &cell.operation.code())
            && any(&self.who.iter().map(|who| who.is(cell)).collect::<Vec<_>>())
            && any(&self.object.iter().map(|object| object.is(cell)).collect::<Vec<_>>())
            && any(&self.from.iter().map(|from| from.is(cell)).collect::<Vec<_>>())
    }

    /// The callers that it names; none where it means anybody.
    pub(super) const fn callers(&self) -> &'static [Caller] {
        self.who
    }

    /// The objects that it names; none where it means anything.
    pub(super) const fn objects(&self) -> &'static [Object] {
        self.object
    }

    /// Whether a cell of which this is expected can be red in the way that is meant: what may happen anyway is never violated.
    pub(super) fn can_show(&self, cell: &Cell, expected: &Expectation, ground: Ground) -> bool {
        if ground == Ground::Containers && self.unseen_from.iter().any(|place| place.is(cell)) {
            return false;
        }
        let can = |conclusion: &Conclusion| match conclusion {
            Conclusion::Violated => matches!(expected, Expectation::Denied(_) | Expectation::Unreachable),
            Conclusion::Broken => matches!(expected, Expectation::Allowed),
            Conclusion::Inconclusive => true,
            Conclusion::Passed => false,
        };
        self.shows.is_empty() || self.shows.iter().any(can)
    }

    /// Whether a cell that came to this is meant.
    pub fn matches_as(&self, cell: &Cell, conclusion: Conclusion) -> bool {
        let shows = self.shows.is_empty() || self.shows.contains(&conclusion);
        shows && self.matches(cell)
    }
}

impl Caller {
    pub(super) fn is(self, cell: &Cell) -> bool {
        match self {
            Self::Hostile(code) => {
                matches!(&cell.who, Who::Forged { flaw, .. } if glob(code, flaw.code()))
            }
            Self::Own => Column::of(cell) == Column::Own,
            Self::Other => Column::of(cell) == Column::Other,
            Self::Poller => Column::of(cell) == Column::Poller,
            Self::Admin => Column::of(cell) == Column::Admin,
            Self::Broker => Column::of(cell) == Column::Broker,
            Self::Nobody => Column::of(cell) == Column::Nobody,
        }
    }
}

impl Object {
    pub(super) fn is(self, cell: &Cell) -> bool {
        let holder = match &cell.who {
            Who::Peer(name) => name.tenant(),
            Who::Forged { .. } | Who::Anonymous => None,
        };
        match &cell.operation {
            Operation::Find { artefact } => self == Self::of_artefact(artefact, holder),
            Operation::Impersonate { service, .. } => self.is_service(service),
            Operation::Message { .. }
            | Operation::Storage { .. }
            | Operation::ReadResults { .. }
            | Operation::FileReport { .. } => self == Self::Tenant,
            Operation::ConnectAs { user } => self.is_service(user),
            other => other.service().is_some_and(|service| self.is_service(&service)),
        }
    }

    fn is_service(self, name: &PeerName) -> bool {
        match name {
            PeerName::Tenant(_) => self == Self::Agent,
            PeerName::Platform(PlatformName::Poller) => self == Self::Poller,
            PeerName::Platform(PlatformName::Nats) => self == Self::Broker,
            PeerName::Platform(PlatformName::Core | PlatformName::Admin) => false,
        }
    }

    fn of_artefact(artefact: &Artefact, holder: Option<&TenantSlug>) -> Self {
        let of_tenant = |slug: Option<&TenantSlug>| match slug {
            None => Self::Platform,
            Some(_) if slug == holder => Self::OwnTenant,
            Some(_) => Self::OtherTenant,
        };
        match artefact {
            Artefact::OpenKey => Self::OpenKey,
            Artefact::Key(name) => of_tenant(name.tenant()),
            Artefact::AuthorityKey(AuthorityName::Root) | Artefact::Trust(AuthorityName::Root) => Self::Root,
            Artefact::AuthorityKey(AuthorityName::Tenant(slug))
            | Artefact::Trust(AuthorityName::Tenant(slug)) => of_tenant(Some(slug)),
            Artefact::AuthorityKey(AuthorityName::Platform) | Artefact::Trust(AuthorityName::Platform) => {
                Self::Platform
            }
        }
    }
}

impl Place {
    fn is(self, cell: &Cell) -> bool {
        let service = cell.operation.service();
        let concerned = service.as_ref().and_then(PeerName::tenant);
        match (&cell.from, self) {
            (Vantage::Host, Self::Host)
            | (Vantage::Platform, Self::PlatformNetwork)
            | (Vantage::Outside, Self::Outside) => true,
            (Vantage::Tenant(slug), Self::OwnNetwork) => concerned == Some(slug),
            (Vantage::Tenant(slug), Self::OtherNetwork) => concerned != Some(slug),
            _ => false,
        }
    }
}

/// Whether a text is meant by one in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut starts = rest.char_indices().map(|(start, _)| start).chain([rest.len()]);
            starts.any(|start| glob(after, &rest[start..]))
        }),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.operation)?;
        let mut list = |word: &str, names: Vec<String>| match names.is_empty() {
            true => Ok(()),
            false => write!(formatter, " {word} {}", names.join("/")),
        };
        list("by", self.who.iter().map(ToString::to_string).collect())?;
        list("at", self.object.iter().map(ToString::to_string).collect())?;
        list("from", self.from.iter().map(ToString::to_string).collect())?;
        let conclusion = |conclusion: &Conclusion| match conclusion {
            Conclusion::Violated => "possible".to_owned(),
            Conclusion::Broken => "broken".to_owned(),
            Conclusion::Inconclusive => "for another reason".to_owned(),
            Conclusion::Passed => "as predicted".to_owned(),
        };
        list("found", self.shows.iter().map(conclusion).collect())
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Processes => "processes",
            Self::Containers => "containers",
        })
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Own => "own",
            Self::Other => "other",
            Self::Poller => "poller",
            Self::Admin => "admin",
            Self::Broker => "broker",
            Self::Nobody => "nobody",
            Self::Hostile("*") => "any hostile certificate",
            Self::Hostile(flaw) => flaw,
        })
    }
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Agent => "agent",
            Self::Poller => "poller",
            Self::Broker => "broker",
            Self::Tenant => "tenant",
            Self::Root => "root",
            Self::Platform => "platform",
            Self::OwnTenant => "own tenant",
            Self::OtherTenant => "other tenant",
            Self::OpenKey => "open key",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Host => "this machine",
            Self::OwnNetwork => "its own network",
            Self::OtherNetwork => "another tenant's network",
            Self::PlatformNetwork => "the platform's network",
            Self::Outside => "outside",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("js.purge", "js.purge", true),
            ("js.purge", "js.purge-record", false),
            ("js.*", "js.purge", true),
            ("*", "", true),
            ("grpc.*+claim", "grpc.health+claim", true),
            ("grpc.*+claim", "grpc.health+claim-twice", false),
            ("grpc.*+claim*", "grpc.health+claim-twice", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
