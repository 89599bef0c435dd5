//! An agent whose clock is another one than everybody else's.
//!
//! The clock of a container cannot be set without privileges, a time namespace does not cover the time of day, and the
//! programs are static, so that nothing can be put between them and the system's clock. What a wrong clock comes to for
//! everybody else can be had all the same: certificates that were issued by it. The agent is ended, and somebody with its
//! name dials in its place, and is dialled there, with certificates that begin tomorrow or ended yesterday.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_plan::ServiceId;
use bulkhead_plan::access::{CertificateFlaw, DenialReason, Outcome};
use bulkhead_plan::environment::BackendKind;
use bulkhead_probe::Presented;
use bulkhead_probe::grpc::{Call, Caller, call};
use bulkhead_probe::impostor::{Disguise, Impostor};
use bulkhead_probe::nats::{Login, login};
use bulkhead_runtime::probe::forge::Forger;
use bulkhead_runtime::probe::records::{Book, Event, Line, Source};
use bulkhead_runtime::probe::verdict::{Door, join};

use super::{Done, Ground};
use crate::stage::{NATS, POLLER};

/// Clocks that are a day ahead, and a day behind.
const CLOCKS: [(&str, CertificateFlaw, DenialReason); 2] = [
    ("ahead", CertificateFlaw::NotYetValid, DenialReason::NotYetValid),
    ("behind", CertificateFlaw::Expired, DenialReason::Expired),
];
/// How long the poller may take to dial, and its record to appear.
const DIAL_LIMIT: Duration = Duration::from_secs(5);
/// Between two rounds.
const AGAIN: Duration = Duration::from_millis(100);

/// Shows certificates of the wrong time in the agent's place, at least one of each.
pub(super) async fn shift(ground: &mut Ground<'_>) -> Result<Done, String> {
    let agent = ground.stage.agent(&ground.tenant)?;
    let id = ServiceId::Agent { tenant: ground.tenant.clone(), agent: agent.id.clone() };
    let name = agent.name.clone();
    let book = book(ground);
    let ended = ground.environment.stop_service(&id).await;
    ended.map_err(|error| format!("{id} does not end: {error}"))?;
    let shown = show(ground, &name, &book).await;
    let back = ground.environment.start_service(&id).await;
    back.map_err(|error| format!("{id} does not come back: {error}"))?;
    shown
}

fn book(ground: &Ground<'_>) -> Book {
    let record = ground.environment.record();
    Book::open(record.services.iter().map(|service| {
        let source = match record.backend {
            BackendKind::Process => Source::File(PathBuf::from(&service.logs)),
            BackendKind::Docker | BackendKind::Compose => Source::Container(service.handle.clone()),
        };
        (service.id.to_string(), source)
    }))
}

async fn show(ground: &Ground<'_>, name: &PeerName, book: &Book) -> Result<Done, String> {
    let forger = Forger::of_environment(&ground.stage.record.state_dir);
    let (mut done, mut refusals) = (Done::default(), 0_usize);
    loop {
        for (clock, flaw, expected) in &CLOCKS {
            let credential = forger.make(name, flaw).map_err(|error| error.to_string())?;
            for (place, outcome) in attempts(ground, book, &credential, *expected).await? {
                match outcome {
                    Outcome::Denied(reason) if reason == *expected => refusals += 1,
                    Outcome::Allowed | Outcome::Denied(_) => {
                        done.wrong.push(format!("{name}, whose clock is {clock}, {place}: {outcome}"));
                    }
                    unclear => return Err(format!("{name}, whose clock is {clock}, {place}: {unclear}")),
                }
            }
        }
        if !ground.pause(AGAIN).await {
            let codes: Vec<&str> = CLOCKS.iter().map(|(_, _, reason)| reason.code()).collect();
            done.said.push(format!(
                "{refusals} times refused, as {}, by NATS and the poller",
                codes.join(" and ")
            ));
            return Ok(done);
        }
    }
}

/// At NATS, at the poller, and when the poller dials: what each made of it by its own record.
async fn attempts(
    ground: &Ground<'_>,
    book: &Book,
    credential: &Presented,
    expected: DenialReason,
) -> Result<Vec<(&'static str, Outcome)>, String> {
    let (nats, poller) = (ServiceId::Nats.to_string(), ServiceId::Poller.to_string());
    let since = book.end(&nats);
    let seen = login(&ground.stage.address(&NATS)?, &Login::with(credential)).await;
    let mut found = vec![("at NATS", join(book, Door::Broker, &nats, since, &seen).await.outcome)];
    let since = book.end(&poller);
    let caller = Caller::of(Some(credential), &POLLER.to_string());
    let seen = call(&ground.stage.address(&POLLER)?, &caller, Call::Health(String::new())).await;
    found.push(("at the poller", join(book, Door::Service, &poller, since, &seen).await.outcome));
    // In a container's place nobody else can listen.
    if ground.stage.record.backend == BackendKind::Process {
        found.push(("dialled by the poller", dialled(ground, book, credential, expected).await?));
    }
    Ok(found)
}

/// What the poller records of whoever listens at the agent's address.
async fn dialled(
    ground: &Ground<'_>,
    book: &Book,
    credential: &Presented,
    expected: DenialReason,
) -> Result<Outcome, String> {
    let poller = ServiceId::Poller.to_string();
    let address = ground.stage.agent(&ground.tenant)?.address.clone();
    let port = address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let since = book.end(&poller);
    let impostor = Impostor::listen(&address, Disguise::Grpc, credential).await;
    let _impostor = impostor.map_err(|error| error.to_string())?;
    let is_it = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            let judged = audit.event == Event::Accepted || audit.denial().is_some();
            audit.peer_port() == port && judged
        })
    };
    let wanted = format!("dialling {address}");
    let found = book.find(&poller, since, &wanted, DIAL_LIMIT, is_it).await;
    let audit = found.map_err(|missing| missing.to_string())?.audit;
    Ok(match audit {
        Some(audit) if audit.event == Event::Accepted => Outcome::Allowed,
        Some(audit) => audit.denial().map_or_else(
            || {
                Outcome::Inconclusive(format!(
                    "refused for a reason unknown here, and not as {}",
                    expected.code()
                ))
            },
            Outcome::Denied,
        ),
        None => Outcome::Inconclusive("a record that is none".to_owned()),
    })
}
