//! For random topologies the measured table equals the predicted one: tenants whose slugs are prefixes of each other,
//! several partitions and agents, the same inner names everywhere.
//!
//! The seed is printed; `BULKHEAD_SEED` repeats a run and `BULKHEAD_CASES` makes it longer. A failure is shrunk to the
//! smallest topology that shows it, and written as a specification and a feature that repeat it.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use bulkhead_matrix::{Options, Run, StandIns};
use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::access::Model;
use bulkhead_plan::matrix::Plan;
use bulkhead_plan::spec::TenantSpec;
use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::{BackendChoice, Events, Lifetime, ProgramSource, StartOptions, Starter};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio_util::sync::CancellationToken;

/// Prefixes of each other, by every separator that a name might be cut at.
const SLUGS: [&str; 6] = ["acme", "acme2", "acme-2", "ac", "a", "globex"];
const AGENTS: [&str; 4] = ["agent-001.p1", "agent-002.p1", "agent-001.p2", "a.p1"];

fn topology() -> impl Strategy<Value = Vec<TenantSpec>> {
    let agents = btree_set(proptest::sample::select(&AGENTS[..]), 1..=3);
    let slugs = proptest::sample::subsequence(&SLUGS[..], 2..=4);
    (slugs, vec(agents, 4)).prop_map(|(slugs, agents)| {
        let tenant = |(slug, agents): (&str, std::collections::BTreeSet<&str>)| TenantSpec {
            slug: slug.parse().expect("a slug of this test"),
            agents: agents.into_iter().map(|agent| agent.parse().expect("an agent of this test")).collect(),
        };
        slugs.into_iter().zip(agents).map(tenant).collect()
    })
}

#[test]
fn the_measured_table_equals_the_predicted_one() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("BULKHEAD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let cases = u32::try_from(number("BULKHEAD_CASES").unwrap_or(2)).unwrap_or(2);
    println!("BULKHEAD_SEED={seed} BULKHEAD_CASES={cases}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let programs = runtime.block_on(programs());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 24, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&topology(), |tenants| runtime.block_on(holds(tenants, &programs)));
    if let Err(error) = result {
        panic!("BULKHEAD_SEED={seed}: {error}");
    }
}

async fn programs() -> Programs {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    build::programs(&workspace, &Events::none()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn holds(tenants: Vec<TenantSpec>, programs: &Programs) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "random".parse().expect("a name of this test");
    let spec =
        EnvironmentSpec::new(name, tenants).map_err(|error| TestCaseError::reject(error.to_string()))?;
    let options = StartOptions {
        state_root: folder.path().to_owned(),
        backend: BackendChoice::Process,
        lifetime: Lifetime::Attached,
        programs: ProgramSource::Given(programs.clone()),
        ..StartOptions::for_workspace(Path::new("."))
    };
    let failed = |error: String| TestCaseError::fail(error);
    let starter = Starter::new(spec.clone(), options).await.map_err(|error| failed(error.to_string()))?;
    let environment = starter.start(&Events::none(), &CancellationToken::new()).await;
    let environment = environment.map_err(|error| failed(error.to_string()))?;
    let record = environment.record().clone();
    let plan = Plan::of(&Model::of_record(&record));
    let options = Options {
        probe: programs.probe.clone(),
        stand_ins: StandIns::plain(programs.agent.clone(), programs.poller.clone()),
        run: bulkhead_matrix::fresh_run(),
        tell: Box::new(|_| {}),
    };
    let run = bulkhead_matrix::run(record, &plan, options).await;
    let down = environment.down(&Events::none()).await;
    let run = run.map_err(|error| failed(error.to_string()))?;
    down.map_err(|error| failed(error.to_string()))?;
    println!("{} cells of {} tenants in {:?}", run.table.entries().len(), spec.tenants().len(), run.took);
    judge(&spec, &run)
}

fn judge(spec: &EnvironmentSpec, run: &Run) -> Result<(), TestCaseError> {
    if run.table.exit_code() == 0 {
        return Ok(());
    }
    let red: Vec<String> = run.table.red().map(ToString::to_string).collect();
    let cells: Vec<String> = run.table.red().map(|entry| entry.cell.id()).collect();
    let written = written(spec, &cells);
    let shown: Vec<&String> = red.iter().take(10).collect();
    Err(TestCaseError::fail(format!("{shown:#?}\n{:?}\n{written}", run.table.flaws())))
}

/// The specification and a feature beside it. Shrinking overwrites them with smaller ones.
fn written(spec: &EnvironmentSpec, cells: &[String]) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("counterexample");
    match bulkhead_matrix::write_counterexample(&folder, spec, cells) {
        Ok(line) => format!("to repeat it: {line}"),
        Err(error) => format!("the counterexample could not be written to {}: {error}", folder.display()),
    }
}
