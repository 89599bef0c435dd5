//! What becomes of connections that are opened in another manner than the platform's.

use bulkhead_identity::{PeerName, PlatformName};

use super::{Expectation, call_target, grpc};
use crate::access::attempt::{CallTarget, Manner, Method, RequestAuthority, TenantMetadata, Who};
use crate::access::outcome::DenialReason;

/// Whoever knocks without TLS 1.3 is turned away before anybody asks for a certificate; HTTP/2 is missed after it.
pub(super) fn knock(who: &Who, service: &PeerName, manner: Manner) -> Expectation {
    if let PeerName::Platform(PlatformName::Admin | PlatformName::Core) = service {
        return Expectation::Unspecified("nobody listens there");
    }
    match (manner, call_target(service)) {
        (Manner::InTheClear, _) => Expectation::denied(DenialReason::NoTls),
        (Manner::OldTls, _) => Expectation::denied(DenialReason::IncompatibleTls),
        // Each connection has its own handshake, whoever is silent in another.
        (Manner::HoldTheDoor, Some(_)) => Expectation::denied(DenialReason::OthersServed),
        (Manner::HoldTheDoor, None) => Expectation::Unspecified("NATS speaks first"),
        // Nobody has to know a peer to stop waiting for it.
        (Manner::BeSilent, _) => Expectation::denied(DenialReason::HandshakeTimeout),
        // Places are counted for each tenant and each platform service.
        (Manner::TakeAllPlaces, Some(CallTarget::Poller)) => {
            match grpc::handshake(who, &CallTarget::Poller) {
                Expectation::Allowed => Expectation::denied(DenialReason::OthersServed),
                refused => refused,
            }
        }
        (Manner::TakeAllPlaces, Some(CallTarget::Agent { .. })) => {
            Expectation::Unspecified("an agent serves nobody of another tenant")
        }
        (Manner::TakeAllPlaces, None) => {
            Expectation::Unspecified("how many connections NATS takes is asked apart")
        }
        // Go's servers name what they were given to believe: the root, which is no tenant.
        (Manner::AskForAuthorities, None) => {
            Expectation::Unspecified("NATS names the root when it asks for a certificate")
        }
        (Manner::AskForAuthorities, Some(target)) => match grpc::handshake(who, &target) {
            Expectation::Allowed => Expectation::Unspecified("whoever is let in knows who is believed there"),
            refused => refused,
        },
        (Manner::NoAlpn, None) => {
            Expectation::Unspecified("NATS speaks its own protocol, which has no name in TLS")
        }
        (Manner::NoAlpn, Some(target)) => {
            let (absent, authority) = (TenantMetadata::Absent, RequestAuthority::Target);
            match grpc::call(who, &target, Method::Health, &absent, &authority) {
                Expectation::Allowed => Expectation::denied(DenialReason::NoAlpn),
                refused => refused,
            }
        }
    }
}
