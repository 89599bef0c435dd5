//! Files that cannot be used are told at start, with the file and what to do.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::os::unix::fs::PermissionsExt as _;

use bulkhead_kit::config::ConfigError;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::test_support::Forge;
use bulkhead_kit::trust;

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
