//! Calls between agents, the poller and the administrator.

use std::str::FromStr;

use bulkhead_plan::access::{Method, RequestAuthority, TenantMetadata};
use bulkhead_runtime::probe::Nonce;
use bulkhead_runtime::probe::grpc::{Call, Caller};
use bulkhead_runtime::probe::records::Event;
use bulkhead_wire::{PollerStatusRequest, ResultsRequest, ServiceStatus, StatusRequest};
use cucumber::{Parameter, then, when};

use crate::engage;
use crate::scene::{Scene, Step, Unmet};
use crate::words::{Peer, UnknownWord};

/// What an agent is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Parameter)]
#[param(name = "question", regex = "status|results|streamed results|health")]
enum Question {
    Status,
    Results,
    StreamedResults,
    Health,
}

impl FromStr for Question {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "status" => Ok(Self::Status),
            "results" => Ok(Self::Results),
            "streamed results" => Ok(Self::StreamedResults),
            "health" => Ok(Self::Health),
            _ => Err(UnknownWord::new("question", word)),
        }
    }
}

impl Question {
    fn method(self) -> Method {
        match self {
            Self::Health => Method::Health,
            Self::Status => Method::GetStatus,
            Self::Results => Method::GetResults,
            Self::StreamedResults => Method::StreamResults,
        }
    }

    fn call(self) -> Call {
        let results = || ResultsRequest { poller_id: "e2e".to_owned(), ..ResultsRequest::default() };
        match self {
            Self::Status => {
                Call::GetStatus(StatusRequest { poller_id: "e2e".to_owned(), ..StatusRequest::default() })
            }
            Self::Results => Call::GetResults(results()),
            Self::StreamedResults => Call::StreamResults(results()),
            Self::Health => Call::Health(String::new()),
        }
    }
}

/// What the metadata say about the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Parameter)]
#[param(
    name = "claim",
    regex = "no tenant|an empty tenant|[a-z]+ twice|[a-z]+ and [a-z]+|[a-z]+ in binary|[a-z]+"
)]
struct Claim(String);

impl FromStr for Claim {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Ok(Self(word.to_owned()))
    }
}

impl Claim {
    /// The metadata entries, with the tenants' real slugs.
    fn entries(&self, scene: &Scene) -> Result<Vec<(&'static str, String)>, Unmet> {
        let platform = scene.platform()?;
        let slug = |word: &str| platform.slug(word).map(ToString::to_string);
        let words: Vec<&str> = self.0.split(' ').collect();
        Ok(match words.as_slice() {
            ["no", "tenant"] => Vec::new(),
            ["an", "empty", "tenant"] => vec![(CLAIM, String::new())],
            [one, "twice"] => vec![(CLAIM, slug(one)?), (CLAIM, slug(one)?)],
            [one, "and", other] => vec![(CLAIM, slug(one)?), (CLAIM, slug(other)?)],
            [one, "in", "binary"] => vec![("x-tenant-id-bin", slug(one)?)],
            _ => vec![(CLAIM, slug(&self.0)?)],
        })
    }

    fn in_the_model(&self, scene: &Scene) -> Result<TenantMetadata, Unmet> {
        let platform = scene.platform()?;
        let words: Vec<&str> = self.0.split(' ').collect();
        Ok(match words.as_slice() {
            ["no", "tenant"] => TenantMetadata::Absent,
            ["an", "empty", "tenant"] => TenantMetadata::Unreadable,
            [one, "twice"] | [one, "and", _] => TenantMetadata::ClaimsTwice(platform.slug(one)?.clone()),
            [_, "in", "binary"] => TenantMetadata::Binary,
            _ => TenantMetadata::Claims(platform.slug(&self.0)?.clone()),
        })
    }

    fn put(&self, scene: &Scene, caller: Caller) -> Result<Caller, Unmet> {
        Ok(self.entries(scene)?.into_iter().fold(caller, |caller, (name, value)| caller.saying(name, &value)))
    }
}

const CLAIM: &str = "x-tenant-id";

#[when(expr = "{peer} asks {peer} for its {question}")]
async fn asks(scene: &mut Scene, who: Peer, service: Peer, question: Question) -> Step {
    let caller = engage::caller(scene, &who, &service)?;
    let (metadata, authority) = (TenantMetadata::Absent, RequestAuthority::Target);
    let attempted = scene.platform()?.call_of(&service, question.method(), metadata, authority)?;
    engage::call(scene, &who, &service, caller, question.call(), attempted).await
}

#[when(expr = "{peer} asks {peer} for its {question}, claiming {claim}")]
async fn asks_claiming(
    scene: &mut Scene,
    who: Peer,
    service: Peer,
    question: Question,
    claim: Claim,
) -> Step {
    let caller = claim.put(scene, engage::caller(scene, &who, &service)?)?;
    let metadata = claim.in_the_model(scene)?;
    let attempted =
        scene.platform()?.call_of(&service, question.method(), metadata, RequestAuthority::Target)?;
    engage::call(scene, &who, &service, caller, question.call(), attempted).await
}

#[when(expr = "{peer} calls {peer} under the name of {peer}")]
async fn calls_under_a_name(scene: &mut Scene, who: Peer, service: Peer, other: Peer) -> Step {
    let platform = scene.platform()?;
    let name = platform.name(&other)?;
    let caller = engage::caller(scene, &who, &service)?.under_authority(&name.common_name());
    let (question, authority) = (Question::Status, RequestAuthority::Other(name));
    let attempted = platform.call_of(&service, question.method(), TenantMetadata::Absent, authority)?;
    engage::call(scene, &who, &service, caller, question.call(), attempted).await
}

#[when(expr = "{peer} reports to the poller, claiming {claim}")]
async fn reports(scene: &mut Scene, who: Peer, claim: Claim) -> Step {
    let caller = claim.put(scene, engage::caller(scene, &who, &Peer::Poller)?)?;
    let (metadata, authority) = (claim.in_the_model(scene)?, RequestAuthority::Target);
    let attempted = scene.platform()?.call_of(&Peer::Poller, Method::ReportStatus, metadata, authority)?;
    let report = report(&scene.nonce);
    engage::call(scene, &who, &Peer::Poller, caller, report, attempted).await
}

/// A report that is found again by what it says.
pub(super) fn report(nonce: &Nonce) -> Call {
    let service = ServiceStatus {
        service_name: format!("e2e-{nonce}"),
        service_type: "process".to_owned(),
        available: true,
        ..ServiceStatus::default()
    };
    Call::ReportStatus(PollerStatusRequest { services: vec![service], ..PollerStatusRequest::default() })
}

#[then(expr = "{peer} has recorded that {peer} was accepted")]
async fn recorded_acceptance(scene: &mut Scene, service: Peer, who: Peer) -> Step {
    engage::recorded(scene, &service, &who, Event::Accepted).await
}

#[then(expr = "{peer} has recorded that {peer} was refused")]
async fn recorded_refusal(scene: &mut Scene, service: Peer, who: Peer) -> Step {
    engage::recorded(scene, &service, &who, Event::Refused).await
}
