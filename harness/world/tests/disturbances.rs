//! Two quick disturbances of a real platform of processes must hold, and one of a platform without quotas must not: a check
//! that was never seen to be red proves nothing.

#![allow(clippy::expect_used)] // In a test a panic is the report.

use std::path::Path;
use std::time::Duration;

use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::fault;
use bulkhead_plan::matrix::{Cell, Layer};
use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::{BackendChoice, Events, Lifetime, ProgramSource, StartOptions, Starter};
use bulkhead_world::verdict::{Judgement, Verdict};
use bulkhead_world::{Disturbance, Options, find};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// How often a disturbance is tried that could not be judged.
const ATTEMPTS: usize = 3;

async fn programs() -> Programs {
    static PROGRAMS: OnceCell<Programs> = OnceCell::const_new();
    let make = async || {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        build::programs(&workspace, &Events::none()).await.unwrap_or_else(|error| panic!("{error}"))
    };
    PROGRAMS.get_or_init(make).await.clone()
}

/// A disturbance of a platform of its own, shorter than the command makes it.
async fn disturbed(id: &str, fault: Option<&str>, wanted: fn(&Cell) -> bool) -> Judgement {
    let programs = programs().await;
    let folder = tempfile::tempdir().expect("a folder");
    let spec =
        EnvironmentSpec::with_tenants("disturbed".parse().expect("a name"), 2, 1).expect("two tenants");
    let options = StartOptions {
        state_root: folder.path().to_owned(),
        backend: BackendChoice::Process,
        lifetime: Lifetime::Attached,
        programs: ProgramSource::Given(programs.clone()),
        fault: fault.map(|id| fault::find(id).unwrap_or_else(|near| panic!("{id}: {near:?}"))),
        ..StartOptions::for_workspace(Path::new("."))
    };
    let starter = Starter::new(spec, options).await.unwrap_or_else(|error| panic!("{error}"));
    let environment = starter.start(&Events::none(), &CancellationToken::new()).await;
    let mut environment = environment.unwrap_or_else(|error| panic!("{error}"));
    let disturbance = find(id).unwrap_or_else(|| panic!("{id} is in the catalogue"));
    let disturbance = Disturbance { lasts: Duration::from_secs(1), ..*disturbance };
    let options = Options {
        programs,
        calm: Duration::from_millis(300),
        wanted,
        tell: Box::new(|phase| println!("{phase}")),
    };
    let judged = bulkhead_world::run(&mut environment, &disturbance, &options).await;
    environment.down(&Events::none()).await.unwrap_or_else(|error| panic!("{error:?}"));
    judged.unwrap_or_else(|error| panic!("{error}"))
}

/// A deed that could not be done and a canary that never flew show nothing: not to be judged is not to have held. What is only
/// late on a machine that is busy with all other tests is tried again.
async fn must_hold(id: &str, wanted: fn(&Cell) -> bool) -> Judgement {
    let mut judgement = disturbed(id, None, wanted).await;
    for _ in 1..ATTEMPTS {
        if judgement.verdict != Verdict::NotJudged {
            break;
        }
        println!("{id}: not judged, once more: {:#?}", judgement.doubts);
        judgement = disturbed(id, None, wanted).await;
    }
    assert_eq!(
        judgement.verdict,
        Verdict::Held,
        "{id}: {:#?}\n{:#?}\n{:#?}",
        judgement.violations,
        judgement.doubts,
        judgement.rows
    );
    println!("{id}: {:?}", judgement.deed);
    judgement
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_is_nobody_else_s_loss() {
    let judgement = must_hold("agent-killed", |cell| cell.layer() == Layer::Grpc).await;
    assert!(judgement.afterwards.green_after.is_some(), "{:#?}", judgement.afterwards);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_takes_all_its_connections_takes_nobody_else_s() {
    let judgement = must_hold("connection-limit", |cell| cell.layer() == Layer::Broker).await;
    assert!(judgement.afterwards.green_after.is_some(), "{:#?}", judgement.afterwards);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_quotas_the_same_is_a_violation() {
    let judgement = disturbed("connection-limit", Some("quotas-missing"), |_| false).await;
    assert_eq!(judgement.verdict, Verdict::Violated, "{judgement:#?}");
    assert!(judgement.violations.iter().any(|line| line.contains("there is no limit")), "{judgement:#?}");
}
