//! The tenant of a request: from the certificate, whatever the metadata say.

use rustls_pki_types::CertificateDer;

use crate::certificate::Certificate;
use crate::label::TenantSlug;
use crate::names::PeerName;
use crate::pattern::Role;
use crate::profile;
use crate::refusal::Refusal;
use crate::seeded::{self, SeededFault};

/// Reads whom a certificate names, **after** the handshake's verifier accepted it: a gRPC handler passes
/// `TlsConnectInfo::peer_certs()[0]`, the leaf, and never another element of the chain, which is the peer's to
/// choose.
///
/// # Errors
/// When the certificate is not one that a verifier of this crate accepts, so that it cannot come from a
/// connection that one of them guards.
pub fn identity_of_verified_leaf(leaf: &CertificateDer<'_>) -> Result<PeerName, Refusal> {
    let certificate = Certificate::parse(leaf).map_err(|error| Refusal::Malformed(error.to_string()))?;
    // The laxer role: only NATS as a server differs, and the handshake knew the role.
    profile::check(&certificate, Role::Server).map_err(Refusal::Profile)
}

/// Why a request's claim about its tenant is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The peer belongs to another tenant than the one that the request is about.
    #[error("{peer} belongs to another tenant than {requested}")]
    OtherTenant {
        /// Who asks.
        peer: PeerName,
        /// Whom the request is about.
        requested: TenantSlug,
    },
    /// The metadata name the tenant more than once, and readers would disagree on which counts.
    #[error("the metadata name the tenant {0} times instead of at most once")]
    Repeated(usize),
    /// The metadata name something that is not a tenant.
    #[error("the tenant in the metadata cannot be read")]
    Unreadable,
    /// The metadata name another tenant than the certificate does.
    #[error("the metadata name tenant {claimed}, and the request is for {actual}")]
    Differs {
        /// What the metadata say.
        claimed: TenantSlug,
        /// What the certificate says, or for a platform service the tenant that it asks about.
        actual: TenantSlug,
    },
}

impl ClaimError {
    /// The stable word for this kind of refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherTenant { .. } => "tenant-other",
            Self::Repeated(_) => "tenant-claim-repeated",
            Self::Unreadable => "tenant-claim-unreadable",
            Self::Differs { .. } => "tenant-claim-differs",
        }
    }
}

/// The tenant that a request is for.
///
/// `own_or_requested` is the serving agent's own tenant, or the tenant that the request's message is about. A
/// tenant's component may only ask about its own tenant; a platform service may ask about any. `claims` are all
/// values of the tenant metadata key: there may be none, or exactly one that says the same.
///
/// # Errors
/// When any of this does not hold.
pub fn tenant_claim<'a>(
    authenticated: &PeerName,
    own_or_requested: &TenantSlug,
    claims: impl Iterator<Item = &'a [u8]>,
) -> Result<TenantSlug, ClaimError> {
    if authenticated.tenant().is_some_and(|tenant| !seeded::same_tenant(own_or_requested, tenant)) {
        return Err(ClaimError::OtherTenant {
            peer: authenticated.clone(),
            requested: own_or_requested.clone(),
        });
    }
    let mut claims: Vec<&[u8]> = claims.collect();
    if seeded::is_on(SeededFault::TenantClaimFirstCounts) {
        claims.truncate(1);
    }
    match claims.as_slice() {
        [] => Ok(own_or_requested.clone()),
        [claim] => {
            let text = std::str::from_utf8(claim).map_err(|_| ClaimError::Unreadable)?;
            let claimed: TenantSlug = text.parse().map_err(|_| ClaimError::Unreadable)?;
            if seeded::same_tenant(own_or_requested, &claimed) {
                return Ok(claimed);
            }
            Err(ClaimError::Differs { claimed, actual: own_or_requested.clone() })
        }
        several => Err(ClaimError::Repeated(several.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(peer: &str, own: &str, claims: &[&[u8]]) -> Result<String, &'static str> {
        let peer = peer.parse().unwrap();
        let own = own.parse().unwrap();
        tenant_claim(&peer, &own, claims.iter().copied())
            .map(|slug| slug.to_string())
            .map_err(|error| error.code())
    }

    #[test]
    fn the_tenant_comes_from_the_certificate() {
        let agent = "agent-001.p1.acme.serviceradar";
        assert_eq!(claim(agent, "acme", &[]).unwrap(), "acme");
        assert_eq!(claim(agent, "acme", &[b"acme"]).unwrap(), "acme");
        assert_eq!(claim(agent, "globex", &[]), Err("tenant-other"));
        assert_eq!(claim(agent, "acme2", &[b"acme2"]), Err("tenant-other"));
        assert_eq!(claim(agent, "acme", &[b"globex"]), Err("tenant-claim-differs"));
        let twice: &[&[u8]] = &[b"acme", b"acme"];
        assert_eq!(claim(agent, "acme", twice), Err("tenant-claim-repeated"));
        for junk in [&b""[..], b"ACME", b"acme\0", b"\xff", b"acme,globex"] {
            assert_eq!(claim(agent, "acme", &[junk]), Err("tenant-claim-unreadable"));
        }
    }

    #[test]
    fn a_platform_service_asks_for_the_tenant_that_it_names() {
        let poller = "poller.serviceradar";
        assert_eq!(claim(poller, "acme", &[b"acme"]).unwrap(), "acme");
        assert_eq!(claim(poller, "acme", &[b"globex"]), Err("tenant-claim-differs"));
    }
}
