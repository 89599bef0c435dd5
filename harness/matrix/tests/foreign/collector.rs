//! An agent of somebody else's: the same wire contract, stock verifiers, other names, a rule of its own.

use std::path::Path;
use std::sync::Arc;

use bulkhead_wire::agent_service_server::{AgentService, AgentServiceServer};
use bulkhead_wire::{ResultsChunk, ResultsRequest, ResultsResponse, StatusRequest, StatusResponse};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Request, Response, Status};

use crate::pki::Pki;

type Info = TlsConnectInfo<TcpConnectInfo>;

struct Collector;

impl Collector {
    /// Only the hub asks it anything.
    fn judge<T>(request: &Request<T>) -> Result<(), Status> {
        let peers = request.extensions().get::<Info>().and_then(Info::peer_certs);
        let peers = peers.ok_or_else(|| Status::unauthenticated("who are you?"))?;
        let (_, leaf) = x509_parser::parse_x509_certificate(&peers[0]).unwrap();
        let name = leaf.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap();
        if name == "hub.example.test" { Ok(()) } else { Err(Status::permission_denied("not you")) }
    }
}

#[tonic::async_trait]
impl AgentService for Collector {
    async fn get_status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Self::judge(&request)?;
        Ok(Response::new(StatusResponse { available: true, ..StatusResponse::default() }))
    }

    async fn get_results(
        &self,
        _request: Request<ResultsRequest>,
    ) -> Result<Response<ResultsResponse>, Status> {
        Err(Status::unimplemented("no results"))
    }

    type StreamResultsStream = tokio_stream::Empty<Result<ResultsChunk, Status>>;

    async fn stream_results(
        &self,
        _request: Request<ResultsRequest>,
    ) -> Result<Response<Self::StreamResultsStream>, Status> {
        Err(Status::unimplemented("no results"))
    }
}

/// A running one; it ends when it is dropped.
pub(crate) struct Running {
    pub(crate) address: String,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts the collector of this name, which believes members of these authorities.
pub(crate) async fn start(pki: &Pki, name: &str, believed: &[&str]) -> Running {
    let believed: Vec<_> = believed.iter().map(|file| pki.file(file)).collect();
    let config = configuration(pki, name, &believed);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, accepted) = tokio::sync::mpsc::channel::<std::io::Result<TlsStream<TcpStream>>>(16);
    let accepting = async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let (acceptor, told) = (acceptor.clone(), told.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = told.send(Ok(stream)).await;
                }
            });
        }
    };
    let (_reporter, health) = tonic_health::server::health_reporter();
    let serving = tonic::transport::Server::builder()
        .add_service(health)
        .add_service(AgentServiceServer::new(Collector))
        .serve_with_incoming(tokio_stream::wrappers::ReceiverStream::new(accepted));
    let task = tokio::spawn(async move {
        tokio::select! {
            () = accepting => {}
            _ = serving => {}
        }
    });
    Running { address, task }
}

fn configuration(pki: &Pki, name: &str, believed: &[impl AsRef<Path>]) -> ServerConfig {
    let mut anchors = RootCertStore::empty();
    for file in believed {
        anchors.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), provider.clone());
    let chain = CertificateDer::pem_file_iter(pki.file(&format!("{name}.pem"))).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(pki.file(&format!("{name}.key"))).unwrap();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap());
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}
