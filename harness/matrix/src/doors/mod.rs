//! Attempts at the doors of services: handshakes, calls, logins. Those from one place at one door make a lane, with the
//! door's rightful peer before and after.

mod places;

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_plan::access::{
    CallTarget, DenialReason, Manner, Method, Operation, Outcome, RequestAuthority, TenantMetadata, Vantage,
    Who,
};
use bulkhead_plan::foreign::Conventions;
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::Sight;
use bulkhead_probe::grpc::{Answer, Call};
use bulkhead_probe::post::{Answered, LoginOrder, Opening, Order, Remote, Seen};
use bulkhead_runtime::probe::records::Place;
use bulkhead_runtime::probe::verdict::{
    Door, Judged, between, join, judge_in_the_clear, recorded_acceptance,
};
use bulkhead_wire::{PollerStatusChunk, PollerStatusRequest, ResultsRequest, ServiceStatus, StatusRequest};
use futures::future::join_all;
use futures::stream::{self, StreamExt as _};

use crate::site::{NATS, POLLER, Site};

/// How long a silent connection is kept: several times as long as anybody waits for it.
const SILENCE_DEADLINE_MS: u64 = 6_000;
/// A connection that ends sooner than this was not waited for, and ended for some other reason.
const WAITED_AT_LEAST: Duration = Duration::from_millis(500);

/// How many attempts stand between two controls.
const LANE_LENGTH: usize = 64;

/// How many lanes are walked at once: one that waits for its turn all the time finds its records forgotten, and its controls
/// long ago.
const LANES_AT_ONCE: usize = 32;

/// Attempts them, lane by lane, several at once.
pub(crate) async fn attempt(site: &Site, cells: &[Cell]) {
    // Whoever is silent takes as long as it is waited for: nobody else waits with it.
    let mut lanes: BTreeMap<(Vantage, PeerName, bool), Vec<&Cell>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| !keeps_others_waiting(&cell.operation)) {
        match cell.operation.service() {
            Some(service) => {
                let lane = (cell.from.clone(), service, is_silent(&cell.operation));
                lanes.entry(lane).or_default().push(cell);
            }
            None => site.file_unjudged(cell, "it is done at no service's door"),
        }
    }
    let walks = lanes.iter().map(async |((_, service, _), cells)| {
        for part in cells.chunks(LANE_LENGTH) {
            walk(site, service, part).await;
        }
    });
    stream::iter(walks).buffer_unordered(LANES_AT_ONCE).collect::<()>().await;
}

/// Whether an attempt, should it succeed, would keep every other one at the same door waiting.
fn keeps_others_waiting(operation: &Operation) -> bool {
    matches!(operation, Operation::Knock { manner: Manner::HoldTheDoor | Manner::TakeAllPlaces, .. })
}

fn is_silent(operation: &Operation) -> bool {
    matches!(operation, Operation::Knock { manner: Manner::BeSilent, .. })
}

/// Attempts what would be in every other attempt's way, when all of them are over.
pub(crate) async fn hold(site: &Site, cells: &[Cell]) {
    let cells = cells.iter().filter(|cell| keeps_others_waiting(&cell.operation));
    let (taking, holding): (Vec<&Cell>, Vec<&Cell>) = cells
        .partition(|cell| matches!(&cell.operation, Operation::Knock { manner: Manner::TakeAllPlaces, .. }));
    join_all(holding.into_iter().map(async |cell| {
        let judged = hold_the_door(site, cell).await;
        site.file(cell, judged.unwrap_or_else(Judged::inconclusive));
    }))
    .await;
    for cell in taking {
        let judged = places::take_all(site, cell).await;
        site.file(cell, judged.unwrap_or_else(Judged::inconclusive));
    }
}

/// Says nothing at a door while a rightful peer comes to it: who is dealt with first says whether one can keep the other
/// out. The peer's own answer is the evidence that the door is open.
async fn hold_the_door(site: &Site, cell: &Cell) -> Result<Judged, String> {
    let service = cell.operation.service().ok_or("it is done at no service's door")?;
    let probe = site.probe(&cell.from)?;
    let address = site.address(&cell.from, &service)?;
    let mut instead = Vec::new();
    for (who, _) in site.rightful_peers_of(&service) {
        let order = Order::Hold {
            address: address.clone(),
            opening: site.opening(probe, &who, &service)?,
            authority: site.conventions().certificate_name(&service),
            call: Box::new(control_call(site.conventions(), &service)),
        };
        let seen = probe.attempt(order).await.map_err(|lost| lost.to_string())?;
        let Sight::Answered(Answered::Held { silent_ended }) = &seen.sight else {
            instead.push(seen.to_string());
            continue;
        };
        let (outcome, order) = match silent_ended {
            true => (Outcome::Allowed, "it was ended before that"),
            false => (Outcome::Denied(DenialReason::OthersServed), "it was still open then"),
        };
        let evidence = format!("a connection stood silent; {seen}, and {order}");
        return Ok(Judged::new(outcome, vec![evidence]));
    }
    Err(format!("nobody was served: {}", instead.join("; ")))
}

/// One lane: control, attempts, control; then the records of all.
async fn walk(site: &Site, service: &PeerName, cells: &[&Cell]) {
    let before = served(site, service).await;
    let seen = join_all(cells.iter().map(async |cell| (*cell, knock(site, cell, service).await))).await;
    let after = served(site, service).await;
    let judgements = seen.into_iter().map(async |(cell, knocked)| {
        let judged = match knocked {
            Ok(knocked) => judge(site, service, cell, knocked).await,
            Err(why) => (Judged::inconclusive(why), None),
        };
        (cell, judged)
    });
    for (cell, (judged, unrecorded)) in join_all(judgements).await {
        site.file_with_record(cell, between(before.clone(), judged, after.clone()), unrecorded);
    }
}

/// What was seen of an attempt, and from where in the server's log its record may stand.
struct Knocked {
    seen: Seen,
    since: Place,
    /// Whether an earlier session was taken up, where that was attempted.
    resumed: Option<bool>,
}

async fn knock(site: &Site, cell: &Cell, service: &PeerName) -> Result<Knocked, String> {
    let probe = site.probe(&cell.from)?;
    let address = site.address(&cell.from, service)?;
    let opening = site.opening(probe, &cell.who, service)?;
    let page = site.page(service)?;
    let _place = match is_silent(&cell.operation) {
        true => None,
        false => Some(site.places.acquire().await.map_err(|error| error.to_string())?),
    };
    let since = site.book.end(&page);
    let mut knocked = once(site, cell, probe, &address, &opening).await?;
    // A refusing server closes at once, and its alert is lost when something of ours was still on its way. Its record would
    // say why; where there is none, another try may hear the alert.
    let mut tries = 1;
    while matches!(knocked.seen.sight, Sight::Closed(_)) && tries < site.tries(&page) {
        knocked = once(site, cell, probe, &address, &opening).await?;
        tries += 1;
    }
    Ok(Knocked { since, ..knocked })
}

async fn once(
    site: &Site,
    cell: &Cell,
    probe: &Remote,
    address: &str,
    opening: &Opening,
) -> Result<Knocked, String> {
    if let Operation::Resume { earlier, .. } = &cell.operation {
        return resume(site, cell, probe, (address, opening.clone()), earlier).await;
    }
    let seen = match order(site, cell, address.to_owned(), opening.clone())? {
        Attempt::Order(order) => probe.attempt(*order).await.map_err(|lost| lost.to_string())?,
        Attempt::Login(login) => {
            let (seen, _session) = probe.login(address, login).await.map_err(|lost| lost.to_string())?;
            seen
        }
    };
    Ok(Knocked { seen, since: Place::default(), resumed: None })
}

enum Attempt {
    Order(Box<Order>),
    Login(LoginOrder),
}

fn order(site: &Site, cell: &Cell, address: String, opening: Opening) -> Result<Attempt, String> {
    Ok(match &cell.operation {
        Operation::Handshake { .. } => Attempt::Order(Box::new(Order::Handshake { address, opening })),
        Operation::Connect => Attempt::Login(site.login(opening, &cell.who)),
        Operation::Knock { service, manner } => in_manner(site, service, *manner, address, opening),
        Operation::Call { target, method, metadata, authority } => {
            let what = (*method, metadata, authority);
            Attempt::Order(Box::new(call(site.conventions(), address, opening, target, what)?))
        }
        Operation::ReportForAnother { named } => Attempt::Order(Box::new(Order::Call {
            address,
            authority: site.conventions().certificate_name(&POLLER),
            opening,
            metadata: Vec::new(),
            call: Box::new(Call::ReportStatus(report_of(named))),
        })),
        Operation::AskForAnother { agent, named } => Attempt::Order(Box::new(Order::Call {
            address,
            authority: site.conventions().certificate_name(agent),
            opening,
            metadata: Vec::new(),
            call: Box::new(Call::GetStatus(StatusRequest {
                agent_id: named.to_string(),
                ..StatusRequest::default()
            })),
        })),
        _ => return Err("it is no attempt at a door".to_owned()),
    })
}

fn in_manner(site: &Site, service: &PeerName, manner: Manner, address: String, opening: Opening) -> Attempt {
    let opening = match manner {
        Manner::OldTls => Opening { old_tls: true, ..opening },
        Manner::NoAlpn => Opening { offers_h2: false, ..opening },
        Manner::InTheClear
        | Manner::AskForAuthorities
        | Manner::HoldTheDoor
        | Manner::BeSilent
        | Manner::TakeAllPlaces => opening,
    };
    match (*service == NATS, manner) {
        (_, Manner::BeSilent) => {
            Attempt::Order(Box::new(Order::BeSilent { address, deadline_ms: SILENCE_DEADLINE_MS }))
        }
        (true, Manner::InTheClear) => Attempt::Login(LoginOrder { opening: None, user: None, inbox: None }),
        (true, _) => Attempt::Login(LoginOrder { opening: Some(opening), user: None, inbox: None }),
        (false, Manner::AskForAuthorities) => {
            Attempt::Order(Box::new(Order::AskForAuthorities { address, opening }))
        }
        (false, Manner::InTheClear) => Attempt::Order(Box::new(Order::Clear { address })),
        (false, _) => Attempt::Order(Box::new(Order::Call {
            address,
            authority: opening.server_name.clone(),
            opening,
            metadata: Vec::new(),
            call: Box::new(control_call(site.conventions(), service)),
        })),
    }
}

/// A report of somebody else's.
fn report_of(tenant: &TenantSlug) -> PollerStatusRequest {
    let status = ServiceStatus {
        service_name: "matrix".to_owned(),
        service_type: "process".to_owned(),
        available: true,
        message: serde_json::json!({ "tenant": tenant.as_str() }).to_string().into_bytes(),
        ..ServiceStatus::default()
    };
    PollerStatusRequest { services: vec![status], ..PollerStatusRequest::default() }
}

/// What the metadata say of the tenant, under the platform's own key for it.
fn claims(conventions: &Conventions, metadata: &TenantMetadata) -> Result<Vec<(String, String)>, String> {
    if *metadata == TenantMetadata::Absent {
        return Ok(Vec::new());
    }
    let key = conventions.grpc().tenant_metadata.as_ref();
    let key = key.ok_or("the platform has no metadata key for the tenant")?;
    let claim = |slug: &TenantSlug| (key.clone(), conventions.tenant(slug).to_owned());
    Ok(match metadata {
        TenantMetadata::Absent => Vec::new(),
        TenantMetadata::Claims(slug) => vec![claim(slug)],
        TenantMetadata::ClaimsTwice(slug) => vec![claim(slug), claim(slug)],
        TenantMetadata::Unreadable => vec![(key.clone(), String::new())],
        TenantMetadata::Binary => vec![(format!("{key}-bin"), "acme".to_owned())],
    })
}

/// A call that the service's rightful peer may make without any doubt.
fn control_call(conventions: &Conventions, service: &PeerName) -> Call {
    let has = |method| conventions.has_method(method);
    match service {
        _ if has(Method::Health) => Call::Health(String::new()),
        PeerName::Tenant(_) if has(Method::GetStatus) => call_of(Method::GetStatus),
        PeerName::Tenant(_) => call_of(Method::GetResults),
        PeerName::Platform(_) => call_of(Method::ReportStatus),
    }
}

fn call(
    conventions: &Conventions,
    address: String,
    opening: Opening,
    target: &CallTarget,
    (method, metadata, authority): (Method, &TenantMetadata, &RequestAuthority),
) -> Result<Order, String> {
    let metadata = claims(conventions, metadata)?;
    let authority = match authority {
        RequestAuthority::Target => conventions.certificate_name(&target.name()),
        RequestAuthority::Other(name) => conventions.certificate_name(name),
    };
    Ok(Order::Call { address, opening, authority, metadata, call: Box::new(call_of(method)) })
}

fn call_of(method: Method) -> Call {
    match method {
        Method::Health => Call::Health(String::new()),
        Method::WatchHealth => Call::WatchHealth(String::new()),
        Method::GetStatus => Call::GetStatus(StatusRequest {
            service_name: "agent-process".to_owned(),
            service_type: "process".to_owned(),
            details: "bulkhead-agent".to_owned(),
            ..StatusRequest::default()
        }),
        Method::GetResults => Call::GetResults(results_request()),
        Method::StreamResults => Call::StreamResults(results_request()),
        Method::ReportStatus => Call::ReportStatus(PollerStatusRequest::default()),
        Method::StreamStatus => Call::StreamStatus(vec![PollerStatusChunk {
            is_final: true,
            total_chunks: 1,
            ..PollerStatusChunk::default()
        }]),
    }
}

fn results_request() -> ResultsRequest {
    ResultsRequest {
        service_name: "agent-process".to_owned(),
        service_type: "process".to_owned(),
        ..ResultsRequest::default()
    }
}

/// Two handshakes with one place for tickets: the earlier one leaves what the later one offers. A client looks its tickets
/// up by the server's name, so both are asked for by the earlier one's.
async fn resume(
    site: &Site,
    cell: &Cell,
    probe: &Remote,
    (address, opening): (&str, Opening),
    earlier: &PeerName,
) -> Result<Knocked, String> {
    let opening = Opening {
        server_name: site.conventions().certificate_name(earlier),
        sessions: Some(probe.fresh_number()),
        ..opening
    };
    let first = site.address(&cell.from, earlier)?;
    let order = Order::Handshake { address: first, opening: opening.clone() };
    let opened = probe.attempt(order).await.map_err(|lost| lost.to_string())?;
    let order = Order::Handshake { address: address.to_owned(), opening };
    let seen = probe.attempt(order).await.map_err(|lost| lost.to_string())?;
    let let_in_there = site.rightful_peers_of(earlier).iter().any(|(who, _)| *who == cell.who);
    let let_in_here = cell.operation.service().as_ref() == Some(earlier) && is_answered(&seen);
    leaves_a_session(&opened, let_in_there || let_in_here)?;
    let resumed = match &seen.sight {
        Sight::Answered(Answered::Shown(shown)) => Some(shown.resumed),
        _ => None,
    };
    Ok(Knocked { seen, since: Place::default(), resumed })
}

fn is_answered(seen: &Seen) -> bool {
    matches!(seen.sight, Sight::Answered(_))
}

/// Whoever is let in by the earlier service has to have been: else nothing was left that could have been taken up, and that it
/// was not says nothing. Whom that service turns away has nothing to offer, and is verified.
fn leaves_a_session(opened: &Seen, let_in: bool) -> Result<(), String> {
    match let_in && !is_answered(opened) {
        true => Err(format!("there was no earlier session to take up: {opened}")),
        false => Ok(()),
    }
}

/// Joins what was seen with the server's record; says also why an access is not on record where it has to be.
async fn judge(site: &Site, service: &PeerName, cell: &Cell, knocked: Knocked) -> (Judged, Option<String>) {
    let Knocked { seen, since, resumed } = knocked;
    let page = match site.page(service) {
        Ok(page) => page,
        Err(why) => return (Judged::inconclusive(why), None),
    };
    let door = if *service == NATS { Door::Broker } else { Door::Service };
    // Whoever speaks without TLS, or not at all, leaves no name to be recorded.
    let in_the_clear = matches!(cell.operation, Operation::Knock { manner: Manner::InTheClear, .. });
    let nameless = in_the_clear || is_silent(&cell.operation);
    let recorded = site.book.follows(&page);
    let mut judged = match &seen.sight {
        // nats-server 2.15.1 logs it at debug level only. Whether the connection stays was the question: its end is the answer.
        Sight::Closed(_) if is_silent(&cell.operation) && door == Door::Broker => {
            let outcome = match seen.took >= WAITED_AT_LEAST {
                true => Outcome::Denied(DenialReason::HandshakeTimeout),
                false => Outcome::Inconclusive("it was ended before anybody could have waited".to_owned()),
            };
            Judged::new(outcome, vec![seen.to_string()])
        }
        _ if in_the_clear && !recorded => judge_in_the_clear(&seen),
        _ => join(&site.book, door, &page, since, &seen).await,
    };
    if let Some(resumed) = resumed {
        judged.evidence.push(format!("the earlier session was taken up: {resumed}"));
        if !resumed {
            judged.outcome = Outcome::Denied(DenialReason::VerifiedAnew);
        }
    }
    if let Sight::Answered(Answered::Authorities(names)) = &seen.sight {
        judged.evidence.push(format!("it named {} authorities: {names:?}", names.len()));
        // Whoever is told of them and then turned away was not let in, and is not on record as that.
        return (judged, None);
    }
    if !matches!(seen.sight, Sight::Answered(_)) || door == Door::Broker || nameless || !recorded {
        return (judged, None);
    }
    match recorded_acceptance(&site.book, &page, since, &seen).await {
        Ok(record) => {
            judged.evidence.push(format!("{page} recorded: {record}"));
            (judged, None)
        }
        Err(missing) => (judged, Some(missing)),
    }
}

/// A rightful peer of the service is served now. Says which, or what was seen of each instead.
async fn served(site: &Site, service: &PeerName) -> Result<String, String> {
    let mut instead = Vec::new();
    for (who, _) in site.rightful_peers_of(service) {
        match serves(site, service, &who).await {
            Ok(seen) => return Ok(seen),
            Err(why) => instead.push(why),
        }
    }
    match instead.is_empty() {
        true => Err("there is nobody who may use it without doubt".to_owned()),
        false => Err(instead.join("; ")),
    }
}

async fn serves(site: &Site, service: &PeerName, who: &Who) -> Result<String, String> {
    let seen = asked(site, service, who).await?;
    match &seen.sight {
        Sight::Answered(Answered::Call(Answer::Serving(false))) => {
            Err(format!("{service} answers that it is not serving"))
        }
        Sight::Answered(_) => Ok(seen.to_string()),
        _ => Err(seen.to_string()),
    }
}

/// What a rightful peer sees when it asks the service for what it may have without any doubt.
async fn asked(site: &Site, service: &PeerName, who: &Who) -> Result<Seen, String> {
    let from = Vantage::Host;
    let probe = site.probe(&from)?;
    let address = site.address(&from, service)?;
    let opening = site.opening(probe, who, service)?;
    let _place = site.places.acquire().await.map_err(|error| error.to_string())?;
    let seen = match *service == NATS {
        true => probe.login(&address, site.login(opening, who)).await.map(|(seen, _session)| seen),
        false => {
            let order = Order::Call {
                address,
                opening,
                authority: site.conventions().certificate_name(service),
                metadata: Vec::new(),
                call: Box::new(control_call(site.conventions(), service)),
            };
            probe.attempt(order).await
        }
    };
    seen.map_err(|lost| lost.to_string())
}

#[cfg(test)]
mod tests {
    use bulkhead_probe::Stopwatch;
    use bulkhead_probe::post::Shown;

    use super::*;

    #[test]
    fn a_session_that_was_never_opened_is_not_refused_to_be_taken_up() {
        let seen = |sight| Stopwatch::start("the earlier handshake").stop(sight, None);
        let opened = || seen(Sight::Answered(Answered::Shown(Shown { resumed: false })));
        let ended = || seen(Sight::Closed("reset".to_owned()));
        assert!(leaves_a_session(&opened(), true).is_ok());
        assert!(leaves_a_session(&ended(), false).is_ok());
        let why = leaves_a_session(&ended(), true).unwrap_err();
        assert!(why.contains("no earlier session"), "{why}");
    }
}
