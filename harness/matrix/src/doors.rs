//! Attempts at the doors of services: handshakes, calls, logins. Those from one place at one door make a lane, with the
//! door's rightful peer before and after.

use std::collections::BTreeMap;

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
use bulkhead_wire::{PollerStatusChunk, PollerStatusRequest, ResultsRequest, StatusRequest};
use futures::future::join_all;

use crate::site::{NATS, Site};

/// How many attempts stand between two controls.
const LANE_LENGTH: usize = 64;

/// Attempts them, lane by lane, all lanes at once.
pub(crate) async fn attempt(site: &Site, cells: &[Cell]) {
    let mut lanes: BTreeMap<(Vantage, PeerName), Vec<&Cell>> = BTreeMap::new();
    for cell in cells {
        match cell.operation.service() {
            Some(service) => lanes.entry((cell.from.clone(), service)).or_default().push(cell),
            None => site.file_unjudged(cell, "it is done at no service's door"),
        }
    }
    let walks = lanes.iter().map(async |((_, service), cells)| {
        for part in cells.chunks(LANE_LENGTH) {
            walk(site, service, part).await;
        }
    });
    join_all(walks).await;
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
    let _place = site.places.acquire().await.map_err(|error| error.to_string())?;
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
        _ => return Err("it is no attempt at a door".to_owned()),
    })
}

fn in_manner(site: &Site, service: &PeerName, manner: Manner, address: String, opening: Opening) -> Attempt {
    let opening = match manner {
        Manner::OldTls => Opening { old_tls: true, ..opening },
        Manner::NoAlpn => Opening { offers_h2: false, ..opening },
        Manner::InTheClear => opening,
    };
    match (*service == NATS, manner) {
        (true, Manner::InTheClear) => Attempt::Login(LoginOrder { opening: None, user: None, inbox: None }),
        (true, _) => Attempt::Login(LoginOrder { opening: Some(opening), user: None, inbox: None }),
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
    probe.attempt(order).await.map_err(|lost| lost.to_string())?;
    let order = Order::Handshake { address: address.to_owned(), opening };
    let seen = probe.attempt(order).await.map_err(|lost| lost.to_string())?;
    let resumed = match &seen.sight {
        Sight::Answered(Answered::Shown(shown)) => Some(shown.resumed),
        _ => None,
    };
    Ok(Knocked { seen, since: Place::default(), resumed })
}

/// Joins what was seen with the server's record; says also why an access is not on record where it has to be. Whoever speaks
/// without TLS leaves no name to be recorded.
async fn judge(site: &Site, service: &PeerName, cell: &Cell, knocked: Knocked) -> (Judged, Option<String>) {
    let Knocked { seen, since, resumed } = knocked;
    let page = match site.page(service) {
        Ok(page) => page,
        Err(why) => return (Judged::inconclusive(why), None),
    };
    let door = if *service == NATS { Door::Broker } else { Door::Service };
    let in_the_clear = matches!(cell.operation, Operation::Knock { manner: Manner::InTheClear, .. });
    let recorded = site.book.follows(&page);
    let mut judged = match in_the_clear && !recorded {
        true => judge_in_the_clear(&seen),
        false => join(&site.book, door, &page, since, &seen).await,
    };
    if let Some(resumed) = resumed {
        judged.evidence.push(format!("the earlier session was taken up: {resumed}"));
        if !resumed {
            judged.outcome = Outcome::Denied(DenialReason::VerifiedAnew);
        }
    }
    if !matches!(seen.sight, Sight::Answered(_)) || door == Door::Broker || in_the_clear || !recorded {
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
    let from = Vantage::Host;
    let probe = site.probe(&from)?;
    let address = site.address(&from, service)?;
    let opening = site.opening(probe, who, service)?;
    let _place = site.places.acquire().await.map_err(|error| error.to_string())?;
    if *service == NATS {
        let login = site.login(opening, who);
        let (seen, _session) = probe.login(&address, login).await.map_err(|lost| lost.to_string())?;
        return match seen.sight {
            Sight::Answered(_) => Ok(seen.to_string()),
            _ => Err(seen.to_string()),
        };
    }
    let authority = site.conventions().certificate_name(service);
    let order = Order::Call {
        address,
        opening,
        authority,
        metadata: Vec::new(),
        call: Box::new(control_call(site.conventions(), service)),
    };
    let seen = probe.attempt(order).await.map_err(|lost| lost.to_string())?;
    match &seen.sight {
        Sight::Answered(Answered::Call(Answer::Serving(false))) => {
            Err(format!("{service} answers that it is not serving"))
        }
        Sight::Answered(_) => Ok(seen.to_string()),
        _ => Err(seen.to_string()),
    }
}
