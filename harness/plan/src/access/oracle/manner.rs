//! What becomes of connections that are opened in another manner than the platform's.

use bulkhead_identity::{PeerName, PlatformName};

use super::{Expectation, call_target, grpc};
use crate::access::attempt::{Manner, Method, RequestAuthority, TenantMetadata, Who};
use crate::access::outcome::DenialReason;

/// Whoever knocks without TLS 1.3 is turned away before anybody asks for a certificate; HTTP/2 is missed after it.
pub(super) fn knock(who: &Who, service: &PeerName, manner: Manner) -> Expectation {
    if let PeerName::Platform(PlatformName::Admin | PlatformName::Core) = service {
        return Expectation::Unspecified("nobody listens there");
    }
    match (manner, call_target(service)) {
        (Manner::InTheClear, _) => Expectation::denied(DenialReason::NoTls),
        (Manner::OldTls, _) => Expectation::denied(DenialReason::IncompatibleTls),
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
