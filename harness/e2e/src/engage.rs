//! Attempts at a service's door: an observation, the server's record of it, controls around both.

use bulkhead_plan::access::{Manner, Operation, Who};
use bulkhead_runtime::probe::grpc::{self, Call, Caller};
use bulkhead_runtime::probe::nats::{Login, login};
use bulkhead_runtime::probe::records::{Event, Line, Place};
use bulkhead_runtime::probe::tls::{Hello, TLS12, handshake};
use bulkhead_runtime::probe::verdict::{Door, RECORD_DEADLINE, between, join};
use bulkhead_runtime::probe::{Observation, Presented, clear};

use crate::controls::served;
use crate::platform::Target;
use crate::scene::{Scene, Unmet};
use crate::words::Peer;

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
    let before = served(&platform, service, who).await;
    let since = platform.book.end(&target.page);
    let seen = knock(service, &target, credential.as_ref()).await;
    let judged = join(&platform.book, door_of(service), &target.page, since, &seen).await.under(model);
    let after = served(&platform, service, who).await;
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
    let before = served(&platform, service, who).await;
    let since = platform.book.end(&target.page);
    let seen = knock_in(service, &target, credential.as_ref(), manner).await;
    let judged = join(&platform.book, door_of(service), &target.page, since, &seen).await.under(model);
    let after = served(&platform, service, who).await;
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
    let before = served(&platform, service, who).await;
    let since = platform.book.end(&target.page);
    let seen = grpc::call(&target.address, &caller, what).await;
    let judged = join(&platform.book, door_of(service), &target.page, since, &seen).await.under(model);
    let after = served(&platform, service, who).await;
    scene.trace.clone_from(&seen.trace_id);
    scene.file(who, between(before, judged, after));
    Ok(())
}

/// The caller with its own certificate, addressing the service by its name.
pub(crate) fn caller(scene: &Scene, who: &Peer, service: &Peer) -> Result<Caller, Unmet> {
    let platform = scene.platform()?;
    let credential = platform.credential(who)?;
    Ok(Caller::of(credential.as_ref(), &platform.target(service)?.name.common_name()))
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
        Manner::InTheClear
        | Manner::AskForAuthorities
        | Manner::HoldTheDoor
        | Manner::BeSilent
        | Manner::TakeAllPlaces => hello,
    }
}

/// Whose words a service's records are in.
fn door_of(service: &Peer) -> Door {
    if *service == Peer::Broker { Door::Broker } else { Door::Service }
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
