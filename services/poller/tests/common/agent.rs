//! Agents for tests: an honest one, and ones with exactly one thing wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bulkhead_identity::{PeerPattern, PeerVerifier, Role};
use bulkhead_kit::access::{AccessLayer, Grants};
use bulkhead_kit::config::IdentityFiles;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::tls::{Limits, Listener};
use bulkhead_test_support::{Forge, eventually};
use bulkhead_wire::agent_service_server::{AgentService, AgentServiceServer};
use bulkhead_wire::{
    AGENT_SERVICE, ResultsChunk, ResultsRequest, ResultsResponse, StatusRequest, StatusResponse,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{POLLER, agent_of};

/// What an agent does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Honest,
    /// Its results fit into no single message.
    Large,
    NeverAnswers,
    /// What it is asked to check does not answer.
    ChecksABlackHole,
    ForeignAgentId,
    ForeignTenantInStatus,
    ForeignTenantInResults,
    OversizedStatus,
    /// More than the decoder takes.
    OversizedMessage,
    EndlessChunks,
    EndlessBytes,
    /// Its results are small as text and eighty times as large as values.
    Swells,
    /// Its stream has no chunk, and no end.
    SilentStream,
    RefusesTheCall,
    /// It knows none of the services that it lists.
    Declines,
}

/// What an agent was asked.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub rounds: usize,
    pub last_sequences: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub agent_id: String,
    pub poller_id: String,
    /// Name and details of each service whose status was asked for.
    pub services: Vec<(String, String)>,
}

/// An agent behind the kit's listener. It holds results `1..=released`.
#[derive(Clone)]
pub struct TestAgent {
    pub address: SocketAddr,
    slug: String,
    behaviour: Behaviour,
    seen: Arc<Mutex<Seen>>,
    released: Arc<Mutex<u64>>,
    shutdown: CancellationToken,
}

impl TestAgent {
    pub async fn start(forge: &Forge, slug: &str, behaviour: Behaviour) -> Self {
        Self::start_as(forge, slug, behaviour, &forge.issue(&agent_of(slug))).await
    }

    /// With a certificate that need not be the tenant's.
    pub async fn start_as(forge: &Forge, slug: &str, behaviour: Behaviour, identity: &IdentityFiles) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(forge, slug, behaviour, identity, socket)
    }

    /// An honest one where another one has stopped.
    pub async fn start_at(forge: &Forge, slug: &str, address: SocketAddr) -> Self {
        let socket = eventually("the address to be free", async || {
            TcpListener::bind(address).await.map_err(|error| error.to_string())
        });
        Self::serve(forge, slug, Behaviour::Honest, &forge.issue(&agent_of(slug)), socket.await)
    }

    fn serve(
        forge: &Forge,
        slug: &str,
        behaviour: Behaviour,
        identity: &IdentityFiles,
        socket: TcpListener,
    ) -> Self {
        let poller = PeerPattern::Exactly(POLLER.parse().unwrap());
        let grants = Grants::none().allow(AGENT_SERVICE, [poller]);
        let verifier = PeerVerifier::new(forge.trust(&[slug]), grants.peers(), Role::Client).unwrap();
        let credential = Credential::load(identity).unwrap();
        let agent = Self {
            address: socket.local_addr().unwrap(),
            slug: slug.to_owned(),
            behaviour,
            seen: Arc::default(),
            released: Arc::new(Mutex::new(1)),
            shutdown: CancellationToken::new(),
        };
        let listener = Listener::over(socket, &credential, verifier, Limits::default());
        let service = AgentServiceServer::new(agent.clone()).max_encoding_message_size(64 * 1024 * 1024);
        let router = listener
            .server()
            .layer(AccessLayer::new(agent_of(slug).parse().unwrap(), grants))
            .add_service(service);
        let incoming = listener.incoming(agent.shutdown.clone());
        tokio::spawn(router.serve_with_incoming_shutdown(incoming, agent.shutdown.clone().cancelled_owned()));
        agent
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// From now on there are results up to `number`.
    pub fn release(&self, number: u64) {
        *self.released.lock().unwrap() = number;
    }

    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    fn results_after(&self, last_sequence: &str) -> (Vec<u8>, String) {
        if self.behaviour == Behaviour::Swells {
            // Nearly as much as the poller ever takes, and new each time.
            let sequence = if last_sequence == "1" { "2" } else { "1" };
            return (format!("[{}0]", "{\"\":0},".repeat(590_000)).into_bytes(), sequence.to_owned());
        }
        let last: u64 = last_sequence.parse().unwrap_or_default();
        let released = *self.released.lock().unwrap();
        let tenant = if self.behaviour == Behaviour::ForeignTenantInResults { "globex2" } else { &self.slug };
        let items: Vec<_> = (last + 1..=released).map(|n| json!({"n": n, "tenant": tenant})).collect();
        (serde_json::to_vec(&items).unwrap(), released.to_string())
    }
}

/// Never comes back.
async fn never<T>() -> Result<T, Status> {
    std::future::pending().await
}

#[tonic::async_trait]
impl AgentService for TestAgent {
    async fn get_status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let metadata = request.metadata().clone();
        let message = request.into_inner();
        let asked = (message.service_name.clone(), message.details.clone());
        self.seen.lock().unwrap().services.push(asked);
        if message.service_name.is_empty() {
            let mut seen = self.seen.lock().unwrap();
            seen.rounds += 1;
            seen.agent_id = message.agent_id.clone();
            seen.poller_id = message.poller_id.clone();
            for name in ["x-tenant-id", "traceparent"] {
                let value = metadata.get(name).map(|value| value.to_str().unwrap().to_owned());
                seen.metadata.insert(name.to_owned(), value.unwrap_or_default());
            }
        }
        let tenant = match self.behaviour {
            Behaviour::ForeignTenantInStatus => "acme",
            _ => &self.slug,
        };
        let mut body = json!({"tenant": tenant, "services": [{"name": "web", "type": "port"}]});
        let mut agent_id = "agent-001.p1";
        match self.behaviour {
            Behaviour::NeverAnswers => return never().await,
            Behaviour::ChecksABlackHole if message.service_name == "black-hole" => return never().await,
            Behaviour::Declines if message.service_name == "web" => {
                return Err(Status::not_found("no such service"));
            }
            Behaviour::RefusesTheCall => return Err(Status::permission_denied("not you")),
            Behaviour::ForeignAgentId => agent_id = "agent-002.p1",
            Behaviour::OversizedStatus => body["padding"] = "x".repeat(300 * 1024).into(),
            _ => {}
        }
        let message_bytes = match self.behaviour {
            Behaviour::OversizedMessage => vec![b'x'; 5 * 1024 * 1024],
            _ => body.to_string().into_bytes(),
        };
        Ok(Response::new(StatusResponse {
            available: true,
            message: message_bytes,
            response_time: 7,
            agent_id: agent_id.to_owned(),
            service_name: message.service_name,
            service_type: message.service_type,
            poller_id: message.poller_id,
        }))
    }

    async fn get_results(
        &self,
        request: Request<ResultsRequest>,
    ) -> Result<Response<ResultsResponse>, Status> {
        let last_sequence = request.into_inner().last_sequence;
        self.seen.lock().unwrap().last_sequences.push(last_sequence.clone());
        let (data, current_sequence) = self.results_after(&last_sequence);
        match self.behaviour {
            Behaviour::Large
            | Behaviour::EndlessChunks
            | Behaviour::EndlessBytes
            | Behaviour::SilentStream => Err(Status::resource_exhausted("ask for chunks")),
            _ => Ok(Response::new(ResultsResponse {
                available: true,
                has_new_data: last_sequence != current_sequence,
                data,
                current_sequence,
                ..ResultsResponse::default()
            })),
        }
    }

    type StreamResultsStream = Pin<Box<dyn Stream<Item = Result<ResultsChunk, Status>> + Send>>;

    async fn stream_results(
        &self,
        request: Request<ResultsRequest>,
    ) -> Result<Response<Self::StreamResultsStream>, Status> {
        let (data, current_sequence) = self.results_after(&request.into_inner().last_sequence);
        let chunk = |index: i32, total: i32, data: &[u8]| ResultsChunk {
            data: data.to_vec(),
            is_final: index + 1 == total,
            chunk_index: index,
            total_chunks: total,
            current_sequence: current_sequence.clone(),
            timestamp: 0,
        };
        let endless = |data: Vec<u8>| {
            let first = chunk(0, i32::MAX, &data);
            tokio_stream::iter(
                (0..).map(move |index| Ok(ResultsChunk { chunk_index: index, ..first.clone() })),
            )
        };
        Ok(Response::new(match self.behaviour {
            Behaviour::EndlessChunks => Box::pin(endless(Vec::new())),
            Behaviour::EndlessBytes => Box::pin(endless(vec![b' '; 1024 * 1024])),
            Behaviour::SilentStream => Box::pin(tokio_stream::pending()),
            _ => {
                let parts: Vec<_> = data.chunks(data.len().div_ceil(8).max(1)).collect();
                let total = i32::try_from(parts.len()).unwrap();
                let chunks: Vec<_> = (0..).zip(parts).map(|(n, part)| Ok(chunk(n, total, part))).collect();
                Box::pin(tokio_stream::iter(chunks))
            }
        }))
    }
}
