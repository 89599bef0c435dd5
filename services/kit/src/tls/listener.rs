//! The server's side: a socket whose connections are handed out only after mutual TLS.
//!
//! Each handshake is a task of its own with a deadline, so that a silent client blocks nobody. When too
//! many are under way, one is cut of the address that has most: the one that has waited longest, since an honest
//! handshake takes milliseconds. So it is the silent ones that go, a newcomer always gets its turn, and a flood
//! from one place costs those at other places nothing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{
    PeerName, PeerVerifier, PlatformName, Refusal, RefusalSlot, TenantSlug, identity_of_verified_leaf,
};
use rustls::InvalidMessage;
use rustls::sign::SingleCertAndKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::bounded::BoundedStream;
use super::server::server_config;
use super::{ALPN_H2, of_tenant, refused};
use crate::audit::{Layer, Record};
use crate::credential::Credential;
use crate::places::Places;
use crate::trace::TraceId;

/// How many accepted connections may wait for the server to take them.
const ACCEPTED_QUEUE: usize = 16;
/// The pause after an accept that failed, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How much of one call a peer may send ahead of its being read.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// How much of all calls of one connection together.
const CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;

/// What one peer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How many handshakes may be under way.
    pub concurrent_handshakes: usize,
    /// How many connections one tenant, or one service of the platform, may have.
    pub connections: usize,
    /// How old a connection may become: after it a peer is verified anew, so a revoked one is cut.
    pub connection_age: Duration,
    /// How long a call may take, also when it is under way at that age.
    pub call_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // As long as nats-server waits unless it is told otherwise: each round trip of it is one of seconds only where
            // nobody could be polled anyway.
            handshake_timeout: Duration::from_secs(2),
            concurrent_handshakes: 256,
            connections: 256,
            connection_age: Duration::from_secs(300),
            call_timeout: Duration::from_secs(30),
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
            places: Places::new(limits.connections),
            limits,
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
    /// An old connection is ended by GOAWAY: it takes no further call, and those under way have the time of a
    /// call to end. A call that streams does not end by itself, so the connection then ends under it.
    /// `max_connection_age_grace` is not set, since tonic 0.14 then sends no GOAWAY at all and breaks calls off.
    #[must_use]
    pub fn server(&self) -> Server {
        Server::builder()
            .max_connection_age(self.limits.connection_age)
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(5)))
            .http2_max_header_list_size(8 * 1024)
            .max_concurrent_streams(64)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .timeout(self.limits.call_timeout)
    }

    /// Accepted connections, until `shutdown`. What goes wrong with one of them is recorded and is not
    /// an item of the stream.
    #[must_use]
    pub fn incoming(self, shutdown: CancellationToken) -> ReceiverStream<io::Result<BoundedStream>> {
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
                        if seeded::is_on(SeededFault::HandshakeSerial) {
                            if let Some(stream) =
                                handshaker.shake(stream, peer, CancellationToken::new()).await
                            {
                                let _ = accepted.send(Ok(stream)).await;
                            }
                            continue;
                        }
                        handshakes.start(peer.ip(), |cut| async move {
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
    under_way: VecDeque<Handshake>,
}

struct Handshake {
    source: IpAddr,
    task: AbortHandle,
    cut: CancellationToken,
}

impl Handshakes {
    fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), under_way: VecDeque::new() }
    }

    fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        source: IpAddr,
        make: impl FnOnce(CancellationToken) -> F,
    ) {
        if self.under_way.len() >= self.limit {
            self.under_way.retain(|handshake| !handshake.task.is_finished());
        }
        if self.under_way.len() >= self.limit {
            self.evict();
        }
        let cut = CancellationToken::new();
        let task = tokio::spawn(make(cut.clone())).abort_handle();
        self.under_way.push_back(Handshake { source, task, cut });
    }

    /// Cuts the oldest handshake of the address that has most of them under way.
    fn evict(&mut self) {
        let mut counts = BTreeMap::<IpAddr, usize>::new();
        for handshake in &self.under_way {
            *counts.entry(handshake.source).or_default() += 1;
        }
        let most = counts.values().max();
        let oldest = self.under_way.iter().position(|handshake| counts.get(&handshake.source) == most);
        if let Some(handshake) = oldest.and_then(|oldest| self.under_way.remove(oldest)) {
            handshake.cut.cancel();
        }
    }
}

struct Handshaker {
    resolver: Arc<SingleCertAndKey>,
    verifier: PeerVerifier,
    tenant: Option<TenantSlug>,
    places: Arc<Places>,
    limits: Limits,
}

impl Handshaker {
    /// One connection, one record: accepted or refused.
    async fn shake(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        cut: CancellationToken,
    ) -> Option<BoundedStream> {
        // Small answers must not wait for an acknowledgement; a socket that refuses is about to fail anyway.
        let _ = stream.set_nodelay(true);
        let limit = match seeded::is_on(SeededFault::HandshakeTimeoutMissing) {
            true => Duration::MAX,
            false => self.limits.handshake_timeout,
        };
        let result = tokio::select! {
            () = cut.cancelled() => Err(Failure::other("handshake-evicted", "too many handshakes are under way")),
            result = timeout(limit, self.negotiate(stream)) => result
                .unwrap_or_else(|_| Err(Failure::other("handshake-timeout", "the peer did not finish the handshake"))),
        };
        let (record, stream) = match result {
            Ok((name, stream)) => {
                let stream = self.bounded(stream, &name);
                let record = match &stream {
                    Some(_) => Record::accepted(Layer::Tls),
                    None => Record::refused(Layer::Tls, "too-many-connections")
                        .detail("the peer's tenant has as many connections as it may have"),
                };
                (of_tenant(record.identity(&name), name.tenant()), stream)
            }
            Err(failure) => (failure.record(), None),
        };
        // A tenant's own service is concerned whoever the peer is; a platform service's peer says whose tenant is.
        of_tenant(record, self.tenant.as_ref()).peer(peer).trace_id(TraceId::random()).write();
        stream
    }

    /// The connection with its bounds, unless the peer has too many.
    fn bounded(&self, stream: TlsStream<TcpStream>, name: &PeerName) -> Option<BoundedStream> {
        let end = Instant::now() + self.limits.connection_age + self.limits.call_timeout;
        Some(BoundedStream::new(stream, end, self.places.take(name)?))
    }

    async fn negotiate(&self, stream: TcpStream) -> Result<(PeerName, TlsStream<TcpStream>), Failure> {
        let (config, refusal) = server_config(&self.verifier, self.resolver.clone())
            .map_err(|error| Failure::other("server-configuration", error))?;
        let stream = TlsAcceptor::from(Arc::new(config))
            .accept(stream)
            .await
            .map_err(|error| Failure::of(&error, &refusal))?;
        let session = stream.get_ref().1;
        let speaks_h2 =
            session.alpn_protocol() == Some(ALPN_H2) || seeded::is_on(SeededFault::AlpnNotRequired);
        if !speaks_h2 {
            return Err(Failure::other("no-alpn", "the peer did not offer h2"));
        }
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let name = leaf.and_then(|leaf| identity_of_verified_leaf(leaf).ok());
        match name {
            Some(name) => Ok((name, stream)),
            None if seeded::is_on(SeededFault::ClientCertificateOptional) => {
                Ok((PlatformName::Poller.into(), stream))
            }
            // The verifier has accepted it, so this cannot be reached; it is refused all the same.
            None => Err(Failure::other("no-certificate", "the peer presented no certificate")),
        }
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
