//! The committed code is what the committed `.proto` file gives.

#![allow(clippy::expect_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::Path;

const COMMITTED: &str = "src/generated/monitoring.rs";
/// Set to anything, this makes the test write the file instead of comparing it.
const UPDATE: &str = "BULKHEAD_UPDATE";

fn generate() -> String {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let descriptors = protox::compile(["proto/monitoring.proto"], ["proto"]).expect("the contract compiles");
    tonic_prost_build::configure()
        .out_dir(directory.path())
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .expect("code is generated");
    fs::read_to_string(directory.path().join("monitoring.rs")).expect("the generator wrote its file")
}

#[test]
fn committed_code_is_generated_from_the_contract() {
    let generated = generate();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, generated).expect("the generated code is written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let difference =
        committed.lines().zip(generated.lines()).take_while(|(left, right)| left == right).count() + 1;
    assert!(
        committed == generated,
        "services/wire/{COMMITTED} is not what proto/monitoring.proto gives (first difference in line {difference}); \
         run `{UPDATE}=1 cargo test -p bulkhead-wire` and commit the result"
    );
}
