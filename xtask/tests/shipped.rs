//! What is shipped cannot be told to make a mistake: there is no switch in it. Beside it stand the programs that can be
//! told, in which everything that is looked for is found.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bulkhead_runtime::build::{self, Programs};
use bulkhead_runtime::event::Events;
use serde_json::Value;

const FEATURE: &str = "seeded-faults";
const KEY: &str = "seeded_fault";
/// The one package that passes the feature on.
const SEEDED: &str = "bulkhead-seeded";

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// How a program ends that is told to make this mistake.
fn told(program: &Path, fault: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, format!("{KEY}: {fault}\n")).unwrap();
    Command::new(program).arg("--config").arg(config).output().unwrap()
}

/// The ids of all faults, from the words of a program that knows them.
fn ids(seeded: &Programs) -> Vec<String> {
    let output = told(&seeded.agent, "nonsense");
    let message = String::from_utf8(output.stderr).unwrap();
    let (_, list) = message.split_once("there are: ").unwrap_or_else(|| panic!("{message}"));
    let id =
        |item: &str| item.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>();
    let ids: Vec<_> = list.split(", ").map(id).collect();
    assert!(ids.len() > 30 && ids.iter().all(|id| id.contains('-')), "{ids:?}");
    ids
}

/// Those of `words` that stand in the file.
fn found(file: &Path, words: &[String]) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap();
    let holds = |word: &&String| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    words.iter().filter(holds).cloned().collect()
}

#[tokio::test]
async fn the_shipped_programs_know_no_fault_and_the_others_know_all() {
    let workspace = workspace_root();
    let shipped = build::programs(&workspace, &Events::none()).await.unwrap();
    let seeded = build::seeded_programs(&workspace, &Events::none()).await.unwrap();
    let mut words = ids(&seeded);
    words.push(KEY.to_owned());
    for program in [&seeded.agent, &seeded.poller] {
        assert_eq!(found(program, &words), words, "{}", program.display());
    }
    for program in [&shipped.agent, &shipped.poller] {
        assert_eq!(found(program, &words), Vec::<String>::new(), "{}", program.display());
        let output = told(program, &words[0]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("unknown field") && message.contains(KEY), "{message}");
    }
}

#[test]
fn nothing_enables_the_faults_but_the_package_that_is_made_for_them() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--no-deps"])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut knowing = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        for (feature, enables) in package["features"].as_object().unwrap() {
            let passes_on = enables.to_string().contains(FEATURE);
            assert!(!passes_on || feature == FEATURE, "{name}: the feature {feature} enables {FEATURE}");
            if feature == FEATURE {
                knowing.push(name);
            }
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let features = dependency["features"].to_string();
            assert!(!features.contains(FEATURE), "{name} asks {} for {FEATURE}", dependency["name"]);
            assert_ne!(dependency["name"], SEEDED, "{name} depends on {SEEDED}");
        }
    }
    knowing.sort_unstable();
    let expected = ["bulkhead-agent", "bulkhead-identity", "bulkhead-kit", "bulkhead-poller", SEEDED];
    assert_eq!(knowing, expected, "without these the search is in vain");
}
