//! Nothing is left behind, whatever ends a platform: a drop, a failure, a start that nobody waits for, a kill.

#![allow(clippy::unwrap_used, reason = "a test ends where its setup fails")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bulkhead_testcontainers::{Platform, StartError};
use support::{Remains, engine_or_skip, names_with, remains_of, started};

#[tokio::test]
async fn nothing_is_left_when_a_platform_is_dropped() {
    if !engine_or_skip().await {
        return;
    }
    let platform = started(Platform::with_tenants(["acme"]).messages_only()).await;
    let (run, folder) = (platform.run().to_owned(), platform.folder().to_owned());
    assert_eq!(remains_of(&run).await, Remains { containers: 1, networks: 2 });
    support::assert_keys_are_closed(&folder);
    drop(platform);
    assert_eq!(remains_of(&run).await, Remains::default());
    assert!(!folder.exists(), "{}", folder.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_dies_is_reported_with_its_last_words() {
    if !engine_or_skip().await {
        return;
    }
    let nats = started(Platform::with_tenants(["acme"]).messages_only()).await;
    let reference = support::image_of(nats.nats_container().unwrap().id()).await;
    nats.down().await.unwrap();
    // nats-server cannot read an agent's configuration.
    let wanted = Platform::with_tenants(["doomed"]).agent_image(&reference).poller_image(&reference);
    let error = wanted.start().await.unwrap_err();
    assert!(matches!(error, StartError::Died { .. }), "{error}");
    assert!(error.to_string().contains("Parse error on line"), "{error}");
    assert_eq!(names_with("doomed").await, Vec::<String>::new());
}

/// Waits until the engine has something with `part` in its name, or nothing any more.
async fn until_names(part: &str, wanted: impl Fn(&[String]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let names = names_with(part).await;
        if wanted(&names) {
            return;
        }
        assert!(Instant::now() < deadline, "after 60 s the engine still has {names:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_is_cleared_away() {
    if !engine_or_skip().await {
        return;
    }
    tokio::select! {
        _ = Platform::with_tenants(["hasty"]).messages_only().start() => panic!("it was ready before it could be cut off"),
        () = until_names("hasty", |names| !names.is_empty()) => {}
    }
    until_names("hasty", <[String]>::is_empty).await;
}

/// Not a test of its own: what the next one kills.
#[tokio::test]
#[ignore = "ends its process; run by a_killed_run_is_swept_by_the_next_start"]
async fn helper_that_is_killed() {
    let platform = started(Platform::with_tenants(["killed"]).messages_only()).await;
    println!("left: {} {}", platform.run(), platform.folder().display());
    // Nothing is dropped, as with SIGKILL.
    std::process::abort();
}

#[tokio::test]
async fn a_killed_run_is_swept_by_the_next_start() {
    if !engine_or_skip().await {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let arguments = ["--exact", "helper_that_is_killed", "--ignored", "--nocapture"];
    let output = Command::new(own).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let left = text.lines().find_map(|line| line.split_once("left: ")?.1.split_once(' '));
    let (run, folder) = left.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    assert!(Path::new(folder).exists(), "{folder}");
    let next = started(Platform::with_tenants(["acme"]).messages_only()).await;
    assert_eq!(remains_of(run).await, Remains::default());
    assert!(!Path::new(folder).exists(), "{folder}");
    next.down().await.unwrap();
}
