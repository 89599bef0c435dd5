//! The server's side: a socket whose connections are handed out only after mutual TLS.
//!
//! Each handshake is a task of its own with a deadline, so that a silent client blocks nobody. When too
//! many are under way, the one that has waited longest is cut: an honest handshake takes milliseconds, so
//! it is the silent ones that go, and a newcomer always gets its turn.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::{
    PeerName, PeerVerifier, Refusal, RefusalSlot, TenantSlug, identity_of_verified_leaf,
};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{InvalidMessage, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::{ALPN_H2, of_tenant, provider, refused};
use crate::audit::{Layer, Record};
use crate::credential::Credential;
use crate::trace::TraceId;

/// How many accepted connections may wait for the server to take them.
const ACCEPTED_QUEUE: usize = 16;
/// The pause after an accept that failed, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one peer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How many handshakes may be under way.
    pub concurrent_handshakes: usize,
    /// How old a connection may become: after it a peer is verified anew, so a revoked one is cut.
    pub connection_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(3),
            concurrent_handshakes: 256,
            connection_age: Duration::from_secs(300),
        }
    }
}

/// Why a service cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be taken.
    #[error("cannot listen on {address}: {source}; free the port, or set `listen` to another address")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound socket. Connections wait in the system's queue until [`Listener::incoming`] takes them.
pub struct Listener {
    socket: TcpListener,
    handshaker: Arc<Handshaker>,
    limits: Limits,
}

impl Listener {
    /// Binds `address`; peers are those whom `verifier` (of role client) accepts.
    ///
    /// # Errors
    /// [`ListenError::Bind`].
    pub async fn bind(
        address: SocketAddr,
        credential: &Credential,
        verifier: PeerVerifier,
        limits: Limits,
    ) -> Result<Self, ListenError> {
        let socket =
            TcpListener::bind(address).await.map_err(|source| ListenError::Bind { address, source })?;
        Ok(Self::over(socket, credential, verifier, limits))
    }

    /// The same over a socket that is bound already.
    #[must_use]
    pub fn over(
        socket: TcpListener,
        credential: &Credential,
        verifier: PeerVerifier,
        limits: Limits,
    ) -> Self {
        let handshaker = Handshaker {
            resolver: credential.resolver(),
            verifier,
            tenant: credential.name().tenant().cloned(),
            timeout: limits.handshake_timeout,
        };
        Self { socket, handshaker: Arc::new(handshaker), limits }
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// The system's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// A gRPC server with our bounds on it, to be given the layers and services.
    ///
    /// An old connection is ended by GOAWAY: it takes no further call, and the time limit on calls ends
    /// those under way. `max_connection_age_grace` is not set, since tonic 0.14 then sends no GOAWAY at all
    /// and breaks calls off.
    #[must_use]
    pub fn server(&self) -> Server {
        Server::builder()
            .max_connection_age(self.limits.connection_age)
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(5)))
            .http2_max_header_list_size(8 * 1024)
            .max_concurrent_streams(64)
            .timeout(Duration::from_secs(30))
    }

    /// Accepted connections, until `shutdown`. What goes wrong with one of them is recorded and is not
    /// an item of the stream.
    #[must_use]
    pub fn incoming(self, shutdown: CancellationToken) -> ReceiverStream<io::Result<TlsStream<TcpStream>>> {
        let (accepted, incoming) = mpsc::channel(ACCEPTED_QUEUE);
        tokio::spawn(async move {
            let mut handshakes = Handshakes::new(self.limits.concurrent_handshakes);
            loop {
                let connection = tokio::select! {
                    () = shutdown.cancelled() => return,
                    connection = self.socket.accept() => connection,
                };
                match connection {
                    Ok((stream, peer)) => {
                        let handshaker = self.handshaker.clone();
                        let accepted = accepted.clone();
                        handshakes.start(|cut| async move {
                            if let Some(stream) = handshaker.shake(stream, peer, cut).await {
                                // The receiver is gone only when the server is ending.
                                let _ = accepted.send(Ok(stream)).await;
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
        ReceiverStream::new(incoming)
    }
}

/// The handshakes under way, oldest first.
struct Handshakes {
    limit: usize,
    under_way: VecDeque<(tokio::task::AbortHandle, CancellationToken)>,
}

impl Handshakes {
    fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), under_way: VecDeque::new() }
    }

    fn start<F: Future<Output = ()> + Send + 'static>(&mut self, make: impl FnOnce(CancellationToken) -> F) {
        if self.under_way.len() >= self.limit {
            self.under_way.retain(|(task, _)| !task.is_finished());
        }
        if self.under_way.len() >= self.limit
            && let Some((_, cut)) = self.under_way.pop_front()
        {
            cut.cancel();
        }
        let cut = CancellationToken::new();
        let task = tokio::spawn(make(cut.clone()));
        self.under_way.push_back((task.abort_handle(), cut));
    }
}

struct Handshaker {
    resolver: Arc<SingleCertAndKey>,
    verifier: PeerVerifier,
    tenant: Option<TenantSlug>,
    timeout: Duration,
}

impl Handshaker {
    /// One connection, one record: accepted or refused.
    async fn shake(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        cut: CancellationToken,
    ) -> Option<TlsStream<TcpStream>> {
        // Small answers must not wait for an acknowledgement; a socket that refuses is about to fail anyway.
        let _ = stream.set_nodelay(true);
        let result = tokio::select! {
            () = cut.cancelled() => Err(Failure::other("handshake-evicted", "too many handshakes are under way")),
            result = timeout(self.timeout, self.negotiate(stream)) => result
                .unwrap_or_else(|_| Err(Failure::other("handshake-timeout", "the peer did not finish the handshake"))),
        };
        let (record, stream) = match result {
            Ok((name, stream)) => {
                (of_tenant(Record::accepted(Layer::Tls).identity(&name), name.tenant()), Some(stream))
            }
            Err(failure) => (failure.record(), None),
        };
        // A tenant's own service is concerned whoever the peer is; a platform service's peer says whose tenant is.
        of_tenant(record, self.tenant.as_ref()).peer(peer).trace_id(TraceId::random()).write();
        stream
    }

    async fn negotiate(&self, stream: TcpStream) -> Result<(PeerName, TlsStream<TcpStream>), Failure> {
        let (config, refusal) =
            self.config().map_err(|error| Failure::other("server-configuration", error))?;
        let stream = TlsAcceptor::from(Arc::new(config))
            .accept(stream)
            .await
            .map_err(|error| Failure::of(&error, &refusal))?;
        let session = stream.get_ref().1;
        if session.alpn_protocol() != Some(ALPN_H2) {
            return Err(Failure::other("no-alpn", "the peer did not offer h2"));
        }
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let name = leaf.and_then(|leaf| identity_of_verified_leaf(leaf).ok());
        match name {
            Some(name) => Ok((name, stream)),
            // The verifier has accepted it, so this cannot be reached; it is refused all the same.
            None => Err(Failure::other("no-certificate", "the peer presented no certificate")),
        }
    }

    /// A configuration per connection, since each has its own slot for the reason of a refusal.
    fn config(&self) -> Result<(ServerConfig, RefusalSlot), rustls::Error> {
        let (verifier, refusal) = self.verifier.client_cert_verifier();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.resolver.clone());
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok((config, refusal))
    }
}

/// Why a handshake failed.
enum Failure {
    Refused(Refusal),
    Other { reason: &'static str, detail: String },
}

impl Failure {
    fn other(reason: &'static str, detail: impl ToString) -> Self {
        Self::Other { reason, detail: detail.to_string() }
    }

    fn of(error: &io::Error, refusal: &RefusalSlot) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(refusal) = tls.and_then(|error| refusal.reason_of(error)) {
            return Self::Refused(refusal);
        }
        let reason = match tls {
            Some(rustls::Error::NoApplicationProtocol) => "no-alpn",
            Some(rustls::Error::AlertReceived(_)) => "refused-by-peer",
            Some(rustls::Error::PeerIncompatible(_)) => "incompatible-tls",
            // Bytes that are no record of TLS.
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => "no-tls",
            Some(_) => "malformed-handshake",
            None => "connection-closed",
        };
        Self::other(reason, error)
    }

    fn record(&self) -> Record {
        match self {
            Self::Refused(refusal) => refused(refusal),
            Self::Other { reason, detail } => Record::refused(Layer::Tls, reason).detail(detail),
        }
    }
}
