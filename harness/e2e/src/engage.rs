//! Attempts at a service's door: an observation, the server's record of it, controls around both.

use std::net::SocketAddr;

use std::time::Duration;

use bulkhead_plan::access::{Manner, Operation, Outcome, Who};
use bulkhead_runtime::probe::grpc::{self, Answer, Call, Caller};
use bulkhead_runtime::probe::nats::{Login, login};
use bulkhead_runtime::probe::records::{Audit, Event, Line, Place};
use bulkhead_runtime::probe::tls::{Hello, TLS12, handshake};
use bulkhead_runtime::probe::{Observation, Presented, Refusal, Sight, TraceId, clear};

use crate::controls::served;
use crate::platform::{Platform, Target};
use crate::scene::{Scene, Unmet};
use crate::verdict::{Judged, Record, between, judge, judge_operation};
use crate::words::Peer;

/// How long a server's record may take to appear in its log.
const RECORD_DEADLINE: Duration = Duration::from_secs(3);

/// Connects with a credential, and files the outcome under `who`; `certified` is the same in the model.
pub(crate) async fn connect(
    scene: &mut Scene,
    who: &Peer,
    service: &Peer,
    credential: Option<Presented>,
    certified: Who,
) -> Result<(), Unmet> {
    let platform = scene.platform()?;
    let model = platform.expected(certified, platform.connection_to(service)?);
    let target = platform.target(service)?;
    scene.show(credential.as_ref());
    scene.pages.push(target.page.clone());
    let before = served(&platform, service).await;
    let since = platform.book.end(&target.page);
    let seen = knock(service, &target, credential.as_ref()).await;
    let judged = join(&platform, service, &target, since, &seen).await.under(model);
    let after = served(&platform, service).await;
    scene.file(who, between(before, judged, after));
    Ok(())
}

/// The same with the peer's own credential, in another manner than the platform's clients.
pub(crate) async fn connect_in(
    scene: &mut Scene,
    who: &Peer,
    service: &Peer,
    manner: Manner,
) -> Result<(), Unmet> {
    let platform = scene.platform()?;
    let operation = Operation::Knock { service: platform.name(service)?, manner };
    let model = platform.expected(platform.as_itself(who)?, operation);
    let (credential, target) = (platform.credential(who)?, platform.target(service)?);
    scene.show(credential.as_ref());
    scene.pages.push(target.page.clone());
    let before = served(&platform, service).await;
    let since = platform.book.end(&target.page);
    let seen = knock_in(service, &target, credential.as_ref(), manner).await;
    let judged = join(&platform, service, &target, since, &seen).await.under(model);
    let after = served(&platform, service).await;
    scene.file(who, between(before, judged, after));
    Ok(())
}

/// Calls a method with a prepared caller, and files the outcome under `who`; `attempted` is the same in the model.
pub(crate) async fn call(
    scene: &mut Scene,
    who: &Peer,
    service: &Peer,
    caller: Caller,
    what: Call,
    attempted: Operation,
) -> Result<(), Unmet> {
    let platform = scene.platform()?;
    let model = platform.expected(platform.as_itself(who)?, attempted);
    let target = platform.target(service)?;
    scene.show(caller.hello.credential.as_ref());
    scene.pages.push(target.page.clone());
    let before = served(&platform, service).await;
    let since = platform.book.end(&target.page);
    let seen = grpc::call(&target.address, &caller, what).await;
    let judged = join(&platform, service, &target, since, &seen).await.under(model);
    let after = served(&platform, service).await;
    scene.trace.clone_from(&seen.trace_id);
    scene.answer = seen.split().1;
    scene.file(who, between(before, judged, after));
    Ok(())
}

/// The caller with its own certificate, addressing the service by its name.
pub(crate) fn caller(scene: &Scene, who: &Peer, service: &Peer) -> Result<Caller, Unmet> {
    let platform = scene.platform()?;
    let credential = platform.credential(who)?;
    Ok(Caller::of(credential.as_ref(), &platform.target(service)?.name.common_name()))
}

/// The answer to a call, when there was one.
pub(crate) fn answer(scene: &Scene) -> Option<&Answer> {
    scene.answer.as_ref()
}

async fn knock(service: &Peer, target: &Target, credential: Option<&Presented>) -> Observation<()> {
    if *service == Peer::Broker {
        let how = credential.map_or_else(Login::without_certificate, Login::with);
        return login(&target.address, &how).await.map(|_| ());
    }
    let hello = Hello::grpc(credential, &target.name.common_name());
    handshake(&target.address, &hello).await.map(|_| ())
}

/// A whole call where one can be made: a server that lets it through answers it.
async fn knock_in(
    service: &Peer,
    target: &Target,
    credential: Option<&Presented>,
    manner: Manner,
) -> Observation<()> {
    if *service == Peer::Broker {
        let hello = in_manner(Hello::nats(credential), manner);
        let how = Login { tls: (manner != Manner::InTheClear).then_some(hello), ..Login::in_the_clear() };
        return login(&target.address, &how).await.map(|_| ());
    }
    let caller = Caller::of(credential, &target.name.common_name());
    if manner == Manner::InTheClear {
        return clear::speak(&target.address, caller.deadline).await;
    }
    let caller = Caller { hello: in_manner(caller.hello, manner), ..caller };
    grpc::call(&target.address, &caller, Call::Health(String::new())).await.map(|_| ())
}

fn in_manner(hello: Hello, manner: Manner) -> Hello {
    match manner {
        Manner::OldTls => Hello { versions: vec![&TLS12], ..hello },
        Manner::NoAlpn => Hello { alpn: Vec::new(), ..hello },
        Manner::InTheClear => hello,
    }
}

/// Finds the server's record, written since the attempt began, of what was seen, and judges the two together.
async fn join<T>(
    platform: &Platform,
    service: &Peer,
    target: &Target,
    since: Place,
    seen: &Observation<T>,
) -> Judged {
    let mut evidence = vec![seen.to_string()];
    if let Sight::Refused(Refusal::TlsDemanded) = &seen.sight {
        // The broker's log has no line of it; its own word on this very connection stands in the sight.
        return Judged::new(judge_operation(&seen.sight, ""), evidence);
    }
    if !matches!(seen.sight, Sight::Refused(_) | Sight::Closed(_)) {
        return Judged::new(judge(&seen.sight, &Record::None("")), evidence);
    }
    let Some(local) = seen.local else {
        return Judged::inconclusive(format!("{seen}: the attempt's own address is not known"));
    };
    let wanted = format!("a refusal of {local}");
    let is_it = |line: &Line| match service {
        Peer::Broker => line.broker.as_ref().is_some_and(|record| record.peer == local),
        _ => line.audit.as_ref().is_some_and(|audit| refuses(audit, local, seen.trace_id.as_ref())),
    };
    let found = platform.book.find(&target.page, since, &wanted, RECORD_DEADLINE, is_it).await;
    let outcome = match &found {
        Ok(line) => {
            evidence.push(format!("{} recorded: {}", target.page, line.text));
            let record = match (&line.audit, &line.broker) {
                (Some(audit), _) => Record::Refused(audit),
                (None, Some(broker)) => Record::Broker(broker),
                (None, None) => Record::None(&wanted),
            };
            match served_after_all(platform, target, since, local) {
                Some(line) => Outcome::Inconclusive(format!("it was refused, and served as well: {line}")),
                None => judge(&seen.sight, &record),
            }
        }
        Err(missing) => {
            evidence.push(missing.to_string());
            judge(&seen.sight, &Record::None(&wanted))
        }
    };
    Judged::new(outcome, evidence)
}

/// A call that was let in on the connection from this address (not only this port: an agent in a container of its own
/// may have the same). The services write a refusal before they could
/// serve anything more on the connection, so after the refusal was found an acceptance is there or never was.
fn served_after_all(platform: &Platform, target: &Target, since: Place, local: SocketAddr) -> Option<String> {
    let accepted = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            audit.event == Event::Accepted && audit.layer == "grpc" && audit.peer() == Some(local)
        })
    };
    let is_there = platform.book.has(&target.page, since, accepted);
    is_there.then(|| format!("{} has a record of a call from {local}", target.page))
}

/// A refusal of this very attempt: by its trace where the call was read, else by its address. A call that was
/// let in first and refused afterwards has an accepted handshake, which is why only refusals count here.
fn refuses(audit: &Audit, local: SocketAddr, trace: Option<&TraceId>) -> bool {
    let same_trace = trace.is_some() && audit.trace_id.as_deref() == trace.map(TraceId::as_str);
    audit.event == Event::Refused && (same_trace || audit.peer() == Some(local))
}

/// The service has a record of accepting or refusing the last call, under this name.
pub(crate) async fn recorded(
    scene: &mut Scene,
    service: &Peer,
    who: &Peer,
    event: Event,
) -> Result<(), Unmet> {
    let platform = scene.platform()?;
    let (target, name) = (platform.target(service)?, platform.name(who)?.common_name());
    let Some(trace) = scene.trace.clone() else {
        return scene.unclear("no call was made that could be on record");
    };
    let is_it = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            audit.event == event
                && audit.trace_id.as_deref() == Some(trace.as_str())
                && audit.identity.as_deref() == Some(name.as_str())
        })
    };
    let wanted = format!("{event:?} for {name} under trace {trace}");
    match platform.book.find(&target.page, Place::default(), &wanted, RECORD_DEADLINE, is_it).await {
        Ok(line) => {
            scene.note(line.text);
            Ok(())
        }
        Err(missing) => scene.unclear(missing.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_another_address_with_the_same_port_is_not_ours() {
        let line = r#"{"kind":"audit","event":"refused","layer":"tls","peer":"10.76.0.35:51156","reason":"expired"}"#;
        let audit = Audit::parse(line).unwrap();
        assert!(refuses(&audit, ([10, 76, 0, 35], 51156).into(), None));
        assert!(!refuses(&audit, ([10, 76, 0, 1], 51156).into(), None));
    }
}
