//! One TLS handshake with any credential, against anything.
//!
//! The probe accepts whatever certificate the server shows (an attacker would) and reports it. With TLS 1.3
//! the client's side of the handshake is complete before the server has looked at the client's certificate,
//! so the refusal comes as an alert on the first *read*: the probe always reads once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, HandshakeKind, SignatureScheme};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What nobody here speaks any more, for [`Hello::versions`].
pub use rustls::version::TLS12;

use super::{Observation, Presented, Refusal, Sight, Stopwatch};

/// HTTP/2's connection preface and an empty SETTINGS frame (RFC 9113, section 3.4).
pub(crate) const HTTP2_PREFACE: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// How the handshake is opened.
#[derive(Debug, Clone)]
pub struct Hello {
    /// What to present; `None` sends no certificate.
    pub credential: Option<Presented>,
    /// The server name indication.
    pub server_name: String,
    /// The protocols offered, in order; empty sends none.
    pub alpn: Vec<Vec<u8>>,
    /// The TLS versions offered.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// Where tickets are kept; share one between two handshakes to try a resumption.
    pub sessions: Option<Sessions>,
    /// For connecting, the handshake and the first read, each.
    pub deadline: Duration,
}

/// A configuration and the witness in it.
type Configured = (Arc<ClientConfig>, Arc<Witness>);

/// A place for session tickets, for handshakes of one and the same credential.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: Arc<ClientSessionMemoryCache>,
    made: Arc<Mutex<Option<Configured>>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { store: Arc::new(ClientSessionMemoryCache::new(16)), made: Arc::default() }
    }
}

impl Hello {
    /// The handshake of an honest gRPC client: TLS 1.3, ALPN h2, no resumption.
    #[must_use]
    pub fn grpc(credential: Option<&Presented>, server_name: &str) -> Self {
        Self {
            credential: credential.cloned(),
            server_name: server_name.to_owned(),
            alpn: vec![b"h2".to_vec()],
            versions: vec![&rustls::version::TLS13],
            sessions: None,
            deadline: Duration::from_secs(3),
        }
    }

    /// The handshake of a NATS client: as for gRPC, without ALPN.
    #[must_use]
    pub fn nats(credential: Option<&Presented>) -> Self {
        Self { alpn: Vec::new(), ..Self::grpc(credential, "nats.serviceradar") }
    }
}

/// What a completed handshake showed.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The negotiated version.
    pub version: Option<ProtocolVersion>,
    /// The negotiated protocol.
    pub alpn: Option<Vec<u8>>,
    /// What the server presented, leaf first; empty on a resumed session.
    pub server_chain: Vec<CertificateDer<'static>>,
    /// The server took up an earlier session, and so verified nothing in this one.
    pub resumed: bool,
}

/// One handshake, and one read after it.
///
/// [`Sight::Answered`] means that the server *sent application data*: an h2 server's SETTINGS frame, which
/// it sends after it has accepted the client's certificate.
pub async fn handshake(address: &str, hello: &Hello) -> Observation<Handshake> {
    let watch =
        Stopwatch::start(format!("TLS handshake with {address} as {}", label(hello.credential.as_ref())));
    let tcp = match connect(address, hello.deadline).await {
        Ok(tcp) => tcp,
        Err(sight) => return watch.stop(sight, None),
    };
    let local = tcp.local_addr().ok();
    let sight = match secure(tcp, hello).await {
        Ok((mut stream, shown)) => first_word(&mut stream, hello.deadline).await.map(|()| shown),
        Err(sight) => sight,
    };
    watch.stop(sight, local)
}

/// One handshake to learn which authorities the server names when it asks for a certificate.
///
/// [`Sight::Answered`] means that it named some, whatever it said afterwards; or none, and that it let the client in. What
/// is named are DER-encoded distinguished names.
pub async fn ask_for_authorities(address: &str, hello: &Hello) -> Observation<Vec<Vec<u8>>> {
    let watch =
        Stopwatch::start(format!("ask {address} for authorities as {}", label(hello.credential.as_ref())));
    let (config, witness) = match configure(hello) {
        Ok(configured) => configured,
        Err(error) => return watch.stop(Sight::NotMade(error.to_string()), None),
    };
    let tcp = match connect(address, hello.deadline).await {
        Ok(tcp) => tcp,
        Err(sight) => return watch.stop(sight, None),
    };
    let local = tcp.local_addr().ok();
    let sight = match secure_as(tcp, hello, (config, Arc::clone(&witness))).await {
        Ok((mut stream, _)) => first_word(&mut stream, hello.deadline).await,
        Err(sight) => sight,
    };
    let named = witness.authorities();
    let sight = if named.is_empty() { sight.map(|()| Vec::new()) } else { Sight::Answered(named) };
    watch.stop(sight, local)
}

/// What a credential is called in reports.
pub(crate) fn label(credential: Option<&Presented>) -> &str {
    credential.map_or("nobody (no certificate)", Presented::label)
}

/// A TCP connection within the deadline.
pub(crate) async fn connect<T>(address: &str, deadline: Duration) -> Result<TcpStream, Sight<T>> {
    match timeout(deadline, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => {
            // Nagle's delay would be measured as the platform's.
            let _best_effort = tcp.set_nodelay(true);
            Ok(tcp)
        }
        Ok(Err(error)) => Err(Sight::Unreachable(format!("connect to {address}: {error}"))),
        Err(_) => {
            Err(Sight::Unreachable(format!("connect to {address}: no answer in {} ms", deadline.as_millis())))
        }
    }
}

/// TLS on top of a connection, accepting whatever the server shows.
pub(crate) async fn secure<T>(
    tcp: TcpStream,
    hello: &Hello,
) -> Result<(TlsStream<TcpStream>, Handshake), Sight<T>> {
    let configured = configure(hello).map_err(|error| Sight::NotMade(error.to_string()))?;
    secure_as(tcp, hello, configured).await
}

async fn secure_as<T>(
    tcp: TcpStream,
    hello: &Hello,
    (config, witness): Configured,
) -> Result<(TlsStream<TcpStream>, Handshake), Sight<T>> {
    let name = ServerName::try_from(hello.server_name.clone())
        .map_err(|error| Sight::NotMade(format!("server name '{}': {error}", hello.server_name)))?;
    let connecting = TlsConnector::from(config).connect(name, tcp);
    let stream = match timeout(hello.deadline, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(sight_of(&error)),
        Err(_) => return Err(Sight::Silence(hello.deadline)),
    };
    let (_, connection) = stream.get_ref();
    let shown = Handshake {
        version: connection.protocol_version(),
        alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        server_chain: witness.chain(),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    };
    Ok((stream, shown))
}

/// Sends the h2 preface where h2 was agreed on, and reads once: an alert, an end, or the first bytes.
pub(crate) async fn first_word(stream: &mut TlsStream<TcpStream>, deadline: Duration) -> Sight<()> {
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        // A failure to write shows in the read that follows, with the alert in it.
        let _shown_by_the_read = stream.write_all(HTTP2_PREFACE).await;
        let _shown_by_the_read = stream.flush().await;
    }
    let mut first = [0_u8; 1];
    match timeout(deadline, stream.read(&mut first)).await {
        Ok(Ok(0)) => Sight::Closed("end of stream after the handshake".to_owned()),
        Ok(Ok(_)) => Sight::Answered(()),
        Ok(Err(error)) => sight_of(&error),
        Err(_) => Sight::Silence(deadline),
    }
}

/// What an I/O error on a TLS stream shows.
pub(crate) fn sight_of<T>(error: &io::Error) -> Sight<T> {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::AlertReceived(alert)) => Sight::Refused(Refusal::Alert(*alert)),
        Some(other) => Sight::NotMade(format!("TLS: {other}")),
        None => Sight::Closed(error.to_string()),
    }
}

/// The handshake's configuration: a new one, or the one under which the sessions were made. rustls offers a
/// session only under the very verifier and credential that it was made with.
fn configure(hello: &Hello) -> Result<Configured, TlsError> {
    let make = || {
        let witness = Arc::new(Witness::default());
        Ok::<_, TlsError>((Arc::new(client_config(hello, &witness)?), witness))
    };
    let Some(Sessions { made, .. }) = &hello.sessions else { return make() };
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((config, witness)) = &*made {
        return Ok((Arc::clone(config), Arc::clone(witness)));
    }
    let (config, witness) = make()?;
    *made = Some((Arc::clone(&config), Arc::clone(&witness)));
    Ok((config, witness))
}

fn client_config(hello: &Hello, witness: &Arc<Witness>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&hello.versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(witness) as Arc<dyn ServerCertVerifier>);
    let mut config = match &hello.credential {
        Some(credential) => builder.with_client_cert_resolver(credential.resolver()?),
        None => builder.with_client_cert_resolver(Arc::clone(witness) as Arc<dyn ResolvesClientCert>),
    };
    config.alpn_protocols.clone_from(&hello.alpn);
    config.resumption = match &hello.sessions {
        Some(sessions) => Resumption::store(Arc::clone(&sessions.store) as Arc<dyn ClientSessionStore>),
        None => Resumption::disabled(),
    };
    Ok(config)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Accepts every server and remembers what it showed. Signatures are checked for real, so that a shown
/// certificate is one whose key the server holds.
#[derive(Debug, Default)]
struct Witness {
    chain: Mutex<Vec<CertificateDer<'static>>>,
    authorities: Mutex<Vec<Vec<u8>>>,
}

impl Witness {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn authorities(&self) -> Vec<Vec<u8>> {
        self.authorities.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Has no certificate to give, and remembers whose the server would have liked.
impl ResolvesClientCert for Witness {
    fn resolve(&self, named: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut authorities = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        *authorities = named.iter().map(|name| name.to_vec()).collect();
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        *chain = std::iter::once(leaf).chain(intermediates).map(|one| one.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, leaf, signature, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, leaf, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
