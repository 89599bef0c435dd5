//! Compose at work: a start that is cancelled, and an environment brought up by hand of which a service dies while it is
//! taken up.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::path::Path;
use std::time::Instant;

use bulkhead_runtime::backend::compose::ComposeFiles;
use bulkhead_runtime::{BackendChoice, Environment, Failure, Lifetime, Starter, teardown};
use support::{PATIENCE, Place, engine, eventually, spec};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// The Compose that is installed, if one answers.
async fn compose() -> Option<String> {
    let program = std::env::var("BULKHEAD_COMPOSE_V2").unwrap_or_else(|_| "docker-compose".to_owned());
    let answer = Command::new(&program).arg("version").output().await;
    if answer.is_ok_and(|answer| answer.status.success()) {
        return Some(program);
    }
    println!("skipped, this test cannot judge: `{program} version` fails");
    None
}

fn files(program: String, place: &Place) -> ComposeFiles {
    ComposeFiles {
        program: program.into(),
        base: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/docker-compose.yml"),
        rendered: place.root().join("override.yml"),
    }
}

/// What the engine makes for a Compose that is no more would be there after the teardown has looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_cancelled_while_compose_works_leaves_nothing() {
    let (Some(_), Some(program)) = (engine().await, compose().await) else { return };
    let place = Place::new();
    let options = place.options(BackendChoice::Compose(files(program, &place))).await;
    let starter = Starter::new(spec("cancel"), options).await.unwrap();
    let (events, cancel) = (place.events(), CancellationToken::new());
    let begun = async {
        let look = async || match place.left().await.len() {
            0 => Err("there is nothing yet"),
            _ => Ok(()),
        };
        eventually("Compose has begun", async || look().await.map_err(str::to_owned)).await;
        cancel.cancel();
    };
    let (started, ()) = tokio::join!(starter.start(&events, &cancel), begun);
    let error = started.unwrap_err();
    assert!(matches!(error.failure, Failure::Cancelled), "{error}");
    place.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_while_it_is_waited_for_is_named_at_once() {
    let (Some(engine), Some(program)) = (engine().await, compose().await) else { return };
    let place = Place::new();
    let files = files(program, &place);
    // Runs, and is never ready.
    let mut options = place.options_with_agent(BackendChoice::Compose(files), "deaf").await;
    options.lifetime = Lifetime::Detached;
    let starter = Starter::new(spec("by-hand"), options).await.unwrap();
    let handover = starter.write_only(&place.events()).await.unwrap();
    let up = Command::new("sh").arg("-c").arg(handover.bring_up().to_string()).output().await.unwrap();
    assert!(up.status.success(), "{up:?}");

    let (root, events) = (place.root().join("by-hand"), place.events());
    let found = tokio::spawn(async move { Environment::find(&root, &events).await });
    eventually("NATS is ready", async || {
        let seen = format!("{:?}", place.seen());
        if seen.contains("ServiceReady { id: Nats") { Ok(()) } else { Err(seen) }
    })
    .await;
    let there = place.left().await;
    let agent = there.iter().find(|name| name.contains("acme") && name.contains("agent")).unwrap();
    let killed_at = Instant::now();
    engine.docker().kill_container(agent.trim_start_matches('/'), None).await.unwrap();
    let error = tokio::time::timeout(PATIENCE, found).await.unwrap().unwrap().unwrap_err();
    println!("reported {:?} after its death", killed_at.elapsed());
    let Failure::NotUpByHand(what) = &error.failure else { panic!("{error}") };
    assert_eq!(what.absent.len(), 1, "{error}");
    let words = ["1 of its 4 services", "agent-001.p1 ended with exit code 137", "deaf and alive", " up -d"];
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert!(!place.root().join("by-hand/environment.json").exists());
    teardown::down(&place.root(), &"by-hand".parse().unwrap(), &place.events()).await.unwrap();
    place.assert_nothing_left().await;
}
