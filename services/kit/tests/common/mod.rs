//! A real server behind the kit's listener and access layer, and clients of every kind.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bulkhead_identity::{PeerName, PeerPattern, PeerVerifier, Role};
use bulkhead_kit::access::{AccessLayer, Grants};
use bulkhead_kit::config::{HostPort, IdentityFiles};
use bulkhead_kit::tls::{Connection, Dialer, Limits, Listener};
use bulkhead_test_support::Forge;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

pub const AGENT: &str = "agent-001.p1.acme.serviceradar";
pub const POLLER: &str = "poller.serviceradar";
pub const HEALTH: &str = "grpc.health.v1.Health";

/// acme's agent, which answers the poller and its own tenant on the health service.
pub struct Served {
    pub forge: Forge,
    pub address: SocketAddr,
    calls: Arc<AtomicUsize>,
    shutdown: CancellationToken,
}

impl Served {
    pub async fn start(limits: Limits) -> Self {
        let forge = Forge::with_tenants(&["acme", "acme2", "globex"]);
        let grants = Grants::none()
            .allow(HEALTH, [PeerPattern::Exactly(POLLER.parse().unwrap())])
            .allow(HEALTH, [PeerPattern::MemberOf("acme".parse().unwrap())])
            .allow("a.B", [PeerPattern::Exactly("admin.platform.serviceradar".parse().unwrap())]);
        let credential = forge.credential(AGENT);
        let verifier = PeerVerifier::new(forge.trust(&["acme"]), grants.peers(), Role::Client).unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(any, &credential, verifier, limits).await.unwrap();
        let address = listener.local_address().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let count = tower::util::MapRequestLayer::new(move |request| {
            counted.fetch_add(1, Ordering::SeqCst);
            request
        });
        let (_reporter, health) = tonic_health::server::health_reporter();
        let router = listener
            .server()
            .layer(AccessLayer::new(AGENT.parse().unwrap(), grants))
            .layer(count)
            .add_service(health);
        let shutdown = CancellationToken::new();
        tokio::spawn(router.serve_with_incoming(listener.incoming(shutdown.clone())));
        Self { forge, address, calls, shutdown }
    }

    /// How many calls reached a handler.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn host_port(&self) -> HostPort {
        self.address.to_string().parse().unwrap()
    }

    /// Dials as `name`, through the kit.
    pub async fn dial_as(&self, name: &str) -> Connection {
        let tenants = ["acme", "acme2", "globex"];
        let dialer =
            Dialer::new(self.forge.credential(name), self.forge.trust(&tenants), Duration::from_secs(2));
        let agent: PeerName = AGENT.parse().unwrap();
        dialer.dial(&agent, &self.host_port()).await.unwrap()
    }

    /// The control around every denial: the poller is answered.
    pub async fn assert_answers_the_poller(&self) {
        let before = self.calls();
        let channel = self.dial_as(POLLER).await.channel;
        HealthClient::new(channel).check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
        assert_eq!(self.calls(), before + 1);
    }

    /// A client of its own making.
    pub fn raw(&self, identity: Option<&IdentityFiles>) -> RawClient {
        RawClient::new(&self.forge, self.address, identity, &[&rustls::version::TLS13])
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// tokio-rustls without the kit in between, so that it can do what the kit would not.
pub struct RawClient {
    pub config: ClientConfig,
    address: SocketAddr,
}

impl RawClient {
    pub fn new(
        forge: &Forge,
        address: SocketAddr,
        identity: Option<&IdentityFiles>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let agent = vec![PeerPattern::Exactly(AGENT.parse().unwrap())];
        let verifier = PeerVerifier::new(forge.trust(&["acme"]), agent, Role::Server).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier.server_cert_verifier().0);
        let mut config = match identity {
            Some(files) => {
                let chain = CertificateDer::pem_file_iter(&files.certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
                builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { config, address }
    }

    pub fn protocols(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// The handshake as the client sees it, and the port that it came from.
    pub async fn connect(&self) -> (u16, std::io::Result<TlsStream<TcpStream>>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let port = stream.local_addr().unwrap().port();
        let name = ServerName::try_from(AGENT).unwrap();
        (port, TlsConnector::from(Arc::new(self.config.clone())).connect(name, stream).await)
    }

    /// Connects, and reads once: under TLS 1.3 it is only then that a refusal arrives.
    pub async fn attempt(&self) -> (u16, Result<(), String>) {
        let (port, stream) = self.connect().await;
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => return (port, Err(error.to_string())),
        };
        // The HTTP/2 preface and empty settings: a server that accepts us answers with its own settings.
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
        let result = async {
            stream.write_all(hello).await?;
            stream.read_exact(&mut [0; 9]).await.map(|_| ())
        };
        (port, result.await.map_err(|error| error.to_string()))
    }

    /// A gRPC channel whose `:authority` is the client's choice.
    pub async fn channel(&self, authority: &str) -> Channel {
        let stream = std::sync::Mutex::new(Some(self.connect().await.1.unwrap()));
        let connector = tower::service_fn(move |_: tonic::codegen::http::Uri| {
            let stream = stream.lock().unwrap().take();
            std::future::ready(stream.map(TokioIo::new).ok_or_else(|| std::io::Error::other("used up")))
        });
        let endpoint = Endpoint::from_shared(format!("http://{authority}")).unwrap();
        endpoint.connect_with_connector(connector).await.unwrap()
    }
}
