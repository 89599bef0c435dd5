//! Evidence that somebody changed afterwards: each change is refused, for its own reason.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use bulkhead_evidence::bundle::{self, Bundle};
use bulkhead_evidence::sign::SigningKey;

use crate::bundles::unpack;
use crate::support::{bundle, leaking, verified};

/// The same for every test here: to make it takes longer than to check it.
static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| bundle(&leaking(), &SigningKey::ephemeral().unwrap()));

/// Unpacks evidence, lets `change` at it, and says what verification finds wrong.
fn problems_after(change: impl FnOnce(&Path)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    unpack(&BUNDLE, folder.path());
    let inside = folder.path().join("evidence");
    change(&inside);
    let found = verified(&inside);
    assert!(!found.holds(), "it was changed, and verified: {found:#?}");
    found.problems
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[track_caller]
fn assert_says(problems: &[String], words: &str) {
    assert!(
        problems.iter().any(|problem| problem.contains(words)),
        "no problem says {words:?}: {problems:#?}"
    );
}

#[test]
fn every_file_that_changes_by_one_byte_is_named() {
    let files = [
        "report.json",
        "report.html",
        "junit.xml",
        "spec.yaml",
        "environment.json",
        "versions.json",
        "certs/root.pem",
        "logs/nats.log",
    ];
    for file in files {
        let problems = problems_after(|inside| {
            let mut bytes = fs::read(inside.join(file)).unwrap();
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            fs::write(inside.join(file), bytes).unwrap();
        });
        assert_says(&problems, &format!("{file} was changed: its SHA-256 is not that of the manifest"));
        let problems = problems_after(|inside| {
            let text = fs::read_to_string(inside.join(file)).unwrap();
            fs::write(inside.join(file), text + " ").unwrap();
        });
        assert_says(&problems, &format!("{file} was changed: it has "));
    }
}

#[test]
fn the_manifest_and_its_signature_hold_each_other() {
    let unsigned = "the signature over MANIFEST.json is not that of evidence.pub";
    let problems =
        problems_after(|inside| replace(&inside.join("MANIFEST.json"), "\"size\": ", "\"size\":  "));
    assert_says(&problems, unsigned);
    let problems = problems_after(|inside| {
        let mut signature = fs::read(inside.join("evidence.sig")).unwrap();
        signature[5] ^= 1;
        fs::write(inside.join("evidence.sig"), signature).unwrap();
    });
    assert_says(&problems, unsigned);
    let problems = problems_after(|inside| fs::write(inside.join("evidence.sig"), "").unwrap());
    assert_says(&problems, unsigned);
    let problems = problems_after(|inside| fs::remove_file(inside.join("evidence.sig")).unwrap());
    assert_says(&problems, unsigned);
    let other = SigningKey::ephemeral().unwrap();
    let problems =
        problems_after(|inside| fs::write(inside.join("evidence.pub"), other.public().to_pem()).unwrap());
    assert_says(&problems, unsigned);
    let problems = problems_after(|inside| fs::write(inside.join("evidence.pub"), "nonsense").unwrap());
    assert_says(&problems, "evidence.pub is no Ed25519 public key");
    let problems =
        problems_after(|inside| replace(&inside.join("MANIFEST.json"), "bulkhead-evidence", "else"));
    assert_says(&problems, "MANIFEST.json cannot be read: it is else of version 1");
    let problems =
        problems_after(|inside| replace(&inside.join("MANIFEST.json"), "_version\": 1", "_version\": 2"));
    assert_says(&problems, "MANIFEST.json cannot be read: it is bulkhead-evidence of version 2");
}

#[test]
fn nothing_is_added_and_nothing_left_out() {
    let problems = problems_after(|inside| fs::write(inside.join("logs/more.log"), "").unwrap());
    assert_says(&problems, "logs/more.log is not in the manifest");
    let problems = problems_after(|inside| fs::remove_file(inside.join("logs/nats.log")).unwrap());
    assert_says(&problems, "logs/nats.log is in the manifest, and missing");
    let problems = problems_after(|inside| {
        fs::remove_file(inside.join("logs/nats.log")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", inside.join("logs/nats.log")).unwrap();
    });
    assert_says(&problems, "\"logs/nats.log\" is not a plain file");
}

#[test]
fn what_stands_beside_an_archive_must_be_what_is_in_it() {
    for file in ["report.html", "report.json", "junit.xml", "evidence.pub"] {
        let folder = tempfile::tempdir().unwrap();
        bundle::write(folder.path(), &BUNDLE).unwrap();
        fs::write(folder.path().join(file), "All is well.").unwrap();
        let found = verified(folder.path());
        assert_eq!(found.problems, [format!("{file} beside the archive is not the one that is in it")]);
    }
}
