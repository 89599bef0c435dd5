//! One call to one agent: metadata on the way out, a deadline, a judged answer, an audit record.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_identity::{PlatformName, TenantName};
use bulkhead_kit::access::TENANT_METADATA;
use bulkhead_kit::audit::{Layer, Record};
use bulkhead_kit::tls::Connection;
use bulkhead_kit::trace::{TRACEPARENT, TraceId};
use bulkhead_wire::agent_service_client::AgentServiceClient;
use bulkhead_wire::{ResultsRequest, ResultsResponse, StatusRequest, StatusResponse};
use serde_json::value::RawValue;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::assembly::{Assembled, Assembly};
use crate::answer::{self, AnswerFault, ServiceKey};
use crate::message::CONTENT_MAXIMUM_BYTES;
use crate::parts::Parts;

/// How long an agent may take to answer one call.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(2);
/// How long an agent may take to make a check that it is asked to make: more than it gives the check itself.
pub(super) const CHECK_LIMIT: Duration = Duration::from_secs(3);
/// How long an agent may take to stream its results.
pub(super) const STREAM_LIMIT: Duration = Duration::from_secs(5);
/// The largest message that is decoded, in bytes. Larger results come in chunks.
const DECODED_MAXIMUM_BYTES: usize = 1024 * 1024;
/// Results of more bytes than this are judged on a thread of their own: on one processor, every other tenant's
/// poll would wait meanwhile.
const LARGE_BYTES: usize = 64 * 1024;

const GET_STATUS: &str = "/monitoring.AgentService/GetStatus";
const GET_RESULTS: &str = "/monitoring.AgentService/GetResults";
const STREAM_RESULTS: &str = "/monitoring.AgentService/StreamResults";

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFault {
    /// The agent answered, and the answer is refused.
    #[error(transparent)]
    Answer(#[from] AnswerFault),
    /// The agent took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    NoAnswer(Duration),
    /// The agent does not serve us.
    #[error("the agent refused the call: {0}")]
    RefusedByAgent(String),
    /// The agent has not made this check yet.
    #[error("the check has not been made yet")]
    NotYet,
    /// A check that the agent was asked to make was not answered in time. It may be what is checked that does
    /// not answer, so this says nothing about the agent.
    #[error("the check was not answered within {} ms", .0.as_millis())]
    CheckUnanswered(Duration),
    /// The agent does not know this service or method; others may well be fine.
    #[error("the agent declined: {0}")]
    Declined(String),
    /// The answer does not fit into one message.
    #[error("the answer does not fit into one message")]
    TooLarge,
    /// The connection is of no use any more.
    #[error("the call failed: {0}")]
    Lost(String),
}

impl CallFault {
    /// Stable word for audit records and health events.
    #[must_use]
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Answer(fault) => fault.code(),
            Self::NoAnswer(_) => "no-answer",
            Self::RefusedByAgent(_) => "refused-by-agent",
            Self::NotYet => "not-yet",
            Self::CheckUnanswered(_) => "check-unanswered",
            Self::Declined(_) => "declined-by-agent",
            Self::TooLarge => "oversized-answer",
            Self::Lost(_) => "connection-lost",
        }
    }
}

impl From<Status> for CallFault {
    fn from(status: Status) -> Self {
        // What an agent sends as a message is shown, and is bounded.
        let shown: String = status.message().chars().take(200).collect();
        let text = format!("{:?}: {shown}", status.code());
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => Self::RefusedByAgent(text),
            Code::FailedPrecondition => Self::NotYet,
            Code::NotFound | Code::InvalidArgument | Code::Unimplemented => Self::Declined(text),
            Code::OutOfRange | Code::ResourceExhausted => Self::TooLarge,
            _ => Self::Lost(text),
        }
    }
}

/// The state of a service, judged.
#[derive(Debug, Clone)]
pub(super) struct ServiceState {
    /// Whether it is well.
    pub(super) available: bool,
    /// How long the check took, in nanoseconds.
    pub(super) response_time_ns: i64,
    /// What the check found, in the agent's own words.
    pub(super) message: Box<RawValue>,
}

/// What is new of a service, judged.
#[derive(Debug)]
pub(super) struct News {
    /// The results, in the agent's order, in parts that fit into a message.
    pub(super) results: Parts,
    /// What to ask from the next time.
    pub(super) sequence: String,
}

impl News {
    async fn judge(agent: &TenantName, data: Vec<u8>, sequence: String) -> Result<Self, AnswerFault> {
        let sequence = answer::sequence(sequence)?;
        let results = if data.len() <= LARGE_BYTES {
            answer::results(agent, &data, CONTENT_MAXIMUM_BYTES)?
        } else {
            let agent = agent.clone();
            let judging = spawn_blocking(move || answer::results(&agent, &data, CONTENT_MAXIMUM_BYTES));
            judging
                .await
                .map_err(|error| AnswerFault::Malformed(format!("results cannot be judged: {error}")))??
        };
        Ok(Self { results, sequence })
    }
}

/// One poll's calls to one agent.
pub(super) struct Caller<'a> {
    agent: &'a TenantName,
    peer: SocketAddr,
    trace: TraceId,
    client: AgentServiceClient<Channel>,
}

impl<'a> Caller<'a> {
    /// Calls over a connection whose peer was verified to be `agent`.
    pub(super) fn new(agent: &'a TenantName, connection: &Connection, trace: TraceId) -> Self {
        let client = AgentServiceClient::new(connection.channel.clone())
            .max_decoding_message_size(DECODED_MAXIMUM_BYTES);
        Self { agent, peer: connection.peer, trace, client }
    }

    /// The state of one service; of the agent itself when it has no name.
    pub(super) async fn status(
        &mut self,
        service: &ServiceKey,
        details: &str,
    ) -> Result<ServiceState, CallFault> {
        let request = self.request(StatusRequest {
            service_name: service.name.clone(),
            service_type: service.kind.clone(),
            agent_id: self.agent.agent_id().to_string(),
            poller_id: PlatformName::Poller.to_string(),
            details: details.to_owned(),
            port: 0,
        });
        let call = self.client.get_status(request);
        let answer = if details.is_empty() {
            within(CALL_LIMIT, call).await
        } else {
            within(CHECK_LIMIT, call).await.map_err(|fault| match fault {
                CallFault::NoAnswer(limit) => CallFault::CheckUnanswered(limit),
                other => other,
            })
        };
        let judging = async |answer: StatusResponse| {
            answer::check_agent_id(self.agent, &answer.agent_id)?;
            Ok(ServiceState {
                available: answer.available,
                response_time_ns: answer.response_time,
                message: answer::status_message(self.agent, &answer.message, CONTENT_MAXIMUM_BYTES)?,
            })
        };
        self.judged(GET_STATUS, answer, judging).await
    }

    /// The results of one service since `last_sequence`.
    pub(super) async fn results(
        &mut self,
        service: &ServiceKey,
        last_sequence: &str,
    ) -> Result<News, CallFault> {
        let request = self.request(self.results_request(service, last_sequence));
        let answer = within(CALL_LIMIT, self.client.get_results(request)).await;
        let judging = async |answer: ResultsResponse| {
            answer::check_agent_id(self.agent, &answer.agent_id)?;
            let data = if answer.has_new_data { answer.data } else { Vec::new() };
            News::judge(self.agent, data, answer.current_sequence).await
        };
        self.judged(GET_RESULTS, answer, judging).await
    }

    /// The same in chunks, for results that do not fit into one message.
    pub(super) async fn streamed_results(
        &mut self,
        service: &ServiceKey,
        last_sequence: &str,
    ) -> Result<News, CallFault> {
        let request = self.request(self.results_request(service, last_sequence));
        let assembled = timeout(STREAM_LIMIT, self.assemble(request)).await;
        let answer = assembled.unwrap_or(Err(CallFault::NoAnswer(STREAM_LIMIT)));
        let judging = async |whole: Assembled| News::judge(self.agent, whole.data, whole.sequence).await;
        self.judged(STREAM_RESULTS, answer, judging).await
    }

    async fn assemble(&mut self, request: Request<ResultsRequest>) -> Result<Assembled, CallFault> {
        let mut chunks = self.client.stream_results(request).await?.into_inner();
        let mut assembly = Assembly::default();
        while let Some(chunk) = chunks.message().await? {
            if let Some(whole) = assembly.push(chunk)? {
                return Ok(whole);
            }
        }
        Err(AnswerFault::Malformed("the stream ended before its last chunk".to_owned()).into())
    }

    fn results_request(&self, service: &ServiceKey, last_sequence: &str) -> ResultsRequest {
        ResultsRequest {
            service_name: service.name.clone(),
            service_type: service.kind.clone(),
            agent_id: self.agent.agent_id().to_string(),
            poller_id: PlatformName::Poller.to_string(),
            details: String::new(),
            last_sequence: last_sequence.to_owned(),
            completion_status: None,
        }
    }

    /// The agent compares the tenant with its own: a poller that has dialled the wrong one is told so.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        let pairs =
            [(TENANT_METADATA, self.agent.tenant.to_string()), (TRACEPARENT, self.trace.traceparent())];
        for (key, value) in pairs {
            // Slugs and trace ids are lower-case ASCII: they are metadata always.
            if let Ok(value) = MetadataValue::<Ascii>::try_from(value) {
                metadata.insert(key, value);
            }
        }
        request
    }

    /// Judges the content of an answer, and records for the audit how the call ended.
    async fn judged<T, U>(
        &self,
        method: &'static str,
        answer: Result<T, CallFault>,
        judge: impl AsyncFnOnce(T) -> Result<U, AnswerFault>,
    ) -> Result<U, CallFault> {
        let judged = match answer {
            Ok(answer) => judge(answer).await.map_err(CallFault::from),
            Err(fault) => Err(fault),
        };
        match &judged {
            Ok(_) => self.write(Record::accepted(Layer::Grpc), method),
            // Nobody refused anything: the first is asked again in chunks, the others are no judgement.
            Err(CallFault::TooLarge) if method == GET_RESULTS => {}
            Err(
                CallFault::Lost(_)
                | CallFault::NotYet
                | CallFault::CheckUnanswered(_)
                | CallFault::Declined(_),
            ) => {}
            Err(fault) => self.write(Record::refused(Layer::Grpc, fault.code()).detail(fault), method),
        }
        judged
    }

    fn write(&self, record: Record, method: &str) {
        record
            .tenant(&self.agent.tenant)
            .identity(self.agent)
            .peer(self.peer)
            .trace_id(self.trace)
            .method(method)
            .write();
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, CallFault> {
    match timeout(limit, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(CallFault::NoAnswer(limit)),
    }
}
