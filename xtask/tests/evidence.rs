//! The evidence of a real platform: written, verified, without a secret; and what becomes of bad input and tampering.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/secrets.rs"]
mod secrets;
#[path = "bad_input/support.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrets::{assert_carries_none_of, unpacked};
use serde_json::Value;
use support::{Ended, NO_ENGINE, Name, OK, USAGE, xtask};

const REFUSED_EVIDENCE: i32 = 5;
/// How an Ed25519 key begins that OpenSSL wrote (RFC 8410); its 32 bytes follow.
const SIGN_KEY_START: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn evidence_of(name: &Name, folder: &Path, further: &[&str]) -> Ended {
    let line = ["matrix", "--name", name.as_str(), "--report", folder.to_str().unwrap()];
    xtask(&[&line[..], further].concat(), &[NO_ENGINE])
}

fn verify(path: &Path, further: &[&str]) -> Ended {
    xtask(&[&["verify-evidence", path.to_str().unwrap()][..], further].concat(), &[])
}

fn sign_key(folder: &Path) -> PathBuf {
    let path = folder.join("sign.pem");
    let body = STANDARD.encode([&SIGN_KEY_START[..], &[9; 32]].concat());
    fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_real_platform_s_evidence_is_verified_and_carries_no_secret() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    let up = xtask(
        &["dev", "--detach", "--name", name.as_str(), "--backend", "process", "--tenants", "2"],
        &[NO_ENGINE],
    );
    assert_eq!(up.code, Some(OK), "{up:#?}");
    let (reports, key) = (folder.path().join("new/reports"), sign_key(folder.path()));
    let run = evidence_of(&name, &reports, &["--sign-key", key.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&fs::read(reports.join("report.json")).unwrap()).unwrap();
    assert_eq!(run.code.map(i64::from), report["verdict"]["exit_code"].as_i64(), "{run:#?}");
    assert!(run.errors.contains("Signed with the key "), "{run:#?}");

    let inside = unpacked(&reports.join("evidence.tar.zst"));
    assert_carries_none_of(&name.folder(), &[&reports, inside.path()]);
    for part in
        ["spec.yaml", "environment.json", "certs/root.pem", "logs/nats.log", "logs/poller.log", "report.json"]
    {
        let path = inside.path().join("evidence").join(part);
        assert!(fs::metadata(&path).is_ok_and(|facts| facts.len() > 0), "{part} is missing or empty");
    }

    let public = reports.join("evidence.pub");
    let verified = verify(&reports, &["--public-key", public.to_str().unwrap()]);
    assert_eq!(verified.code, Some(OK), "{verified:#?}");
    assert!(verified.output.contains("signed by whoever holds the key that you gave"), "{verified:#?}");
    assert!(verified.output.contains("all that the oracle predicts"), "{verified:#?}");
    let verified = verify(&inside.path().join("evidence"), &[]);
    assert_eq!(verified.code, Some(OK), "{verified:#?}");
    assert!(verified.output.contains("by whom it was made is not proven"), "{verified:#?}");

    with_public_tools(&inside.path().join("evidence"));
    tampered(&reports, &inside.path().join("evidence"));
}

/// As docs/evidence.md says.
fn with_public_tools(inside: &Path) {
    let line = ["pkeyutl", "-verify", "-pubin", "-inkey", "evidence.pub", "-rawin", "-in", "MANIFEST.json"];
    let openssl =
        Command::new("openssl").args(line).args(["-sigfile", "evidence.sig"]).current_dir(inside).output();
    match openssl {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => println!("skipped: openssl does not run here: {error}"),
    }
    let manifest: Value = serde_json::from_slice(&fs::read(inside.join("MANIFEST.json")).unwrap()).unwrap();
    let sums: String = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| format!("{}  {}\n", file["sha256"].as_str().unwrap(), file["path"].as_str().unwrap()))
        .collect();
    fs::write(inside.with_file_name("sums"), sums).unwrap();
    let sha256sum =
        Command::new("sha256sum").args(["--check", "--quiet", "../sums"]).current_dir(inside).output();
    match sha256sum {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => println!("skipped: sha256sum does not run here: {error}"),
    }
}

fn tampered(reports: &Path, inside: &Path) {
    let page = reports.join("report.html");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&page, text + "<p>All is well.</p>").unwrap();
    let refused = verify(reports, &[]);
    assert_eq!(refused.code, Some(REFUSED_EVIDENCE), "{refused:#?}");
    assert!(
        refused.output.contains("report.html beside the archive is not the one that is in it"),
        "{refused:#?}"
    );

    let log = inside.join("logs/nats.log");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("INF", "inf", 1)).unwrap();
    let refused = verify(inside, &["--json"]);
    assert_eq!(refused.code, Some(REFUSED_EVIDENCE), "{refused:#?}");
    let found: Value = serde_json::from_str(&refused.output).unwrap();
    let problem = "logs/nats.log was changed: its SHA-256 is not that of the manifest";
    assert_eq!(found["problems"], serde_json::json!([problem]));
}

#[test]
fn what_cannot_be_written_or_signed_is_known_before_anything_starts() {
    let (name, folder) = (Name::new(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("file"), "").unwrap();
    let start = ["--backend", "process", "--tenants", "2"];
    let below_a_file = folder.path().join("file/reports");
    evidence_of(&name, &below_a_file, &start).assert_refused(
        "a file in the way",
        USAGE,
        &["--report: cannot make"],
    );

    let key = sign_key(folder.path());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let with_key = |key: &Path| {
        let line = [&start[..], &["--sign-key", key.to_str().unwrap()]].concat();
        evidence_of(&name, &folder.path().join("reports"), &line)
    };
    with_key(&key).assert_refused("an open key", USAGE, &["--sign-key: ", "mode 0644", "chmod 600"]);
    with_key(&folder.path().join("absent")).assert_refused("no key", USAGE, &["--sign-key: cannot read"]);
    for flag in ["--faults", "--scenarios"] {
        let line = [&start[..], &[flag, key.to_str().unwrap()]].concat();
        let refused = evidence_of(&name, &folder.path().join("reports"), &line);
        refused.assert_refused(flag, USAGE, &[flag, "not what `cargo xtask "]);
    }
    let line = ["matrix", "--name", name.as_str(), "--sign-key", key.to_str().unwrap()];
    xtask(&line, &[NO_ENGINE]).assert_refused("a key for nothing", USAGE, &["--report"]);
    name.assert_untouched("nothing was started");
}

#[test]
fn nothing_to_verify_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    verify(folder.path(), &[]).assert_refused("an empty folder", USAGE, &["there is no evidence in"]);
    verify(&folder.path().join("absent"), &[]).assert_refused("nothing", USAGE, &["cannot read"]);
    let key = sign_key(folder.path());
    verify(folder.path(), &["--public-key", key.to_str().unwrap()]).assert_refused(
        "a private key",
        USAGE,
        &["--public-key: ", "no Ed25519 public key", "openssl pkey"],
    );
    let file = folder.path().join("evidence.tar.zst");
    fs::write(&file, "no archive").unwrap();
    let refused = verify(&file, &[]);
    assert_eq!(refused.code, Some(REFUSED_EVIDENCE), "{refused:#?}");
    assert!(refused.output.contains("the archive cannot be read"), "{refused:#?}");
}
