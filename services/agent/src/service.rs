//! `monitoring.AgentService`: what the platform's poller asks.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_kit::access::Caller;
use bulkhead_kit::audit::{Layer, Record};
use bulkhead_wire::agent_service_server::AgentService;
use bulkhead_wire::{ResultsChunk, ResultsRequest, ResultsResponse, StatusRequest, StatusResponse};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::checks::{Check, Checker};
use crate::messages::{self, Pulse, State};
use crate::results::{CheckResult, News, Results, now_ms};

/// How long a check may take that the caller describes, in milliseconds. Callers wait some two seconds for an
/// answer: what is checked must not make this agent look as if it gave none.
const ASKED_TIMEOUT_MS: u64 = 1500;
/// How much of the results one chunk holds, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Answers for one agent.
#[derive(Debug, Clone)]
pub struct Agent {
    results: Arc<Results>,
    checker: Checker,
    pulse: Pulse,
}

impl Agent {
    /// Answers from `results`, and makes checks that the caller describes with `checker`.
    #[must_use]
    pub fn new(results: Arc<Results>, checker: Checker, pulse: Pulse) -> Self {
        Self { results, checker, pulse }
    }

    /// The certificate has decided who we are; a request that means somebody else is at the wrong address, and on record
    /// as that.
    fn check_meant(&self, caller: &Caller, method: &str, agent_id: &str) -> Result<String, Status> {
        let own = self.results.agent().agent_id().to_string();
        if agent_id.is_empty() || agent_id == own || seeded::is_on(SeededFault::AgentIdIgnored) {
            return Ok(own);
        }
        let detail = format!("agent_id does not name this agent, which is {own}");
        let record = Record::refused(Layer::Grpc, "agent-other")
            .identity(&caller.name)
            .trace_id(caller.trace_id)
            .method(method)
            .detail(&detail);
        let record = match caller.peer {
            Some(peer) => record.peer(peer),
            None => record,
        };
        record.write();
        Err(Status::invalid_argument(detail))
    }

    async fn status(&self, request: &StatusRequest) -> Result<CheckResult, Status> {
        let StatusRequest { service_name, service_type, details, port, .. } = request;
        if !service_type.is_empty() && !details.is_empty() {
            let details = match (*port, details.contains(':')) {
                (1.., false) => format!("{details}:{port}"),
                _ => details.clone(),
            };
            let check = Check::new(service_name, service_type, &details, ASKED_TIMEOUT_MS)
                .map_err(|error| Status::invalid_argument(error.to_string()))?;
            let outcome = self.checker.run_for_another(&check).await;
            return Ok(CheckResult::new(self.results.agent(), &check, outcome));
        }
        let kind = self.results.kinds().get(service_name);
        if !service_type.is_empty() && kind.is_some_and(|kind| kind.to_string() != *service_type) {
            return Err(Status::not_found("this agent has a check of this name, of another type"));
        }
        match (self.results.latest(service_name), kind) {
            (Some(result), _) => Ok(result),
            (None, Some(_)) => Err(Status::failed_precondition("this check has not run yet, ask again")),
            (None, None) => Err(Status::not_found("this agent has no check of this name")),
        }
    }

    fn news(&self, request: &ResultsRequest) -> Result<News, Status> {
        let name = Some(request.service_name.as_str()).filter(|name| !name.is_empty());
        if name.is_some_and(|name| !self.results.kinds().contains_key(name)) {
            return Err(Status::not_found("this agent has no check of this name"));
        }
        Ok(self.results.since(name, &request.last_sequence))
    }
}

#[tonic::async_trait]
impl AgentService for Agent {
    async fn get_status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let agent_id = self.check_meant(&caller, "/monitoring.AgentService/GetStatus", &request.agent_id)?;
        // No name: the agent itself is meant.
        let (available, message, response_time_ns) = if request.service_name.is_empty() {
            (true, messages::json(&self.pulse.beat(State::Running)), 0)
        } else {
            let result = self.status(&request).await?;
            (result.available, messages::json(&result), result.response_time_ns)
        };
        Ok(Response::new(StatusResponse {
            available,
            message,
            service_name: request.service_name,
            service_type: request.service_type,
            response_time: i64::try_from(response_time_ns).unwrap_or(i64::MAX),
            agent_id,
            poller_id: request.poller_id,
        }))
    }

    async fn get_results(
        &self,
        request: Request<ResultsRequest>,
    ) -> Result<Response<ResultsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let started = Instant::now();
        let request = request.into_inner();
        let agent_id = self.check_meant(&caller, "/monitoring.AgentService/GetResults", &request.agent_id)?;
        let news = self.news(&request)?;
        Ok(Response::new(ResultsResponse {
            available: true,
            data: data(&news),
            has_new_data: !news.results.is_empty(),
            current_sequence: news.current_sequence,
            service_name: request.service_name,
            service_type: request.service_type,
            response_time: i64::try_from(started.elapsed().as_nanos()).unwrap_or(i64::MAX),
            agent_id,
            poller_id: request.poller_id,
            timestamp: now_ms() / 1000,
            sweep_completion: None,
        }))
    }

    type StreamResultsStream = Pin<Box<dyn Stream<Item = Result<ResultsChunk, Status>> + Send>>;

    async fn stream_results(
        &self,
        request: Request<ResultsRequest>,
    ) -> Result<Response<Self::StreamResultsStream>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        self.check_meant(&caller, "/monitoring.AgentService/StreamResults", &request.agent_id)?;
        let news = self.news(&request)?;
        let chunks = chunks(&data(&news), &news.current_sequence, CHUNK_BYTES);
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks.into_iter().map(Ok)))))
    }
}

/// The results as a JSON list; nothing at all when there is nothing new.
fn data(news: &News) -> Vec<u8> {
    if news.results.is_empty() { Vec::new() } else { messages::json(&news.results) }
}

/// At least one chunk, so that the caller always learns the current sequence.
fn chunks(data: &[u8], current_sequence: &str, chunk_bytes: usize) -> Vec<ResultsChunk> {
    let parts: Vec<&[u8]> = if data.is_empty() { vec![data] } else { data.chunks(chunk_bytes).collect() };
    let total = i32::try_from(parts.len()).unwrap_or(i32::MAX);
    let timestamp = now_ms() / 1000;
    let chunk = |(index, part): (i32, &[u8])| ResultsChunk {
        data: part.to_vec(),
        is_final: index + 1 == total,
        chunk_index: index,
        total_chunks: total,
        current_sequence: current_sequence.to_owned(),
        timestamp,
    };
    (0..).zip(parts).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_bounded_numbered_and_make_the_whole() {
        let data = vec![7; 25];
        let chunks = chunks(&data, "1.2", 10);
        let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.data.len()).collect();
        assert_eq!(sizes, [10, 10, 5]);
        let places: Vec<_> = chunks.iter().map(|chunk| (chunk.chunk_index, chunk.is_final)).collect();
        assert_eq!(places, [(0, false), (1, false), (2, true)]);
        assert!(chunks.iter().all(|chunk| chunk.total_chunks == 3 && chunk.current_sequence == "1.2"));
        assert_eq!(chunks.into_iter().flat_map(|chunk| chunk.data).collect::<Vec<_>>(), data);
    }

    #[test]
    fn nothing_new_is_one_empty_final_chunk() {
        let chunks = chunks(&[], "1.2", 10);
        assert_eq!(chunks.len(), 1);
        assert!(chunks[0].is_final && chunks[0].data.is_empty());
    }
}
