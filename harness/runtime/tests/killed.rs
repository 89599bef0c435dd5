//! A harness that is killed at any moment leaves only what the next start, or `down`, takes away.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::process::Stdio;

use bulkhead_runtime::{BackendChoice, teardown};
use support::{PATIENCE, Place, engine, eventually, programs, spec};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Another harness that works on the environment `name`.
struct Harness {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Harness {
    async fn start(place: &Place, backend: &BackendChoice, name: &str, docker_host: Option<&str>) -> Self {
        let programs = programs().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead-test-child"));
        command.arg(place.root()).args([name, &backend.to_string(), "attached"]);
        command.arg(&programs.agent).arg(&programs.poller);
        command.stdout(Stdio::piped()).kill_on_drop(true);
        command.envs(docker_host.map(|address| ("DOCKER_HOST", address)));
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    async fn until(&mut self, word: &str) -> String {
        let read = async {
            loop {
                match self.output.next_line().await.unwrap() {
                    Some(line) if line.starts_with(word) => return line,
                    Some(_) => {}
                    None => panic!("the other harness ended before it said {word}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap()
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn is_swept_by_the_next_start(backend: BackendChoice, moment: &str) {
    let place = Place::new();
    let mut harness = Harness::start(&place, &backend, "killed", None).await;
    harness.until(moment).await;
    harness.kill().await;
    // What the engine was in the middle of when its client went away, it brings to an end by itself.
    let environment = place.start(spec("killed"), backend.clone()).await.unwrap();
    // Which start swept it does not matter (another test's may have been faster): only the new environment is there.
    let there = place.left().await;
    let expected = if backend == BackendChoice::Docker { 4 + 3 } else { 4 };
    assert_eq!(there.len(), expected, "{there:?}");
    environment.down(&place.events()).await.unwrap();
    place.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_harness_left_in_containers_is_swept() {
    if engine().await.is_some() {
        is_swept_by_the_next_start(BackendChoice::Docker, "Ready {").await;
        is_swept_by_the_next_start(BackendChoice::Docker, "ServiceStarting { id: Agent").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_harness_left_as_processes_is_swept() {
    is_swept_by_the_next_start(BackendChoice::Process, "Ready {").await;
    is_swept_by_the_next_start(BackendChoice::Process, "ServiceStarting { id: Agent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_harness_of_another_checkout_left_is_swept_too() {
    let theirs = Place::new();
    let mut harness = Harness::start(&theirs, &BackendChoice::Process, "theirs", None).await;
    harness.until("Ready {").await;
    let ours = Place::new();
    let start = ours.start(spec("ours"), BackendChoice::Process).await.unwrap();
    assert!(!theirs.left().await.is_empty(), "a living owner's processes must be left alone");
    start.down(&ours.events()).await.unwrap();
    harness.kill().await;
    teardown::down_all(&ours.root(), &ours.events()).await.1.unwrap();
    theirs.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn down_asks_a_living_owner_and_waits_for_it() {
    let place = Place::new();
    let mut harness = Harness::start(&place, &BackendChoice::Process, "asked", None).await;
    harness.until("Ready {").await;
    teardown::down(&place.root(), &"asked".parse().unwrap(), &place.events()).await.unwrap();
    place.assert_nothing_left().await;
    let status = tokio::time::timeout(PATIENCE, harness.child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_auto_takes_processes_and_says_why() {
    let place = Place::new();
    let nowhere = Some("unix:///nonexistent/docker.sock");
    let mut harness = Harness::start(&place, &BackendChoice::Auto, "auto", nowhere).await;
    let chosen = harness.until("BackendChosen").await;
    assert!(chosen.contains("Process") && chosen.contains("/nonexistent/docker.sock"), "{chosen}");
    harness.until("Ready {").await;
    harness.kill().await;
    teardown::down_all(&place.root(), &place.events()).await.1.unwrap();
    place.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_docker_is_an_error() {
    let place = Place::new();
    let nowhere = Some("unix:///nonexistent/docker.sock");
    let mut harness = Harness::start(&place, &BackendChoice::Docker, "none", nowhere).await;
    let status = eventually("the other harness ends", async || {
        harness.child.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
    });
    assert_eq!(status.await.code(), Some(3));
    place.assert_nothing_left().await;
}
