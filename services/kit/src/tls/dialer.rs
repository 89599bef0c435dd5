//! The client's side: one connection to exactly one named peer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bulkhead_identity::{PeerName, Refusal, TrustBundle};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::{ALPN_H2, client_config, of_tenant, refused};
use crate::audit::{Layer, Record};
use crate::config::HostPort;
use crate::credential::Credential;
use crate::trace::TraceId;

/// A peer that could not be dialled.
#[derive(Debug, thiserror::Error)]
#[error("cannot dial {peer} at {address}: {problem}")]
pub struct DialError {
    /// The common name of who was dialled.
    pub peer: String,
    /// Where.
    pub address: HostPort,
    /// Why it failed.
    pub problem: DialProblem,
}

/// Why a peer could not be dialled.
#[derive(Debug, thiserror::Error)]
pub enum DialProblem {
    /// No connection: nobody listens, or the network does not let it through.
    #[error("no connection: {0}")]
    Unreachable(#[source] io::Error),
    /// No answer in time.
    #[error("no answer within {limit_ms} ms")]
    Timeout {
        /// The limit, in milliseconds.
        limit_ms: u128,
    },
    /// We refused the peer's certificate.
    #[error("its certificate is refused: {0}")]
    Refused(Box<Refusal>),
    /// The handshake failed for another reason; under TLS 1.3 a peer that refuses *us* says so only with
    /// the first call.
    #[error("the handshake failed: {0}")]
    Handshake(String),
}

impl DialProblem {
    fn handshake(problem: impl ToString) -> Self {
        Self::Handshake(problem.to_string())
    }
}

/// A verified connection. When it ends, calls on the channel fail: dial again, so that each connection is
/// judged, recorded and its failure is seen for what it is.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The gRPC channel.
    pub channel: Channel,
    /// The address that answered.
    pub peer: SocketAddr,
    /// Our own address on this connection: what the peer's audit record calls `peer`.
    pub local: SocketAddr,
}

/// Dials named peers with the service's own credential.
#[derive(Debug, Clone)]
pub struct Dialer {
    credential: Credential,
    trust: Arc<TrustBundle>,
    timeout: Duration,
}

impl Dialer {
    /// `timeout` bounds name resolution, connection and handshake together.
    #[must_use]
    pub fn new(credential: Credential, trust: Arc<TrustBundle>, timeout: Duration) -> Self {
        Self { credential, trust, timeout }
    }

    /// Connects to `address` and accepts exactly `peer` there. The outcome of the handshake is recorded
    /// for the audit, under the peer's tenant.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial(&self, peer: &PeerName, address: &HostPort) -> Result<Connection, DialError> {
        self.dial_traced(peer, address, TraceId::random()).await
    }

    /// The same as part of a trace, so that the handshake's record can be joined with those of the calls.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial_traced(
        &self,
        peer: &PeerName,
        address: &HostPort,
        trace: TraceId,
    ) -> Result<Connection, DialError> {
        let attempt = timeout(self.timeout, self.connect(peer, address, trace));
        let result = attempt
            .await
            .unwrap_or_else(|_| Err(DialProblem::Timeout { limit_ms: self.timeout.as_millis() }));
        result.map_err(|problem| DialError { peer: peer.common_name(), address: address.clone(), problem })
    }

    async fn connect(
        &self,
        peer: &PeerName,
        address: &HostPort,
        trace: TraceId,
    ) -> Result<Connection, DialProblem> {
        let target = (address.host(), address.port());
        let socket = TcpStream::connect(target).await.map_err(DialProblem::Unreachable)?;
        let remote = socket.peer_addr().map_err(DialProblem::Unreachable)?;
        let local = socket.local_addr().map_err(DialProblem::Unreachable)?;
        socket.set_nodelay(true).map_err(DialProblem::Unreachable)?;
        let stream = self.negotiate(peer, socket, remote, trace).await?;
        let channel = channel(peer, stream).await.map_err(DialProblem::handshake)?;
        Ok(Connection { channel, peer: remote, local })
    }

    async fn negotiate(
        &self,
        peer: &PeerName,
        socket: TcpStream,
        remote: SocketAddr,
        trace: TraceId,
    ) -> Result<TlsStream<TcpStream>, DialProblem> {
        let (config, refusal) =
            client_config(&self.credential, &self.trust, peer, &[ALPN_H2]).map_err(DialProblem::handshake)?;
        let name = ServerName::try_from(peer.common_name()).map_err(DialProblem::handshake)?;
        match TlsConnector::from(Arc::new(config)).connect(name, socket).await {
            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(ALPN_H2) => {
                self.record(Record::accepted(Layer::Tls).identity(peer), peer, remote, trace);
                Ok(stream)
            }
            Ok(_) => Err(DialProblem::handshake("the peer does not speak h2")),
            Err(error) => match refusal.take() {
                Some(refusal) => {
                    self.record(refused(&refusal), peer, remote, trace);
                    Err(DialProblem::Refused(Box::new(refusal)))
                }
                None => Err(DialProblem::handshake(error)),
            },
        }
    }

    fn record(&self, record: Record, peer: &PeerName, remote: SocketAddr, trace: TraceId) {
        let tenant = peer.tenant().or_else(|| self.credential.name().tenant());
        of_tenant(record, tenant).dialled(peer).peer(remote).trace_id(trace).write();
    }
}

/// A channel over this one connection, with the peer's name as `:authority`. The scheme is `http` because
/// tonic would otherwise want to add a second TLS of its own.
async fn channel(
    peer: &PeerName,
    stream: TlsStream<TcpStream>,
) -> Result<Channel, Box<dyn std::error::Error + Send + Sync>> {
    let once = Arc::new(Mutex::new(Some(stream)));
    let connector = service_fn(move |_: Uri| {
        let stream = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(stream.map(TokioIo::new).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, "the connection has ended; dial again")
        }))
    });
    let endpoint = Endpoint::from_shared(format!("http://{}", peer.common_name()))?;
    Ok(endpoint.connect_with_connector(connector).await?)
}
