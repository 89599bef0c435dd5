//! The server's side of one connection: TLS 1.3 and HTTP/2 only, a certificate from everybody, and no sessions.

use std::sync::{Arc, LazyLock};

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{PeerVerifier, RefusalSlot};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::{ALPN_H2, provider};

/// A configuration per connection, since each has its own slot for the reason of a refusal.
pub(super) fn server_config(
    verifier: &PeerVerifier,
    resolver: Arc<SingleCertAndKey>,
) -> Result<(ServerConfig, RefusalSlot), rustls::Error> {
    let (verifier, refusal) = verifier.client_cert_verifier();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    if seeded::is_on(SeededFault::AlpnNotRequired) {
        config.alpn_protocols.push(b"http/1.1".to_vec());
    }
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if seeded::is_on(SeededFault::SessionResumption) {
        config.send_tls13_tickets = 2;
        config.session_storage = shared_sessions();
    }
    Ok((config, refusal))
}

static NEW: &[&SupportedProtocolVersion] = &[&TLS13];
static NEW_AND_OLD: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

fn versions() -> &'static [&'static SupportedProtocolVersion] {
    if seeded::is_on(SeededFault::OldTlsAccepted) { NEW_AND_OLD } else { NEW }
}

/// Sessions of the whole process, which only [`SeededFault::SessionResumption`] keeps.
fn shared_sessions() -> Arc<dyn StoresServerSessions> {
    static SESSIONS: LazyLock<Arc<ServerSessionMemoryCache>> =
        LazyLock::new(|| ServerSessionMemoryCache::new(256));
    SESSIONS.clone()
}
