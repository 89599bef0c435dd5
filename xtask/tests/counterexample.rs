//! What the property test of random topologies writes when it fails is a feature that parses, runs, and can be red.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/support.rs"]
mod support;

use std::path::Path;

use bulkhead_plan::access::Model;
use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::matrix::Plan;
use bulkhead_plan::spec::TenantSpec;
use bulkhead_plan::{EnvironmentSpec, Topology};
use support::{Ended, NO_ENGINE, Name, OK, xtask};

const NOT_JUDGED: i32 = 5;

/// One of each kind whose name has something in it that a feature might trip over.
const KINDS: [&str; 4] = ["tls.resume | ", "grpc.health+claim | ", "(also naming ", "js.purge | "];

fn spec(name: &Name) -> EnvironmentSpec {
    let tenant = |slug: &str| TenantSpec {
        slug: slug.parse().unwrap(),
        agents: vec!["agent-001.p1".parse().unwrap()],
    };
    EnvironmentSpec::new(name.as_str().parse().unwrap(), vec![tenant("acme"), tenant("acme2")]).unwrap()
}

fn cells(spec: &EnvironmentSpec) -> Vec<String> {
    let model = Model::of_topology(&Topology::new(spec).unwrap(), BackendKind::Process);
    let ids: Vec<String> = Plan::of(&model).cells().iter().map(|planned| planned.cell.id()).collect();
    let of_kind = |kind: &&str| ids.iter().find(|id| id.contains(kind)).cloned();
    let chosen: Vec<String> = KINDS.iter().filter_map(of_kind).collect();
    assert_eq!(chosen.len(), KINDS.len(), "{chosen:?}");
    chosen
}

fn repeated(name: &Name, folder: &Path, spec: &EnvironmentSpec, cells: &[String]) -> Ended {
    let line = bulkhead_matrix::write_counterexample(folder, spec, cells).unwrap();
    let words: Vec<&str> = line.strip_prefix("cargo xtask ").unwrap().split(' ').collect();
    let named = [words.as_slice(), &["--name", name.as_str()]].concat();
    xtask(&named, &[NO_ENGINE])
}

#[test]
fn a_counterexample_is_a_feature_that_runs() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    let spec = spec(&name);
    let cells = cells(&spec);
    let ended = repeated(&name, folder.path(), &spec, &cells);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    assert!(ended.output.contains("4 passed, 0 failed, 0 could not be judged"), "{ended:#?}");

    let ended = repeated(&name, folder.path(), &spec, &[]);
    assert_eq!(
        ended.code,
        Some(OK),
        "where no cell is wrong by itself, the whole table is repeated: {ended:#?}"
    );
    assert!(ended.errors.contains("the whole table"), "{ended:#?}");

    let gone = cells[0].replace("acme", "globex");
    let ended = repeated(&name, folder.path(), &spec, &[gone]);
    assert_eq!(ended.code, Some(NOT_JUDGED), "a cell that there is not is not as predicted: {ended:#?}");
}
