//! What NATS lets its users ask of itself, and whom it takes them for.

use bulkhead_identity::{PeerName, PlatformName};

use super::Expectation;
use super::messages::NOT_A_USER;
use crate::access::attempt::BrokerOperation;
use crate::access::outcome::DenialReason::{PublishPermission, Quota, SubscribePermission};

/// The certificate says who connects, whatever `CONNECT` says: whoever claims to be another speaks for itself, and is
/// refused the other's subjects.
pub(super) fn connected_as(name: &PeerName, user: &PeerName) -> Expectation {
    match (name, user) {
        (PeerName::Platform(_), _) => {
            Expectation::Unspecified("a service of the platform has no reason to claim to be somebody else")
        }
        (PeerName::Tenant(own), PeerName::Tenant(other)) if own.tenant == other.tenant => {
            Expectation::Unspecified("components of one tenant have the same rights")
        }
        (PeerName::Tenant(_), PeerName::Tenant(_)) => Expectation::denied(PublishPermission),
        (PeerName::Tenant(_), PeerName::Platform(_)) => Expectation::denied(SubscribePermission),
    }
}

/// What becomes of a request to the broker itself.
pub(super) fn asked(name: &PeerName, operation: BrokerOperation) -> Expectation {
    use BrokerOperation as Do;
    let ordinary = match operation {
        Do::ListenToSystem => SubscribePermission,
        Do::AskServers | Do::StepDown | Do::RemoveServer => PublishPermission,
        Do::ReserveTooMuch | Do::PublishTooMuch | Do::ConnectTooOften => Quota,
    };
    match (name, operation) {
        (PeerName::Tenant(_), _) => Expectation::denied(ordinary),
        (PeerName::Platform(PlatformName::Admin), Do::ReserveTooMuch) => {
            Expectation::denied(PublishPermission)
        }
        (PeerName::Platform(PlatformName::Admin), Do::PublishTooMuch | Do::ConnectTooOften) => {
            Expectation::Unspecified("the administrators' account has no limits of its own")
        }
        (PeerName::Platform(PlatformName::Admin), _) => Expectation::denied(ordinary),
        (PeerName::Platform(PlatformName::Poller), _) => {
            Expectation::Unspecified("the platform's own account has no limits of its own")
        }
        (PeerName::Platform(PlatformName::Nats | PlatformName::Core), _) => NOT_A_USER,
    }
}
