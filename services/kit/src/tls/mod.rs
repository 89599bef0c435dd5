//! Mutual TLS 1.3 in both directions, without resumption.
//!
//! A resumed session skips the verification of the certificate (the class of CVE-2025-23419), so neither
//! side keeps or hands out sessions: each connection is a full handshake and is judged anew.

mod bounded;
mod dialer;
mod listener;
mod server;

use std::sync::{Arc, LazyLock};

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{
    AuthorityName, PeerName, PeerPattern, PeerVerifier, Refusal, RefusalSlot, Role, TenantSlug, TrustBundle,
};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::version::TLS13;

pub use bounded::BoundedStream;
pub use dialer::{Connection, DialError, DialProblem, Dialer};
pub use listener::{Limits, ListenError, Listener};

use crate::audit::{Layer, Record};
use crate::credential::Credential;

/// The only application protocol that is spoken: HTTP/2, which gRPC needs.
pub(crate) const ALPN_H2: &[u8] = b"h2";

/// One provider in the whole process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}

/// A client's side that accepts `peer` only. The slot tells afterwards why a handshake failed.
pub(crate) fn client_config(
    credential: &Credential,
    trust: &Arc<TrustBundle>,
    peer: &PeerName,
    protocols: &[&[u8]],
) -> Result<(ClientConfig, RefusalSlot), Box<dyn std::error::Error + Send + Sync>> {
    let any = seeded::is_on(SeededFault::DialerAnyName)
        || seeded::is_on(SeededFault::PollerAnyAgent) && peer.tenant().is_some();
    let accepted = if any { anybody(trust) } else { vec![PeerPattern::Exactly(peer.clone())] };
    let (verifier, refusal) =
        PeerVerifier::new(trust.clone(), accepted, Role::Server)?.server_cert_verifier();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(credential.resolver());
    config.resumption = Resumption::disabled();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok((config, refusal))
}

/// Everybody whom a trusted authority may have named.
fn anybody(trust: &TrustBundle) -> Vec<PeerPattern> {
    let of = |name: &AuthorityName| match name {
        AuthorityName::Tenant(tenant) => vec![PeerPattern::MemberOf(tenant.clone())],
        AuthorityName::Root | AuthorityName::Platform => PeerPattern::any_platform_service(),
    };
    trust.authorities().iter().flat_map(|authority| of(authority.name())).collect()
}

/// The record of a certificate that was refused: with the name in it, where an authority that we know has
/// certified that name, and with that authority's tenant.
pub(crate) fn refused(refusal: &Refusal) -> Record {
    let record = Record::refused(Layer::Tls, refusal.code()).detail(refusal);
    match refusal {
        Refusal::UnexpectedPeer { found, .. } => of_tenant(record.identity(found), found.tenant()),
        // The authority is who lies: the tenant that it names has nothing to do with it.
        Refusal::WrongAuthority { issuer, found } => {
            let tenant = match issuer {
                AuthorityName::Tenant(tenant) => Some(tenant),
                AuthorityName::Root | AuthorityName::Platform => None,
            };
            of_tenant(record.identity(found), tenant)
        }
        _ => record,
    }
}

/// Concerning `tenant`; the service's own when there is none.
pub(crate) fn of_tenant(record: Record, tenant: Option<&TenantSlug>) -> Record {
    match tenant {
        Some(tenant) => record.tenant(tenant),
        None => record,
    }
}
