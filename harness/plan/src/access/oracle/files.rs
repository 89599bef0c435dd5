//! What each service is given.

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};

use super::Expectation;
use crate::access::attempt::{Artefact, Who};
use crate::access::outcome::DenialReason;

/// Its own key, and the authorities whose members it meets; no authority's key, and of another tenant nothing.
pub(super) fn find(who: &Who, artefact: &Artefact) -> Expectation {
    let Who::Peer(holder) = who else {
        return Expectation::Unspecified("only services are given files");
    };
    let given = match artefact {
        Artefact::Key(owner) => owner == holder,
        Artefact::AuthorityKey(_) => false,
        Artefact::Trust(authority) => believes(holder, authority),
        Artefact::OpenKey => return Expectation::denied(DenialReason::FileMode),
    };
    if given { Expectation::Allowed } else { Expectation::denied(DenialReason::NotGiven) }
}

fn believes(holder: &PeerName, authority: &AuthorityName) -> bool {
    match (holder, authority) {
        (_, AuthorityName::Root) => true,
        (PeerName::Platform(PlatformName::Nats), _) => false,
        (PeerName::Platform(_), _) | (PeerName::Tenant(_), AuthorityName::Platform) => true,
        (PeerName::Tenant(name), AuthorityName::Tenant(slug)) => name.tenant == *slug,
    }
}
