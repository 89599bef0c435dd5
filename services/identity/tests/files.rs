//! Files as people have them: chains where one certificate is meant, broken PEM, keys in the wrong place; and
//! what `explain` says of them.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used)]

mod support;

use bulkhead_identity::{
    AuthorityName, IssuingAuthority, PeerPattern, PemError, Question, Role, RuleState, TrustRoot,
    certificates_from_pem, explain,
};
use support::attempt::{Attempt, pem};
use support::forge::{Forge, agent_001};

#[test]
fn a_chain_is_read_in_its_order() {
    let forge = Forge::new();
    let text = [pem(&forge.acme.der), pem(&forge.root.der)].concat();
    let read = certificates_from_pem(&text).unwrap();
    assert_eq!(read, [forge.acme.der.clone(), forge.root.der.clone()]);
}

#[test]
fn a_chain_is_not_taken_for_an_authority() {
    let forge = Forge::new();
    let chain = [pem(&forge.acme.der), pem(&forge.root.der)].concat();
    let error = IssuingAuthority::from_pem(&chain).unwrap_err();
    assert_eq!(error.code(), "authority-not-one-certificate");
    assert!(error.advice().contains("ca-chain.pem"), "{}", error.advice());
    assert!(TrustRoot::from_pem(&chain).is_err());
}

#[test]
fn the_authority_that_is_expected_is_demanded() {
    let forge = Forge::new();
    let load = || IssuingAuthority::from_pem(&pem(&forge.globex.der)).unwrap();
    assert_eq!(load().generation(), Some(1));
    let globex = AuthorityName::Tenant("globex".parse().unwrap());
    assert_eq!(load().expect(&globex).unwrap().name(), &globex);
    let acme = AuthorityName::Tenant("acme".parse().unwrap());
    let error = load().expect(&acme).unwrap_err();
    assert_eq!(error.code(), "authority-unexpected");
    let text = error.to_string();
    assert!(text.contains("tenant-acme") && text.contains("tenant-globex"), "{text}");
}

#[test]
fn broken_pem_is_named_and_never_repeated() {
    assert_eq!(certificates_from_pem(b""), Err(PemError::NoCertificate));
    let label = "PRIVATE KEY";
    let key = format!("-----BEGIN {label}-----\nc2VjcmV0\n-----END {label}-----\n");
    assert_eq!(certificates_from_pem(key.as_bytes()), Err(PemError::NoCertificate));
    for broken in [
        "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n",
        "-----BEGIN CERTIFICATE-----\nc2Vj!mV0\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE\nc2VjcmV0\n-----END CERTIFICATE-----\n",
    ] {
        let error = certificates_from_pem(broken.as_bytes()).unwrap_err();
        assert!(matches!(error, PemError::Broken { section: 1, .. }), "{error:?}");
        assert!(!error.to_string().contains("c2V"), "{error}");
    }
}

#[test]
fn explain_says_which_rule_and_what_to_change() {
    let forge = Forge::new();
    let leaf = forge.leaf(agent_001("globex"), &forge.globex);
    let explanation = Attempt::as_acme(&forge, leaf).explained(Role::Client);
    assert!(!explanation.accepted);
    let value = serde_json::to_value(&explanation).unwrap();
    assert_eq!(value["code"], "unknown-issuer");
    let states: Vec<_> = value["rules"].as_array().unwrap().iter().map(|rule| &rule["state"]).collect();
    assert_eq!(states[..4], ["passed", "passed", "passed", "failed"]);
    assert!(states[4..].iter().all(|state| *state == "not-reached"));
    assert_eq!(value["rules"][3]["rule"], "known-issuer");
    let text = explanation.to_string();
    for part in ["FAILED known-issuer", "to change: configure the authority", "tenant-globex.ca.serviceradar"]
    {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn explain_survives_files_that_are_nothing() {
    let junk = b"junk".as_slice();
    let explanation = explain(&Question {
        leaf: &junk.into(),
        chain: &[junk.into()],
        root: junk,
        authorities: &[],
        accepted: vec![PeerPattern::AnyMember],
        role: Role::Server,
        now: Attempt::as_acme(&Forge::new(), Forge::new().acme_leaf(|_| {})).unix_now(),
    });
    assert_eq!(explanation.code, Some("authority-pem"));
    assert_eq!(explanation.rules.first().map(|rule| rule.state), Some(RuleState::Failed));
}

#[test]
fn what_a_stranger_writes_into_a_name_is_escaped() {
    let forge = Forge::new();
    let mut hostile = agent_001("acme");
    let name = "\u{1b}[2Jacme\r\nroot: accepted";
    hostile.distinguished_name = support::forge::name(name);
    let leaf = forge.leaf(hostile, &forge.acme);
    let explanation = Attempt::as_acme(&forge, leaf).explained(Role::Client);
    let text = explanation.to_string();
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    assert!(text.contains("\\u{1b}[2Jacme"), "{text}");
}
