//! `monitoring.PollerService`: agents that report without being asked.
//!
//! The reporting agent is whoever its certificate names. What the report says about its origin can only be
//! wrong: a report in somebody else's name is refused as a whole, recorded, and nothing of it is published.

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{NameError, PeerName, TenantName, TenantSlug};
use bulkhead_kit::access::Caller;
use bulkhead_kit::audit::{Layer, Record};
use bulkhead_wire::poller_service_server::PollerService;
use bulkhead_wire::{PollerStatusChunk, PollerStatusRequest, PollerStatusResponse, ServiceStatus};
use serde::Deserialize;
use serde_json::value::RawValue;
use tonic::{Request, Response, Status, Streaming};

use crate::answer::{self, AnswerFault};
use crate::message::{CONTENT_MAXIMUM_BYTES, Finding, PollerResult, Source};
use crate::publish::Publisher;

/// More services than this in one report are an attack on the poller.
const SERVICES_MAXIMUM: usize = 256;
/// How much one report may say of its services, in bytes, in however many chunks it comes.
const REPORT_MAXIMUM_BYTES: usize = 1024 * 1024;
/// The largest message that is decoded, in bytes.
pub const DECODED_MAXIMUM_BYTES: usize = 1024 * 1024;

/// Takes reports.
#[derive(Debug, Clone)]
pub struct Reports {
    publisher: Publisher,
}

impl Reports {
    /// Publishes what is reported through `publisher`.
    #[must_use]
    pub fn new(publisher: Publisher) -> Self {
        Self { publisher }
    }
}

/// Where a report says that it comes from.
struct Origin<'a> {
    agent_id: &'a str,
    partition: &'a str,
}

/// A report that is being judged.
struct Report<'a> {
    agent: &'a TenantName,
    source: Source,
    results: Vec<PollerResult>,
    /// How much `results` hold of the agent's own words.
    bytes: usize,
}

impl<'a> Report<'a> {
    fn new(agent: &'a TenantName, caller: &Caller) -> Self {
        Self {
            agent,
            source: Source::now(agent, &caller.trace_id.to_string()),
            results: Vec::new(),
            bytes: 0,
        }
    }

    fn take(&mut self, origin: &Origin<'_>, services: Vec<ServiceStatus>) -> Result<(), AnswerFault> {
        let speaker = self.speaker(origin.agent_id, &[]);
        answer::check_agent_id(&speaker, origin.agent_id)?;
        answer::check_partition(&speaker, origin.partition)?;
        let count = self.results.len() + services.len();
        if count > SERVICES_MAXIMUM {
            return Err(AnswerFault::Malformed(format!("{count} services, more than {SERVICES_MAXIMUM}")));
        }
        for service in services {
            let speaker = self.speaker(&service.agent_id, &service.message);
            let message = answer::status_message(&speaker, &service.message, CONTENT_MAXIMUM_BYTES)?;
            self.bytes += message.get().len();
            if self.bytes > REPORT_MAXIMUM_BYTES {
                return Err(AnswerFault::Oversized { bytes: self.bytes, limit: REPORT_MAXIMUM_BYTES });
            }
            let result = self.result(&speaker, service, message)?;
            self.results.push(result);
        }
        Ok(())
    }

    /// Whom a part of the report is judged and filed as: who reports, whomever it names.
    fn speaker(&self, agent_id: &str, message: &[u8]) -> TenantName {
        match seeded::is_on(SeededFault::ReportsByClaim) {
            true => claimed(self.agent, agent_id, message),
            false => self.agent.clone(),
        }
    }

    fn result(
        &self,
        speaker: &TenantName,
        service: ServiceStatus,
        message: Box<RawValue>,
    ) -> Result<PollerResult, AnswerFault> {
        answer::check_agent_id(speaker, &service.agent_id)?;
        answer::check_partition(speaker, &service.partition)?;
        let key = answer::service(&service.service_name, &service.service_type)?;
        let source =
            Source { tenant: speaker.tenant.clone(), agent_id: speaker.agent_id(), ..self.source.clone() };
        Ok(PollerResult {
            source,
            service_name: key.name,
            service_type: key.kind,
            finding: Finding::Report {
                available: service.available,
                response_time_ns: service.response_time,
                message,
            },
        })
    }

    /// All of it or, before this, nothing.
    fn publish(self, publisher: &Publisher) -> Result<Response<PollerStatusResponse>, AnswerFault> {
        self.results.iter().try_for_each(|result| publisher.result(result))?;
        Ok(Response::new(PollerStatusResponse { received: true }))
    }
}

/// Whom a part of a report names, as far as it names anybody.
fn claimed(agent: &TenantName, agent_id: &str, message: &[u8]) -> TenantName {
    #[derive(Deserialize)]
    struct Claim {
        tenant: TenantSlug,
    }
    let tenant =
        serde_json::from_slice(message).map_or_else(|_| agent.tenant.clone(), |claim: Claim| claim.tenant);
    agent_id.parse().unwrap_or_else(|_: NameError| agent.agent_id()).of_tenant(&tenant)
}

/// Records a refusal and gives the answer to it.
fn refuse(caller: &Caller, method: &str, fault: &AnswerFault) -> Status {
    let mut record = Record::refused(Layer::Grpc, fault.code())
        .identity(&caller.name)
        .trace_id(caller.trace_id)
        .method(method)
        .detail(fault);
    if let Some(tenant) = &caller.tenant {
        record = record.tenant(tenant);
    }
    if let Some(peer) = caller.peer {
        record = record.peer(peer);
    }
    record.write();
    match fault {
        AnswerFault::Foreign { .. } => Status::permission_denied(fault.code()),
        AnswerFault::Malformed(_) | AnswerFault::Oversized { .. } => Status::invalid_argument(fault.code()),
    }
}

/// Only a tenant's component reports: a platform service has no tenant that it could report for.
fn reporter(caller: &Caller) -> Result<&TenantName, Status> {
    match &caller.name {
        PeerName::Tenant(name) => Ok(name),
        PeerName::Platform(_) => Err(Status::permission_denied("not-granted")),
    }
}

#[tonic::async_trait]
impl PollerService for Reports {
    async fn report_status(
        &self,
        request: Request<PollerStatusRequest>,
    ) -> Result<Response<PollerStatusResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut report = Report::new(reporter(&caller)?, &caller);
        let message = request.into_inner();
        let origin = Origin { agent_id: &message.agent_id, partition: &message.partition };
        report
            .take(&origin, message.services)
            .and_then(|()| report.publish(&self.publisher))
            .map_err(|fault| refuse(&caller, "/monitoring.PollerService/ReportStatus", &fault))
    }

    async fn stream_status(
        &self,
        request: Request<Streaming<PollerStatusChunk>>,
    ) -> Result<Response<PollerStatusResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut report = Report::new(reporter(&caller)?, &caller);
        let refused = |fault| refuse(&caller, "/monitoring.PollerService/StreamStatus", &fault);
        let mut chunks = request.into_inner();
        let mut due = 0;
        while let Some(chunk) = chunks.message().await? {
            if chunk.chunk_index != due || chunk.chunk_index >= chunk.total_chunks {
                let problem =
                    format!("chunk {} of {} came where {due} was due", chunk.chunk_index, chunk.total_chunks);
                return Err(refused(AnswerFault::Malformed(problem)));
            }
            due += 1;
            let origin = Origin { agent_id: &chunk.agent_id, partition: &chunk.partition };
            report.take(&origin, chunk.services).map_err(refused)?;
            if chunk.is_final {
                return report.publish(&self.publisher).map_err(refused);
            }
        }
        Err(refused(AnswerFault::Malformed("the stream ended before its last chunk".to_owned())))
    }
}
