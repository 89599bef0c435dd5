//! Environments on the real backends, with the real services.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use bulkhead_plan::ServiceId;
use bulkhead_runtime::backend::ServiceState;
use bulkhead_runtime::logs::Selection;
use bulkhead_runtime::{BackendChoice, Environment, Event, Failure, Lifetime, Starter, exit_code, teardown};
use futures::StreamExt;
use support::{Place, engine, eventually, spec};
use tokio_util::sync::CancellationToken;

/// Runs one story on each backend that this machine has.
macro_rules! on_each_backend {
    ($($(#[$meta:meta])* $name:ident)*) => {
        mod on_docker { $(
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if super::engine().await.is_some() {
                    super::$name(super::BackendChoice::Docker).await;
                }
            }
        )* }
        mod on_processes { $(
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::BackendChoice::Process).await;
            }
        )* }
    };
}

on_each_backend! {
    comes_up_answers_and_leaves_nothing
    a_crash_at_start_is_reported_with_its_last_words
    a_service_that_ends_later_is_reported
    a_cancelled_start_leaves_nothing
    a_service_that_never_answers_is_an_error_with_what_was_seen
    a_detached_environment_stays_and_is_found_again
    a_dropped_environment_is_taken_down
    a_port_that_is_taken_is_an_error
    a_damaged_description_is_an_error_and_down_still_works
    a_foreign_certificate_is_an_error_and_is_not_touched
    a_service_can_be_stopped_and_started
}

async fn comes_up_answers_and_leaves_nothing(backend: BackendChoice) {
    let place = Place::new();
    let environment = place.start(spec("whole"), backend.clone()).await.unwrap();
    let record = environment.record();
    assert_eq!(record.services.len(), 4);
    assert_eq!(record.tenants.len(), 2);
    // Where stock tools find the broker: at a name that its certificate has.
    let loopback = record.platform.nats.loopback_address.as_deref();
    assert!(loopback.is_some_and(|address| address.starts_with("127.0.0.1:")), "{loopback:?}");
    assert!(environment.states().await.iter().all(|(_, state)| *state == ServiceState::Running));
    let state = environment.state_folder().to_owned();
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    for key in ["services/nats/tls/key.pem", "services/poller/tls/key.pem", "certs/root-key.pem"] {
        assert_eq!(std::fs::metadata(state.join(key)).unwrap().mode() & 0o777, 0o600, "{key}");
    }
    let acme = record.tenants[0].slug.clone();
    let lines: Vec<_> = environment.logs(&Selection::of_tenant(acme.clone())).collect().await;
    assert!(!lines.is_empty() && lines.iter().all(|line| line.tenant.as_ref() == Some(&acme)), "{lines:?}");
    environment.down(&place.events()).await.unwrap();
    place.assert_nothing_left().await;
    assert!(!state.join("environment.json").exists() && !state.join("data").exists());
    assert!(state.join("certs/root.pem").exists(), "certificates are kept for the next start");
}

async fn a_crash_at_start_is_reported_with_its_last_words(backend: BackendChoice) {
    let place = Place::new();
    let options = place.options_with_agent(backend.clone(), "crash").await;
    let starter = Starter::new(spec("crash"), options).await.unwrap();
    let died_at = std::sync::Arc::new(std::sync::Mutex::new(None));
    let noted = died_at.clone();
    let events = bulkhead_runtime::Events::new(move |event| {
        if matches!(event, Event::ServiceDied(_)) {
            noted.lock().unwrap().get_or_insert(std::time::UNIX_EPOCH.elapsed().unwrap());
        }
    });
    let error = starter.start(&events, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    let Failure::Died(death) = &error.failure else { panic!("{error}") };
    assert_eq!(death.how, "exit code 3");
    assert_eq!(death.last_lines[0], "first words");
    let spoke_at: u128 = death.last_lines[1].strip_prefix("last words at ").unwrap().parse().unwrap();
    let reported_at = died_at.lock().unwrap().unwrap().as_nanos();
    // Measured, not judged: a machine that is busy with everything else would make a judge of a clock.
    println!("reported {} ms after its last words", (reported_at - spoke_at) / 1_000_000);
    let text = error.to_string();
    assert!(text.contains("left behind: ") && text.contains("what to do: "), "{text}");
    place.assert_nothing_left().await;
    let logs = place.root().join("crash/logs");
    let agent = logs.join("agent-001.p1.acme.log");
    let kept = [agent.clone(), logs.join("agent-001.p1.globex.log")].iter().any(|path| path.exists());
    assert!(kept, "the logs are kept to look at: {}", agent.display());
}

async fn a_service_that_ends_later_is_reported(backend: BackendChoice) {
    let place = Place::new();
    let mut environment = place.start(spec("later"), backend.clone()).await.unwrap();
    let agent =
        environment.record().services.iter().find(|service| service.tenant.is_some()).unwrap().clone();
    match &backend {
        BackendChoice::Process => {
            let pid = agent.handle.parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        _ => {
            let engine = engine().await.unwrap();
            engine.docker().kill_container(&agent.handle, None).await.unwrap();
        }
    }
    let death = tokio::time::timeout(support::PATIENCE, environment.next_death()).await.unwrap();
    assert_eq!(death.id, agent.id);
    assert!(["signal 9", "exit code 137 (SIGKILL)"].contains(&death.how.as_str()), "{death}");
    assert!(!death.last_lines.is_empty());
    environment.down(&place.events()).await.unwrap();
    place.assert_nothing_left().await;
}

/// Cancels at each kind of moment that events can tell apart.
async fn a_cancelled_start_leaves_nothing(backend: BackendChoice) {
    let moments: [fn(&Event) -> bool; 5] = [
        |event| matches!(event, Event::BackendChosen { .. }),
        |event| matches!(event, Event::FilesReady { .. }),
        |event| matches!(event, Event::ServiceStarting { id: ServiceId::Nats }),
        |event| matches!(event, Event::ServiceReady { id: ServiceId::Nats, .. }),
        |event| matches!(event, Event::ServiceReady { id: ServiceId::Agent { .. }, .. }),
    ];
    for (index, moment) in moments.into_iter().enumerate() {
        let place = Place::new();
        let cancel = CancellationToken::new();
        let trigger = cancel.clone();
        let events = bulkhead_runtime::Events::new(move |event| {
            if moment(&event) {
                trigger.cancel();
            }
        });
        let options = place.options(backend.clone()).await;
        let error = Starter::new(spec("cancel"), options).await.unwrap().start(&events, &cancel).await;
        match error {
            Err(error) => assert!(matches!(error.failure, Failure::Cancelled), "moment {index}: {error}"),
            // The last service was ready in the same instant.
            Ok(environment) => environment.down(&events).await.unwrap(),
        }
        place.assert_nothing_left().await;
        assert!(!place.root().join("cancel/environment.json").exists());
    }
}

async fn a_service_that_never_answers_is_an_error_with_what_was_seen(backend: BackendChoice) {
    let place = Place::new();
    let mut options = place.options_with_agent(backend.clone(), "deaf").await;
    options.ready_timeout = std::time::Duration::from_secs(1);
    let starter = Starter::new(spec("deaf"), options).await.unwrap();
    let error = starter.start(&place.events(), &CancellationToken::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error.failure, Failure::NotReady(_)), "{text}");
    // With a second for each service, the first that is late may be any.
    assert!(text.contains("was not ready after") && text.contains("what to do: "), "{text}");
    place.assert_nothing_left().await;
}

async fn a_detached_environment_stays_and_is_found_again(backend: BackendChoice) {
    let place = Place::new();
    let mut options = place.options(backend.clone()).await;
    options.lifetime = Lifetime::Detached;
    let start = async || {
        let starter = Starter::new(spec("stays"), options.clone()).await.unwrap();
        starter.start(&place.events(), &CancellationToken::new()).await
    };
    drop(start().await.unwrap());
    let error = start().await.unwrap_err();
    assert!(matches!(error.failure, Failure::AlreadyUp { .. }), "{error}");
    assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    let attached = Environment::attach(&place.root().join("stays")).await.unwrap();
    assert!(attached.states().await.iter().all(|(_, state)| *state == ServiceState::Running));
    drop(attached);
    assert!(!place.left().await.is_empty(), "who attached must not take it down");
    let removed = teardown::down(&place.root(), &"stays".parse().unwrap(), &place.events()).await.unwrap();
    assert!(removed.things.len() >= 4, "{removed:?}");
    place.assert_nothing_left().await;
    let gone = Environment::attach(&place.root().join("stays")).await.unwrap_err();
    assert!(gone.to_string().contains("no environment is up here"), "{gone}");
}

async fn a_dropped_environment_is_taken_down(backend: BackendChoice) {
    let place = Place::new();
    drop(place.start(spec("dropped"), backend.clone()).await.unwrap());
    place.assert_nothing_left().await;
}

async fn a_port_that_is_taken_is_an_error(backend: BackendChoice) {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut spec = spec("port");
    spec.ports.nats = Some(port);
    let error = place.start(spec, backend).await.unwrap_err();
    let expected = format!("port {port} for nats is taken");
    assert!(error.to_string().contains(&expected), "{error}");
    assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    place.assert_nothing_left().await;
}

async fn a_damaged_description_is_an_error_and_down_still_works(backend: BackendChoice) {
    let place = Place::new();
    let mut options = place.options(backend.clone()).await;
    options.lifetime = Lifetime::Detached;
    let starter = Starter::new(spec("damaged"), options).await.unwrap();
    drop(starter.start(&place.events(), &CancellationToken::new()).await.unwrap());
    std::fs::write(place.root().join("damaged/environment.json"), "{\"schema_version\": 1,").unwrap();
    let error = place.start(spec("damaged"), backend.clone()).await.unwrap_err();
    assert!(error.to_string().contains("environment.json is damaged"), "{error}");
    assert!(!place.left().await.is_empty(), "a refused start must not take anything down");
    teardown::down_all(&place.root(), &place.events()).await.1.unwrap();
    place.assert_nothing_left().await;
}

async fn a_foreign_certificate_is_an_error_and_is_not_touched(backend: BackendChoice) {
    let place = Place::new();
    place.start(spec("first"), backend.clone()).await.unwrap().down(&place.events()).await.unwrap();
    let certificates = place.root().join("first/certs");
    let theirs = certificates.join("tenants/globex/ca.pem");
    std::fs::copy(certificates.join("tenants/acme/ca.pem"), &theirs).unwrap();
    let before = std::fs::read(&theirs).unwrap();
    let error = place.start(spec("first"), backend.clone()).await.unwrap_err();
    assert!(error.to_string().contains("is the certificate of tenant-acme.ca.serviceradar"), "{error}");
    assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    assert_eq!(std::fs::read(&theirs).unwrap(), before);
    std::fs::write(&theirs, "not a certificate").unwrap();
    let error = place.start(spec("first"), backend.clone()).await.unwrap_err();
    assert!(error.to_string().contains("not one certificate in PEM"), "{error}");
    place.assert_nothing_left().await;
}

async fn a_service_can_be_stopped_and_started(backend: BackendChoice) {
    let place = Place::new();
    let mut environment = place.start(spec("again"), backend.clone()).await.unwrap();
    environment.stop_service(&ServiceId::Nats).await.unwrap();
    let nats = environment.states().await.into_iter().find(|(id, _)| *id == ServiceId::Nats);
    assert_ne!(nats.unwrap().1, ServiceState::Running);
    environment.start_service(&ServiceId::Nats).await.unwrap();
    let all = eventually("all services run", async || {
        let states = environment.states().await;
        match states.iter().all(|(_, state)| *state == ServiceState::Running) {
            true => Ok(states.len()),
            false => Err(format!("{states:?}")),
        }
    });
    assert_eq!(all.await, 4);
    environment.down(&place.events()).await.unwrap();
    place.assert_nothing_left().await;
    assert!(!place.seen().iter().any(|event| matches!(event, Event::ServiceDied(_))), "a stop is no death");
}

#[tokio::test]
async fn an_image_that_nobody_has_is_an_error() {
    if engine().await.is_none() {
        return;
    }
    let place = Place::new();
    let mut spec = spec("no-image");
    spec.images.agent = Some("bulkhead-test/does-not-exist:none".to_owned());
    let error = place.start(spec, BackendChoice::Docker).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("the agent image `bulkhead-test/does-not-exist:none` is not in the engine's store"),
        "{text}"
    );
    assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    place.assert_nothing_left().await;
}

#[tokio::test]
async fn two_at_once_under_one_name_is_an_error_that_names_the_first() {
    let place = Place::new();
    let environment = place.start(spec("twice"), BackendChoice::Process).await.unwrap();
    let error = place.start(spec("twice"), BackendChoice::Process).await.unwrap_err();
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    assert!(environment.states().await.iter().all(|(_, state)| *state == ServiceState::Running));
    environment.down(&place.events()).await.unwrap();
    place.assert_nothing_left().await;
}

#[tokio::test]
async fn containers_have_as_little_as_they_need() {
    let Some(engine) = engine().await else { return };
    let place = Place::new();
    let environment = place.start(spec("least"), BackendChoice::Docker).await.unwrap();
    for service in &environment.record().services {
        let facts = engine.docker().inspect_container(&service.handle, None).await.unwrap();
        let (host, config) = (facts.host_config.unwrap(), facts.config.unwrap());
        assert_eq!(host.readonly_rootfs, Some(true), "{}", service.id);
        assert_eq!(host.cap_drop.unwrap(), ["ALL"], "{}", service.id);
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"], "{}", service.id);
        assert!(host.memory.unwrap() > 0 && host.pids_limit.unwrap() > 0, "{}", service.id);
        let user = config.user.unwrap();
        assert!(!user.starts_with("0") && user.starts_with(|first: char| first.is_ascii_digit()), "{user}");
        let networks = facts.network_settings.unwrap().networks.unwrap();
        let expected = if service.tenant.is_some() { 1 } else { 3 };
        assert_eq!(networks.len(), expected, "{}: {networks:?}", service.id);
        let read_only = facts.mounts.unwrap().into_iter().filter(|mount| mount.rw == Some(false)).count();
        assert_eq!(read_only, 1, "{}", service.id);
    }
    environment.down(&place.events()).await.unwrap();
    place.assert_nothing_left().await;
}
