//! Who is acceptable, and in which role.

use std::fmt;

use crate::authority_name::AuthorityName;
use crate::label::TenantSlug;
use crate::names::{PeerName, PlatformName};
use crate::seeded;

/// Whom a service accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerPattern {
    /// This peer and no other.
    Exactly(PeerName),
    /// Every component of this tenant.
    MemberOf(TenantSlug),
    /// Every component of every tenant whose authority is configured; no platform service.
    AnyMember,
}

impl PeerPattern {
    /// Patterns that accept every platform service, and nobody else.
    pub fn any_platform_service() -> Vec<Self> {
        let names = PlatformName::ALL.into_iter();
        names.map(|name| Self::Exactly(name.into())).collect()
    }

    /// Whether the peer is accepted.
    pub fn accepts(&self, peer: &PeerName) -> bool {
        match self {
            Self::Exactly(expected) => expected == peer,
            Self::MemberOf(slug) => peer.tenant().is_some_and(|tenant| seeded::same_tenant(slug, tenant)),
            Self::AnyMember => peer.tenant().is_some(),
        }
    }

    /// Whether this authority could issue a certificate that the pattern accepts.
    pub(crate) fn could_come_from(&self, authority: &AuthorityName) -> bool {
        match self {
            Self::Exactly(peer) => authority.may_mint(peer),
            Self::MemberOf(slug) => *authority == AuthorityName::Tenant(slug.clone()),
            Self::AnyMember => matches!(authority, AuthorityName::Tenant(_)),
        }
    }
}

impl fmt::Display for PeerPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(peer) => write!(formatter, "{peer}"),
            Self::MemberOf(slug) => write!(formatter, "any component of tenant {slug}"),
            Self::AnyMember => formatter.write_str("any component of any tenant"),
        }
    }
}

/// The patterns in one line, `a or b`.
pub(crate) fn list(patterns: &[PeerPattern]) -> String {
    let texts: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    texts.join(" or ")
}

/// What the peer is whose certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It dialled.
    Client,
    /// It was dialled.
    Server,
}

impl Role {
    /// The extended key usage that the role needs, by its name in RFC 5280.
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Self::Client => "clientAuth",
            Self::Server => "serverAuth",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_roles_are_shown_in_words() {
        let exactly = PeerPattern::Exactly("poller.serviceradar".parse().unwrap());
        let patterns = [exactly, PeerPattern::MemberOf("acme".parse().unwrap()), PeerPattern::AnyMember];
        assert_eq!(
            list(&patterns),
            "poller.serviceradar or any component of tenant acme or any component of any tenant"
        );
        let roles = [Role::Client, Role::Server].map(|role| (role.to_string(), role.purpose()));
        assert_eq!(roles, [("client".to_owned(), "clientAuth"), ("server".to_owned(), "serverAuth")]);
    }
}
