//! Enforces the bans and sources of `deny.toml` with nothing but cargo, on every test run:
//! `cargo deny` itself is not on every machine, and a check that is skipped silently is none. And that nothing is compiled
//! twice.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct DenyFile {
    bans: Bans,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn bans() -> Vec<Ban> {
    let text = std::fs::read_to_string(workspace_root().join("deny.toml")).unwrap();
    toml::from_str::<DenyFile>(&text).unwrap().bans.deny
}

/// Every package of the resolved tree, for every platform and with every feature of the workspace.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

/// The banned packages among `found`, each with its reason.
fn violations(found: &[Package], bans: &[Ban]) -> Vec<String> {
    let reasons: BTreeMap<_, _> = bans.iter().map(|ban| (ban.name.as_str(), ban.reason.as_str())).collect();
    let banned = |package: &Package| {
        let reason = reasons.get(package.name.as_str())?;
        Some(format!("{} {}: {reason}", package.name, package.version))
    };
    found.iter().filter_map(banned).collect()
}

#[test]
fn no_banned_crate_is_in_the_tree() {
    assert_eq!(violations(&packages(), &bans()), Vec::<String>::new());
}

#[test]
fn a_banned_crate_would_be_found() {
    let second_provider = Package { name: "aws-lc-rs".into(), version: "1.0.0".into(), source: None };
    assert_eq!(violations(&[second_provider], &bans()).len(), 1);
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let foreign: Vec<String> = packages()
        .into_iter()
        .filter(|package| package.source.as_deref().is_some_and(|source| !source.starts_with("registry+")))
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    assert_eq!(foreign, Vec::<String>::new());
}

/// Every package with its features, as a build of these packages compiles it.
fn compiled(chosen: &[&str], edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} [{f}]", "--edges", edges])
        .args(chosen)
        .current_dir(workspace_root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    // What was shown already has a mark.
    let lines = String::from_utf8(output.stdout).unwrap();
    let packages = lines.lines().map(|line| line.trim_end_matches(" (*)"));
    packages.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Else `cargo xtask` and `cargo test` compile it, and everything that uses it, once for each of them: minutes, each time that
/// something changes.
#[test]
fn the_commands_and_the_tests_share_every_library() {
    let commands = compiled(&["--package", "xtask"], "normal,build");
    let tests = compiled(&["--workspace"], "normal,build,dev");
    assert!(commands.len() > 100, "only {} packages", commands.len());
    let twice: Vec<&String> = commands.difference(&tests).collect();
    assert!(
        twice.is_empty(),
        "tests of the workspace have these with more features; switch them on in the workspace's Cargo.toml, or in xtask's: \
         {twice:#?}"
    );
}
