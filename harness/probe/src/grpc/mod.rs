//! One gRPC call with any credential, any metadata and any `:authority`.
//!
//! The call goes over a connection of the probe's own making, which is made once: a tonic channel would
//! reconnect by itself and turn a refused client into a stream of attempts. The connection remembers the
//! TLS alert that it read; HTTP/2 drops it on the way up, and the call alone would end as `Unknown`.

mod once;
mod packed;

use std::error::Error as _;
use std::time::Duration;

use bulkhead_wire::agent_service_client::AgentServiceClient;
use bulkhead_wire::poller_service_client::PollerServiceClient;
use bulkhead_wire::{
    PollerStatusChunk, PollerStatusRequest, PollerStatusResponse, ResultsChunk, ResultsRequest,
    ResultsResponse, StatusRequest, StatusResponse,
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tonic::metadata::{
    AsciiMetadataKey, AsciiMetadataValue, BinaryMetadataKey, BinaryMetadataValue, MetadataMap,
};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::tls::{Hello, label};
use super::{Observation, Presented, Refusal, Sight, Stopwatch, TraceId};
use once::Once;
use packed::Packed;

/// Who calls, and what is said around the call.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The handshake.
    pub hello: Hello,
    /// The `:authority`: normally the name of the service that is called.
    pub authority: String,
    /// Metadata in order, duplicates included. A name ending in `-bin` is sent as binary metadata.
    pub metadata: Vec<(String, String)>,
    /// For the connection and for the call, each.
    pub deadline: Duration,
}

impl Caller {
    /// An honest caller of the service `name`, with a certificate or without.
    #[must_use]
    pub fn of(credential: Option<&Presented>, name: &str) -> Self {
        Self {
            hello: Hello::grpc(credential, name),
            authority: name.to_owned(),
            metadata: Vec::new(),
            deadline: Duration::from_secs(3),
        }
    }

    /// With one more piece of metadata.
    #[must_use]
    pub fn saying(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Under another `:authority`.
    #[must_use]
    pub fn under_authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }
}

/// What is called.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Packed", try_from = "Packed")]
pub enum Call {
    /// `monitoring.AgentService/GetStatus`.
    GetStatus(StatusRequest),
    /// `monitoring.AgentService/GetResults`.
    GetResults(ResultsRequest),
    /// `monitoring.AgentService/StreamResults`, read to its end.
    StreamResults(ResultsRequest),
    /// `monitoring.PollerService/ReportStatus`.
    ReportStatus(PollerStatusRequest),
    /// `monitoring.PollerService/StreamStatus`.
    StreamStatus(Vec<PollerStatusChunk>),
    /// `grpc.health.v1.Health/Check` of a service's name.
    Health(String),
    /// `grpc.health.v1.Health/Watch` of a service's name, read to its first answer: the stream itself never ends.
    WatchHealth(String),
}

/// What came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Packed", try_from = "Packed")]
pub enum Answer {
    /// To [`Call::GetStatus`].
    Status(StatusResponse),
    /// To [`Call::GetResults`].
    Results(ResultsResponse),
    /// To [`Call::StreamResults`].
    Chunks(Vec<ResultsChunk>),
    /// To [`Call::ReportStatus`] and [`Call::StreamStatus`].
    Reported(PollerStatusResponse),
    /// To [`Call::Health`] and [`Call::WatchHealth`]: whether it is SERVING.
    Serving(bool),
}

impl Call {
    /// The method's full name.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::GetStatus(_) => "monitoring.AgentService/GetStatus",
            Self::GetResults(_) => "monitoring.AgentService/GetResults",
            Self::StreamResults(_) => "monitoring.AgentService/StreamResults",
            Self::ReportStatus(_) => "monitoring.PollerService/ReportStatus",
            Self::StreamStatus(_) => "monitoring.PollerService/StreamStatus",
            Self::Health(_) => "grpc.health.v1.Health/Check",
            Self::WatchHealth(_) => "grpc.health.v1.Health/Watch",
        }
    }
}

/// One call over one connection.
pub async fn call(address: &str, caller: &Caller, what: Call) -> Observation<Answer> {
    let trace = TraceId::fresh();
    let who = label(caller.hello.credential.as_ref());
    let watch = Stopwatch::start(format!("gRPC call {} at {address} as {who}", what.method()));
    let once = Once::new(address, &caller.hello);
    let sight = attempt(&once, caller, &trace, what).await;
    let sight = match (sight, once.alert()) {
        // The alert says more than what became of it above.
        (Sight::Closed(_) | Sight::Silence(_), Some(alert)) => Sight::Refused(Refusal::Alert(alert)),
        (sight, _) => sight,
    };
    let mut observation = watch.stop(sight, once.local());
    observation.trace_id = Some(trace);
    observation
}

async fn attempt(once: &Once, caller: &Caller, trace: &TraceId, what: Call) -> Sight<Answer> {
    let channel = match channel(once, caller).await {
        Ok(channel) => channel,
        Err(sight) => return sight,
    };
    let metadata = match metadata(caller, trace) {
        Ok(metadata) => metadata,
        Err(why) => return Sight::NotMade(why),
    };
    match timeout(caller.deadline, dispatch(channel, metadata, what)).await {
        Err(_) => Sight::Silence(caller.deadline),
        Ok(Ok(answer)) => Sight::Answered(answer),
        Ok(Err(status)) => sight_of_status(&status),
    }
}

async fn channel(once: &Once, caller: &Caller) -> Result<Channel, Sight<Answer>> {
    let origin: Uri = format!("http://{}", caller.authority)
        .parse()
        .map_err(|error| Sight::NotMade(format!("authority '{}': {error}", caller.authority)))?;
    let endpoint = Endpoint::from(origin);
    match timeout(caller.deadline, endpoint.connect_with_connector(once.connector())).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(once.failure().unwrap_or_else(|| Sight::Closed(error.to_string()))),
        Err(_) => Err(Sight::Silence(caller.deadline)),
    }
}

async fn dispatch(channel: Channel, metadata: MetadataMap, what: Call) -> Result<Answer, Status> {
    fn with<T>(metadata: MetadataMap, message: T) -> Request<T> {
        Request::from_parts(metadata, tonic::Extensions::default(), message)
    }
    match what {
        Call::GetStatus(message) => {
            let answer = AgentServiceClient::new(channel).get_status(with(metadata, message)).await?;
            Ok(Answer::Status(answer.into_inner()))
        }
        Call::GetResults(message) => {
            let answer = AgentServiceClient::new(channel).get_results(with(metadata, message)).await?;
            Ok(Answer::Results(answer.into_inner()))
        }
        Call::StreamResults(message) => {
            let answer = AgentServiceClient::new(channel).stream_results(with(metadata, message)).await?;
            let mut stream = answer.into_inner();
            let mut chunks = Vec::new();
            while let Some(chunk) = stream.message().await? {
                chunks.push(chunk);
            }
            Ok(Answer::Chunks(chunks))
        }
        Call::ReportStatus(message) => {
            let answer = PollerServiceClient::new(channel).report_status(with(metadata, message)).await?;
            Ok(Answer::Reported(answer.into_inner()))
        }
        Call::StreamStatus(chunks) => {
            let chunks = tokio_stream::iter(chunks);
            let answer = PollerServiceClient::new(channel).stream_status(with(metadata, chunks)).await?;
            Ok(Answer::Reported(answer.into_inner()))
        }
        Call::Health(service) => {
            let message = HealthCheckRequest { service };
            let answer = HealthClient::new(channel).check(with(metadata, message)).await?;
            Ok(Answer::Serving(answer.into_inner().status() == ServingStatus::Serving))
        }
        Call::WatchHealth(service) => {
            let message = HealthCheckRequest { service };
            let mut told = HealthClient::new(channel).watch(with(metadata, message)).await?.into_inner();
            let first = told.message().await?;
            Ok(Answer::Serving(first.is_some_and(|told| told.status() == ServingStatus::Serving)))
        }
    }
}

fn metadata(caller: &Caller, trace: &TraceId) -> Result<MetadataMap, String> {
    let mut map = MetadataMap::new();
    if let Ok(value) = AsciiMetadataValue::try_from(trace.traceparent()) {
        map.insert("traceparent", value);
    }
    for (name, value) in &caller.metadata {
        if name.ends_with("-bin") {
            let key = BinaryMetadataKey::from_bytes(name.as_bytes());
            let key = key.map_err(|error| format!("metadata '{name}': {error}"))?;
            map.append_bin(key, BinaryMetadataValue::from_bytes(value.as_bytes()));
        } else {
            let key = AsciiMetadataKey::from_bytes(name.as_bytes());
            let key = key.map_err(|error| format!("metadata '{name}': {error}"))?;
            let value = AsciiMetadataValue::try_from(value.as_str());
            map.append(key, value.map_err(|error| format!("metadata '{name}': {error}"))?);
        }
    }
    Ok(map)
}

/// A status with a source was made on this side, from a broken transport; one without came over the wire.
fn sight_of_status(status: &Status) -> Sight<Answer> {
    if status.source().is_some() {
        return Sight::Closed(format!("{:?}: {}", status.code(), status.message()));
    }
    Sight::Refused(Refusal::Status { code: status.code(), message: status.message().to_owned() })
}
