//! Files that cannot be used are told at start, with the file and what to do.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bulkhead_kit::config::ConfigError;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::trust;
use bulkhead_test_support::Forge;
use rcgen::SerialNumber;
use time::{Duration, OffsetDateTime};

const AGENT: &str = "agent-001.p1.acme.serviceradar";

fn forge() -> Forge {
    Forge::with_tenants(&["acme", "globex"])
}

#[test]
fn a_credential_of_the_platform_is_good() {
    let forge = forge();
    let credential = forge.credential(AGENT);
    assert_eq!(credential.name().to_string(), AGENT);
    credential.check(&forge.trust(&["acme"])).unwrap();
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let forge = forge();
    let files = forge.issue(AGENT);
    for mode in [0o604, 0o644, 0o602] {
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = Credential::load(&files).unwrap_err().to_string();
        assert!(error.contains(files.key.to_str().unwrap()) && error.contains("chmod 600"), "{error}");
    }
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o640)).unwrap();
    Credential::load(&files).unwrap();
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let forge = forge();
    let mut files = forge.issue(AGENT);
    files.key = forge.issue(AGENT).key;
    let error = Credential::load(&files).unwrap_err().to_string();
    assert!(error.contains("it is not the key of"), "{error}");
}

#[test]
fn files_that_hold_something_else_are_refused() {
    let forge = forge();
    let good = forge.issue(AGENT);
    let junk = forge.directory().join("junk.pem");
    std::fs::write(&junk, "junk").unwrap();
    std::fs::set_permissions(&junk, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut files = good.clone();
    files.certificate = junk.clone();
    assert!(matches!(Credential::load(&files), Err(ConfigError::Unusable { what: "certificate", .. })));
    let mut files = good.clone();
    files.key = junk;
    assert!(matches!(Credential::load(&files), Err(ConfigError::Unusable { what: "private key", .. })));
    let mut files = good;
    files.key = forge.directory().join("absent.pem");
    assert!(matches!(Credential::load(&files), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn a_certificate_that_every_peer_would_refuse_is_told_with_the_reason() {
    let forge = forge();
    let yesterday = time::OffsetDateTime::now_utc() - time::Duration::days(1);
    let files = forge.issue_with(AGENT, |params| {
        params.not_before = yesterday - time::Duration::days(1);
        params.not_after = yesterday;
    });
    let error = Credential::load(&files).unwrap().check(&forge.trust(&["acme"])).unwrap_err().to_string();
    assert!(error.contains("(expired)") && error.contains(files.certificate.to_str().unwrap()), "{error}");
    let error = forge.credential(AGENT).check(&forge.trust(&["globex"])).unwrap_err().to_string();
    assert!(error.contains("acme"), "{error}");
}

#[test]
fn an_authority_in_the_wrong_list_is_refused() {
    let forge = forge();
    let mut files = forge.trust_files(&["acme"]);
    files.platform = files.tenant.clone();
    let error = trust::load(&files).unwrap_err().to_string();
    assert!(error.contains("trust.platform") && error.contains("tenant-acme.ca.serviceradar"), "{error}");
    let mut files = forge.trust_files(&["acme"]);
    files.root = files.platform[0].clone();
    trust::load(&files).unwrap_err();
}

#[test]
fn a_certificate_on_its_authority_s_list_is_told_at_start() {
    let forge = forge();
    let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
    let serial = SerialNumber::from_slice(&[0x41; 16]);
    let withdrawn = forge.issue_with(AGENT, |params| params.serial_number = Some(serial.clone()));
    let list = |name: &str, serials: &[SerialNumber]| {
        forge.revocation_list(&name.parse().unwrap(), serials, tomorrow)
    };
    let mut files = forge.trust_files(&["acme"]);
    files.revocation_lists = vec![
        list("root.ca.serviceradar", &[]),
        list("platform.ca.serviceradar", &[]),
        list("tenant-acme.ca.serviceradar", &[serial]),
    ];
    let trust = trust::load(&files).unwrap();
    forge.credential(AGENT).check(&trust).unwrap();
    let error = Credential::load(&withdrawn).unwrap().check(&trust).unwrap_err().to_string();
    assert!(error.contains("(revoked)"), "{error}");
}

/// The file that is meant, what is wrong with it, and what to do.
#[test]
fn a_revocation_list_that_would_refuse_everybody_is_told_at_start() {
    // The second has the same names and other keys.
    let (forge, stranger) = (forge(), forge());
    let now = OffsetDateTime::now_utc();
    let (tomorrow, yesterday) = (now + Duration::days(1), now - Duration::seconds(1));
    let list = |forge: &Forge, name: &str, until| forge.revocation_list(&name.parse().unwrap(), &[], until);
    let [root, platform, acme] =
        ["root.ca.serviceradar", "platform.ca.serviceradar", "tenant-acme.ca.serviceradar"];
    let good = [root, platform, acme].map(|name| list(&forge, name, tomorrow));
    let load = |lists: &[PathBuf]| {
        let mut files = forge.trust_files(&["acme"]);
        files.revocation_lists = lists.to_vec();
        trust::load(&files)
    };
    load(&good).unwrap();
    load(&[]).unwrap();
    let with = |further: PathBuf| vec![good[0].clone(), good[1].clone(), further];
    let text = |name: &str, text: &[u8]| {
        let path = forge.directory().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let two = std::fs::read_to_string(&good[2]).unwrap().repeat(2);
    let cases = [
        (with(list(&forge, acme, yesterday)), "out of date since", "current"),
        (with(list(&stranger, acme, tomorrow)), "is not signed by its key", "generation"),
        (with(list(&forge, "tenant-globex.ca.serviceradar", tomorrow)), "globex", "only"),
        (good[..2].to_vec(), "no list of `CN=tenant-acme.ca.serviceradar", "none at all"),
        (good[1..].to_vec(), "no list of `CN=root.ca.serviceradar", "none at all"),
        ([with(good[2].clone()), vec![list(&forge, acme, tomorrow)]].concat(), "another list of", "newer"),
        (with(forge.directory().join("absent.pem")), "cannot read revocation list", "absent.pem"),
        (with(text("empty.pem", b"")), "`X509 CRL`", "PEM"),
        (with(text("two.pem", two.as_bytes())), "2 revocation lists", "one file for each"),
        (with(forge.trust_files(&["acme"]).root), "`X509 CRL`", "PEM"),
    ];
    for (lists, problem, advice) in cases {
        let error = load(&lists).unwrap_err().to_string();
        assert!(error.contains("revocation list") && error.contains(problem), "{problem}: {error}");
        assert!(error.contains(advice), "{advice}: {error}");
    }
}
