//! A server with any credential: what a service sees that has been led to the wrong place.
//!
//! It accepts every client and requires no certificate, so that nothing but the client's own judgement
//! ends the handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::tls::{provider, sight_of};
use super::{CredentialError, Presented, Refusal, Sight};

/// What the visitors are led to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disguise {
    /// A gRPC server: TLS at once, ALPN h2.
    Grpc,
    /// A NATS broker: an INFO line in the clear, then TLS.
    Broker,
}

/// A running impostor; it stops when it is dropped.
#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    visits: mpsc::UnboundedReceiver<Visit>,
    running: JoinHandle<()>,
}

/// One client's visit.
#[derive(Debug)]
pub struct Visit {
    /// Where it came from.
    pub from: SocketAddr,
    /// [`Sight::Answered`] when the client accepted the certificate and spoke.
    pub sight: Sight<()>,
}

impl Impostor {
    /// Listens with a credential on an address (port 0: any).
    ///
    /// # Errors
    /// The credential's key is unknown to ring, or the address cannot be bound.
    pub async fn listen(
        at: &str,
        disguise: Disguise,
        credential: &Presented,
    ) -> Result<Self, CredentialError> {
        let failed = |why: String| CredentialError::Unavailable { label: credential.label().to_owned(), why };
        let config = config(disguise, credential).map_err(|error| failed(error.to_string()))?;
        let listener =
            TcpListener::bind(at).await.map_err(|error| failed(format!("listen on {at}: {error}")))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let (told, visits) = mpsc::unbounded_channel();
        let running = tokio::spawn(serve(listener, disguise, TlsAcceptor::from(Arc::new(config)), told));
        Ok(Self { address, visits, running })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next visit, if one comes in time.
    pub async fn visit(&mut self, deadline: Duration) -> Option<Visit> {
        timeout(deadline, self.visits.recv()).await.ok().flatten()
    }
}

/// An impostor that receives one visitor at a time, each with the credential of the moment: whoever comes meanwhile waits
/// in the system's queue.
#[derive(Debug)]
pub struct Turnstile {
    address: SocketAddr,
    disguise: Disguise,
    listener: TcpListener,
}

impl Turnstile {
    /// Listens on an address (port 0: any).
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn listen(at: &str, disguise: Disguise) -> std::io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        Ok(Self { address: listener.local_addr()?, disguise, listener })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Receives the next visitor with this credential, if one comes in time.
    ///
    /// # Errors
    /// The credential's key is unknown to ring.
    pub async fn receive(
        &self,
        credential: &Presented,
        deadline: Duration,
    ) -> Result<Option<Visit>, CredentialError> {
        let failed = |error: rustls::Error| CredentialError::Unavailable {
            label: credential.label().to_owned(),
            why: error.to_string(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config(self.disguise, credential).map_err(failed)?));
        let Ok(Ok((tcp, from))) = timeout(deadline, self.listener.accept()).await else { return Ok(None) };
        let sight = receive(tcp, self.disguise, &acceptor).await;
        Ok(Some(Visit { from, sight }))
    }
}

impl Turnstile {
    /// Receives the next visitor without a certificate, and so without TLS, if one comes in time.
    ///
    /// [`Sight::Refused`] means that the visitor would speak TLS or nothing: it opened a handshake.
    pub async fn receive_in_the_clear(&self, deadline: Duration) -> Option<Visit> {
        let (mut tcp, from) = timeout(deadline, self.listener.accept()).await.ok()?.ok()?;
        let read_once = async {
            if self.disguise == Disguise::Broker {
                tcp.write_all(GREETING_WITHOUT_TLS.as_bytes()).await?;
            }
            let mut first = [0_u8; 1];
            tcp.read(&mut first).await.map(|read| first[..read].first().copied())
        };
        let sight = match timeout(RECEIVE_DEADLINE, read_once).await {
            Ok(Ok(None)) => Sight::Closed("end of stream before any word".to_owned()),
            Ok(Ok(Some(TLS_HANDSHAKE))) => Sight::Refused(Refusal::TlsDemanded),
            Ok(Ok(Some(_))) => Sight::Answered(()),
            Ok(Err(error)) => sight_of(&error),
            Err(_) => Sight::Silence(RECEIVE_DEADLINE),
        };
        Some(Visit { from, sight })
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn config(disguise: Disguise, credential: &Presented) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(credential.resolver()?);
    config.send_tls13_tickets = 0;
    if disguise == Disguise::Grpc {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(config)
}

async fn serve(
    listener: TcpListener,
    disguise: Disguise,
    acceptor: TlsAcceptor,
    told: mpsc::UnboundedSender<Visit>,
) {
    // Visits end with the impostor: the set aborts what it holds when it is dropped.
    let mut visits = JoinSet::new();
    while let Ok((tcp, from)) = listener.accept().await {
        let (acceptor, told) = (acceptor.clone(), told.clone());
        visits.spawn(async move {
            let sight = receive(tcp, disguise, &acceptor).await;
            let _nobody_asks_any_more = told.send(Visit { from, sight });
        });
    }
}

/// How long a visitor may take to say its first word.
const RECEIVE_DEADLINE: Duration = Duration::from_secs(3);
/// The first byte of a ClientHello: the record's content type (RFC 8446, section 5.1). No line of NATS and no HTTP/2 preface
/// begins with it.
const TLS_HANDSHAKE: u8 = 22;

const GREETING: &str = concat!(
    "INFO {\"server_id\":\"IMPOSTOR\",\"version\":\"2.15.1\",\"proto\":1,\"max_payload\":1048576,",
    "\"headers\":true,\"tls_required\":true,\"tls_verify\":true}\r\n"
);
const GREETING_WITHOUT_TLS: &str = concat!(
    "INFO {\"server_id\":\"IMPOSTOR\",\"version\":\"2.15.1\",\"proto\":1,\"max_payload\":1048576,",
    "\"headers\":true}\r\n"
);

/// Accepts, and reads once: a client that refuses sends its alert instead of its first words.
async fn receive(mut tcp: TcpStream, disguise: Disguise, acceptor: &TlsAcceptor) -> Sight<()> {
    if disguise == Disguise::Broker
        && let Err(error) = tcp.write_all(GREETING.as_bytes()).await
    {
        return sight_of(&error);
    }
    let read_once = async {
        let mut stream = acceptor.accept(tcp).await?;
        let mut first = [0_u8; 1];
        stream.read(&mut first).await
    };
    match timeout(RECEIVE_DEADLINE, read_once).await {
        Ok(Ok(0)) => Sight::Closed("end of stream after the handshake".to_owned()),
        Ok(Ok(_)) => Sight::Answered(()),
        Ok(Err(error)) => sight_of(&error),
        Err(_) => Sight::Silence(RECEIVE_DEADLINE),
    }
}
