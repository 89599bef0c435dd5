//! Who is believed by the poller to be an agent, and by an agent to be the poller or the broker.
//!
//! A running service cannot be led astray without taking its peers away from it. So the same programs are started a
//! second time, with the platform's own credentials and the same kind of configuration, and find impostors where they
//! expect their peers. An impostor receives one visitor at a time and shows each the next hostile certificate.

mod stand_in;

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_plan::access::{CertificateFlaw, Operation, Who};
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::impostor::{Disguise, Turnstile, Visit};
use bulkhead_probe::{Refusal, Sight};
use bulkhead_runtime::probe::records::{Event, Line, Place};
use bulkhead_runtime::probe::verdict::{Judged, Record, between, judge, judge_operation};
use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::run::StandIns;
use crate::site::{NATS, POLLER, Site};
use stand_in::StandIn;

/// How long a stand-in may take to dial, and its record to appear.
const DEADLINE: Duration = Duration::from_secs(5);

/// How many stand-ins run at once: each dials as fast as it can.
const STAND_INS_AT_ONCE: usize = 8;

/// One impostor: in whose place, and what it is to show.
struct Post<'a> {
    service: PeerName,
    turnstile: Turnstile,
    cells: Vec<&'a Cell>,
}

/// Attempts them: one stand-in of the poller for all tenants, one of an agent for each.
pub(crate) async fn attempt(site: &Site, programs: &StandIns, cells: &[Cell]) {
    let mut by_dialler: BTreeMap<PeerName, BTreeMap<PeerName, Vec<&Cell>>> = BTreeMap::new();
    for cell in cells {
        if let Operation::Impersonate { service, dialler } = &cell.operation {
            by_dialler.entry(dialler.clone()).or_default().entry(service.clone()).or_default().push(cell);
        }
    }
    let stand_ins = by_dialler.iter().map(async |(dialler, services)| {
        if let Err(why) = stand_in(site, programs, dialler, services).await {
            let cells = services.values().flatten();
            cells.for_each(|cell| site.file_unjudged(cell, why.clone()));
        }
    });
    stream::iter(stand_ins).buffer_unordered(STAND_INS_AT_ONCE).collect::<()>().await;
}

async fn stand_in(
    site: &Site,
    programs: &StandIns,
    dialler: &PeerName,
    services: &BTreeMap<PeerName, Vec<&Cell>>,
) -> Result<(), String> {
    let mut posts = Vec::new();
    for (service, cells) in services {
        posts.push(Post {
            service: service.clone(),
            turnstile: listen(service).await?,
            cells: cells.clone(),
        });
    }
    // An agent dials both the poller and the broker, also where only one of them is to be impersonated.
    if dialler.tenant().is_some() {
        for service in [POLLER, NATS] {
            if !services.contains_key(&service) {
                posts.push(Post { turnstile: listen(&service).await?, service, cells: Vec::new() });
            }
        }
    }
    let addresses: BTreeMap<PeerName, String> =
        posts.iter().map(|post| (post.service.clone(), post.turnstile.address().to_string())).collect();
    let program = StandIn::start(site, programs, dialler, &addresses)?;
    join_all(posts.iter().map(|post| man(site, &program, post))).await;
    Ok(())
}

async fn listen(service: &PeerName) -> Result<Turnstile, String> {
    let disguise = if *service == NATS { Disguise::Broker } else { Disguise::Grpc };
    let turnstile = Turnstile::listen("127.0.0.1:0", disguise).await;
    turnstile.map_err(|error| format!("cannot listen in place of {service}: {error}"))
}

/// Shows one certificate after the other, a valid one first and last.
async fn man(site: &Site, program: &StandIn, post: &Post<'_>) {
    if post.cells.is_empty() {
        return;
    }
    let mut refused = 0;
    let before = control(site, program, post, &mut refused).await;
    let mut found = Vec::new();
    let mut last = None;
    for cell in &post.cells {
        let judged = async {
            separate(site, program, post, [last, Some(&cell.who)], &mut refused).await?;
            show(site, program, post, &cell.who, &mut refused).await
        };
        let judged = judged.await.unwrap_or_else(Judged::inconclusive);
        found.push((cell, judged));
        last = Some(&cell.who);
    }
    let after = control(site, program, post, &mut refused).await;
    for (cell, judged) in found {
        site.file(cell, between(before.clone(), judged, after.clone()));
    }
}

/// A link to the broker records a refusal once for as long as nothing else happens to it. So another refusal, which is
/// neither's, comes between two that might be alike.
async fn separate(
    site: &Site,
    program: &StandIn,
    post: &Post<'_>,
    neighbours: [Option<&Who>; 2],
    refused: &mut usize,
) -> Result<(), String> {
    if post.service != NATS {
        return Ok(());
    }
    let is_theirs = |flaw: &CertificateFlaw| {
        let theirs = |who: &&Who| matches!(who, Who::Forged { flaw: other, .. } if other == flaw);
        neighbours.iter().flatten().any(theirs)
    };
    let mut flaws = [CertificateFlaw::Expired, CertificateFlaw::SelfSigned, CertificateFlaw::CommonNameOnly]
        .into_iter()
        .filter(|flaw| !is_theirs(flaw));
    let Some(flaw) = flaws.next() else { return Ok(()) };
    let between = Who::Forged { name: post.service.clone(), flaw };
    show(site, program, post, &between, refused).await.map(|_| ())
}

/// A valid certificate is believed: what is refused is refused for what is wrong with it.
async fn control(
    site: &Site,
    program: &StandIn,
    post: &Post<'_>,
    refused: &mut usize,
) -> Result<String, String> {
    let valid = Who::Forged { name: post.service.clone(), flaw: CertificateFlaw::None };
    let judged = show(site, program, post, &valid, refused).await?;
    match judged.outcome {
        bulkhead_plan::access::Outcome::Allowed => {
            Ok(format!("a valid {} is spoken to at {}", post.service, post.turnstile.address()))
        }
        outcome => Err(format!("a valid {} is not spoken to: {outcome}", post.service)),
    }
}

/// One visitor sees this certificate; its own record says why it went away. `refused` counts its refusals at this address so
/// far: its visits come one after the other, so that the next record is this visit's.
async fn show(
    site: &Site,
    program: &StandIn,
    post: &Post<'_>,
    who: &Who,
    refused: &mut usize,
) -> Result<Judged, String> {
    let credential = site.credential(who).map_err(|error| error.to_string())?;
    let port = post.turnstile.address().port();
    if program.has_ended() {
        return Err(format!("the stand-in has ended: {}", program.last_words()));
    }
    let until = Instant::now() + DEADLINE;
    let visit = loop {
        let received = match &credential {
            Some(credential) => post.turnstile.receive(credential, DEADLINE).await,
            None => Ok(post.turnstile.receive_in_the_clear(DEADLINE).await),
        };
        let received = received.map_err(|error| error.to_string())?;
        match received {
            // Under TLS 1.3 whoever refuses says so in an alert. This one has given up waiting for its turn.
            Some(Visit { sight: Sight::Closed(_) | Sight::NotMade(_) | Sight::Silence(_), .. })
                if Instant::now() < until => {}
            other => break other,
        }
    };
    let Some(visit) = visit else {
        return Err(format!("the stand-in never dialled port {port}; {}", program.last_words()));
    };
    site.add_attempts(1);
    let label = credential.as_ref().map_or("nobody, without TLS", |credential| credential.label());
    let mut evidence = vec![format!("an impostor at port {port}, as {label}, saw: {}", visit.sight)];
    if let Sight::Refused(Refusal::TlsDemanded) = &visit.sight {
        // It opened a handshake unasked, and nothing else was said that it could have a record of.
        return Ok(Judged::new(judge_operation(&visit.sight, ""), evidence));
    }
    if !matches!(visit.sight, Sight::Refused(_) | Sight::Closed(_)) {
        return Ok(Judged::new(judge(&visit.sight, &Record::None("")), evidence));
    }
    let wanted = format!("a refusal of the peer at port {port}");
    // What is recorded of a handshake that was never finished is no verdict.
    let is_it = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            audit.event == Event::Refused && audit.peer_port() == Some(port) && audit.denial().is_some()
        })
    };
    let patience = program.patience_for_a_record();
    let found =
        program.book().find_nth(stand_in::PAGE, Place::default(), *refused, (&wanted, patience), is_it).await;
    if found.is_err() {
        program.owes_a_record();
    }
    evidence
        .push(found.as_ref().map_or_else(ToString::to_string, |line| format!("it recorded: {}", line.text)));
    let record = match found.as_ref().ok().and_then(|line| line.audit.as_ref()) {
        Some(audit) => {
            *refused += 1;
            Record::Refused(audit)
        }
        None => Record::None(&wanted),
    };
    Ok(Judged::new(judge(&visit.sight, &record), evidence))
}
