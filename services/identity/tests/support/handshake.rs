//! Real TLS handshakes between two rustls connections in memory: no socket, no clock, no runtime.

use std::sync::{Arc, Mutex};

use bulkhead_identity::{Refusal, RefusalSlot, Role};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

use super::attempt::Attempt;
use super::forge::{Forge, agent_001};

/// How a handshake ended, on both sides.
#[derive(Debug)]
pub(crate) struct Ending {
    /// What the judging side recorded.
    pub(crate) refusal: Option<Refusal>,
    /// The alert that reached the other side.
    pub(crate) alert: Option<AlertDescription>,
    /// The judging side's error, if any.
    pub(crate) error: Option<Error>,
    /// The other side's error, if any. With TLS 1.3 a refused client has none until it reads the alert.
    pub(crate) peer_error: Option<Error>,
}

/// A certificate that is presented whatever the other side asks for, well-formed or not.
#[derive(Debug)]
struct Presents {
    key: Arc<CertifiedKey>,
    /// How many names of authorities the other side gave when it asked.
    hints: Arc<Mutex<Option<usize>>>,
}

impl ResolvesClientCert for Presents {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.hints.lock().unwrap() = Some(hints.len());
        Some(self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Presents {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.clone())
    }
}

#[derive(Debug)]
struct Fixed(UnixTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &rcgen::KeyPair) -> Presents {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = ring::sign::any_supported_type(&key).unwrap();
    Presents { key: Arc::new(CertifiedKey::new(chain, key)), hints: Arc::default() }
}

/// The attempt as a whole handshake: the peer is in `role`, the judge on the other side. The judge presents a
/// good certificate of its own.
pub(crate) fn shake(forge: &Forge, attempt: &Attempt, role: Role) -> Result<Ending, &'static str> {
    let verifier = attempt.verifier(role)?;
    let now = attempt.unix_now();
    let mut chain = vec![attempt.leaf.clone()];
    chain.extend(attempt.sent.iter().cloned());
    let peer = certified(chain, &attempt.key);
    let honest = forge.leaf(agent_001("acme"), &forge.acme);
    let judge = certified(vec![honest.der], &honest.key);
    Ok(match role {
        Role::Client => {
            let (judging, slot) = verifier.client_cert_verifier();
            let client = client(now, trusting_anybody(), Some(peer));
            let server = server(now, judging, judge);
            judged_by_server(client, server, &slot)
        }
        Role::Server => {
            let (judging, slot) = verifier.server_cert_verifier();
            let client = client(now, judging, Some(judge));
            let server = server(now, asking_for_nothing(), peer);
            judged_by_client(client, server, &slot)
        }
    })
}

/// What a client does in a handshake that is not about its certificate's contents.
#[derive(Clone, Copy)]
pub(crate) enum Oddity {
    /// It has no certificate at all.
    NoCertificate,
    /// It speaks TLS 1.2 only, to a server that would let it.
    OldVersion,
}

/// A handshake of an odd client with a judging server.
pub(crate) fn shake_oddly(forge: &Forge, attempt: &Attempt, oddity: Oddity) -> Ending {
    let (judging, slot) = attempt.verifier(Role::Client).unwrap().client_cert_verifier();
    let honest = forge.leaf(agent_001("acme"), &forge.acme);
    let judge = certified(vec![honest.der], &honest.key);
    let now = attempt.unix_now();
    let peer = certified(vec![attempt.leaf.clone()], &attempt.key);
    let (client, server) = match oddity {
        Oddity::NoCertificate => (client(now, trusting_anybody(), None), server(now, judging, judge)),
        Oddity::OldVersion => {
            let old = &[&rustls::version::TLS12];
            (
                client_speaking(old, now, trusting_anybody(), Some(peer)),
                server_speaking(rustls::ALL_VERSIONS, now, judging, judge),
            )
        }
    };
    judged_by_server(client, server, &slot)
}

/// The names of authorities that a judging server tells a client in the handshake.
pub(crate) fn hints_sent_to_a_client(forge: &Forge, attempt: &Attempt) -> usize {
    let (judging, _) = attempt.verifier(Role::Client).unwrap().client_cert_verifier();
    let honest = forge.leaf(agent_001("acme"), &forge.acme);
    let now = attempt.unix_now();
    let mut server = server(now, judging, certified(vec![honest.der], &honest.key));
    let peer = certified(vec![attempt.leaf.clone()], &attempt.key);
    let hints = peer.hints.clone();
    let mut client = client(now, trusting_anybody(), Some(peer));
    assert_eq!(run(&mut client, &mut server), (None, None));
    let hints = hints.lock().unwrap();
    hints.expect("the server asked for a certificate")
}

fn client(
    now: UnixTime,
    verifier: Arc<dyn ServerCertVerifier>,
    presents: Option<Presents>,
) -> ClientConnection {
    client_speaking(&[&rustls::version::TLS13], now, verifier, presents)
}

fn client_speaking(
    versions: &[&'static SupportedProtocolVersion],
    now: UnixTime,
    verifier: Arc<dyn ServerCertVerifier>,
    presents: Option<Presents>,
) -> ClientConnection {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(Fixed(now)))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match presents {
        Some(presents) => builder.with_client_cert_resolver(Arc::new(presents)),
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("wherever.example").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

fn server(now: UnixTime, verifier: Arc<dyn ClientCertVerifier>, presents: Presents) -> ServerConnection {
    server_speaking(&[&rustls::version::TLS13], now, verifier, presents)
}

fn server_speaking(
    versions: &[&'static SupportedProtocolVersion],
    now: UnixTime,
    verifier: Arc<dyn ClientCertVerifier>,
    presents: Presents,
) -> ServerConnection {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_details(provider, Arc::new(Fixed(now)))
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(presents));
    ServerConnection::new(Arc::new(config)).unwrap()
}

fn judged_by_server(
    mut client: ClientConnection,
    mut server: ServerConnection,
    slot: &RefusalSlot,
) -> Ending {
    let (client_error, server_error) = run(&mut client, &mut server);
    ending(slot, server_error, client_error)
}

fn judged_by_client(
    mut client: ClientConnection,
    mut server: ServerConnection,
    slot: &RefusalSlot,
) -> Ending {
    let (client_error, server_error) = run(&mut client, &mut server);
    ending(slot, client_error, server_error)
}

fn ending(slot: &RefusalSlot, judge: Option<Error>, peer: Option<Error>) -> Ending {
    Ending {
        refusal: judge.as_ref().and_then(|error| slot.reason_of(error)),
        alert: match &peer {
            Some(Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        },
        error: judge,
        peer_error: peer,
    }
}

/// Carries bytes to and fro until neither side has any: then both errors are final.
fn run(client: &mut ClientConnection, server: &mut ServerConnection) -> (Option<Error>, Option<Error>) {
    let (mut client_error, mut server_error) = (None, None);
    loop {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let to_server = wire.len();
        let mut unread = wire.as_slice();
        while !unread.is_empty() && server_error.is_none() {
            server.read_tls(&mut unread).unwrap();
            server_error = server.process_new_packets().err();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let to_client = wire.len();
        let mut unread = wire.as_slice();
        while !unread.is_empty() && client_error.is_none() {
            client.read_tls(&mut unread).unwrap();
            client_error = client.process_new_packets().err();
        }
        if to_server + to_client == 0 {
            return (client_error, server_error);
        }
    }
}

/// The side that is not under test in a handshake: it lets anybody pass, so that only the judge decides.
#[derive(Debug)]
struct Anybody;

fn trusting_anybody() -> Arc<dyn ServerCertVerifier> {
    Arc::new(Anybody)
}

fn asking_for_nothing() -> Arc<dyn ClientCertVerifier> {
    rustls::server::WebPkiClientVerifier::no_client_auth()
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
