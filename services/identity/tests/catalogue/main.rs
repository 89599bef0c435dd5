//! The attack catalogue: certificates with one thing wrong, each refused for its own reason, on both sides of
//! a connection. Beside them stand certificates with nothing wrong, so that a verifier which refuses
//! everybody fails too.
//!
//! Each case is judged five ways: by the verifier as a client's and as a server's certificate, by a whole TLS
//! handshake in both directions (the reason in the slot, the alert at the peer), and by `explain`.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod authorities;
mod elsewhere;
mod encodings;
mod explained;
mod issuers;
mod names;
mod openssl;
mod revocation;
mod sound;
mod usage;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bulkhead_identity::{Role, Rule, RuleState};
use rustls::AlertDescription;
use support::attempt::{ACCEPTED, Attempt, word};
use support::forge::Forge;
use support::handshake::shake;

/// One case.
pub(crate) struct Case {
    /// What is wrong, or for the controls what is right.
    wrong: &'static str,
    /// The word for what becomes of it as a client's certificate: what a server says.
    as_client: &'static str,
    /// The word for what becomes of it as a server's certificate: what a client says.
    as_server: &'static str,
    attempt: fn(&Forge) -> Attempt,
}

/// A case that both sides judge alike.
pub(crate) fn case(wrong: &'static str, word: &'static str, attempt: fn(&Forge) -> Attempt) -> Case {
    Case { wrong, as_client: word, as_server: word, attempt }
}

/// A case that depends on the role.
pub(crate) fn case_by_role(
    wrong: &'static str,
    [as_client, as_server]: [&'static str; 2],
    attempt: fn(&Forge) -> Attempt,
) -> Case {
    Case { wrong, as_client, as_server, attempt }
}

fn all_cases() -> Vec<Case> {
    [
        sound::cases(),
        issuers::cases(),
        authorities::cases(),
        names::cases(),
        encodings::cases(),
        usage::cases(),
        revocation::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs a check over every case and reports all that fail, not the first only.
fn for_every_case(check: impl Fn(&Forge, &Case, Role, &'static str) -> Result<(), String>) {
    let forge = Forge::new();
    let cases = all_cases();
    let mut failures = Vec::new();
    for case in &cases {
        for (role, expected) in [(Role::Client, case.as_client), (Role::Server, case.as_server)] {
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&forge, case, role, expected)));
            let outcome = outcome.unwrap_or_else(|_| Err("panicked".to_owned()));
            if let Err(problem) = outcome {
                failures.push(format!("[{}, as {role}] {problem}", case.wrong));
            }
        }
    }
    let (failed, total) = (failures.len(), 2 * cases.len());
    assert!(failures.is_empty(), "{failed} of {total} judgements are wrong:\n{}", failures.join("\n"));
}

#[test]
fn every_case_is_judged_as_it_should_be() {
    for_every_case(|forge, case, role, expected| {
        let found = (case.attempt)(forge).judged(role);
        (found == expected).then_some(()).ok_or_else(|| format!("expected {expected}, found {found}"))
    });
}

#[test]
fn every_case_ends_a_handshake_with_its_reason_and_its_alert() {
    for_every_case(|forge, case, role, expected| {
        let attempt = (case.attempt)(forge);
        let ending = match shake(forge, &attempt, role) {
            Ok(ending) => ending,
            // The configuration is refused before there is anything to connect to.
            Err(code) if code == expected => return Ok(()),
            Err(code) => return Err(format!("expected {expected}, found {code} at start")),
        };
        let alert = alert_for(expected);
        let found = ending.refusal.as_ref().map_or(ACCEPTED, word);
        let failed = [ending.error.is_some(), ending.peer_error.is_some()];
        (found == expected && ending.alert == alert && failed == [expected != ACCEPTED; 2])
            .then_some(())
            .ok_or_else(|| format!("expected {expected} with alert {alert:?}, found {ending:?}"))
    });
}

/// The alerts of `research/mtls-identity.md`, written down a second time: this table is the expectation.
fn alert_for(word: &str) -> Option<AlertDescription> {
    let code = word.split_once(": ").map_or(word, |(code, _)| code);
    Some(match code {
        ACCEPTED => return None,
        "unknown-issuer" | "revocation-unknown" => AlertDescription::UnknownCA,
        "expired" | "not-yet-valid" => AlertDescription::CertificateExpired,
        "revoked" => AlertDescription::CertificateRevoked,
        "wrong-purpose" => AlertDescription::UnsupportedCertificate,
        "bad-signature" | "unsupported-algorithm" | "key-not-proven" => AlertDescription::DecryptError,
        "malformed" | "critical-extension" => AlertDescription::BadCertificate,
        "name-constraint" | "path-length" | "authority-as-leaf" => AlertDescription::CertificateUnknown,
        "profile" | "wrong-authority" | "unexpected-peer" => AlertDescription::AccessDenied,
        "no-certificate" => AlertDescription::CertificateRequired,
        other => panic!("no alert is written down for {other}"),
    })
}

#[test]
fn explain_agrees_with_the_verifier_on_every_case() {
    for_every_case(|forge, case, role, _| {
        let mut attempt = (case.attempt)(forge);
        attempt.revocation_lists.clear();
        let verdict = attempt.judged(role);
        let explanation = attempt.explained(role);
        let explained = explanation.code.unwrap_or(ACCEPTED);
        if !verdict.starts_with(explained) || explanation.accepted != (verdict == ACCEPTED) {
            return Err(format!("verify says {verdict}, explain says {explained}"));
        }
        let states: Vec<RuleState> = explanation.rules.iter().map(|rule| rule.state).collect();
        let failed = states.iter().filter(|s| **s == RuleState::Failed).count();
        let asked = explanation.rules.iter().filter(|rule| rule.state != RuleState::NotAsked);
        let ordered = asked.is_sorted_by_key(|rule| rule.state as u8);
        let revocation = explanation.rules.iter().find(|rule| rule.rule == Rule::Revocation);
        if revocation.is_none_or(|rule| rule.state == RuleState::Passed) {
            return Err("revocation passed, and nobody asked".to_owned());
        }
        let complete = states.len() == Rule::ALL.len() && ordered;
        let expected_failures = usize::from(verdict != ACCEPTED);
        if failed != expected_failures || !complete {
            return Err(format!("the rules do not add up: {states:?}"));
        }
        if let Ok(verifier) = attempt.verifier(role) {
            let refusal = verifier.verify(&attempt.leaf, attempt.unix_now()).err();
            let broken = explanation.rules.iter().find(|rule| rule.found.is_some());
            if broken.map(|rule| rule.rule) != refusal.map(|refusal| refusal.rule()) {
                return Err("explain names another rule than the verifier".to_owned());
            }
        }
        Ok(())
    });
}

#[test]
fn what_the_peer_sends_beside_its_leaf_changes_nothing() {
    for_every_case(|forge, case, role, expected| {
        let mut attempt = (case.attempt)(forge);
        let everything = [&forge.root, &forge.platform, &forge.acme, &forge.globex];
        attempt.sent = everything.iter().map(|a| a.der.clone()).collect();
        let found = match shake(forge, &attempt, role) {
            Ok(ending) => ending.refusal.as_ref().map_or(ACCEPTED, word),
            Err(code) => code,
        };
        (found == expected).then_some(()).ok_or_else(|| format!("expected {expected}, found {found}"))
    });
}

#[test]
fn the_catalogue_is_complete() {
    let cases = all_cases();
    let names: BTreeSet<_> = cases.iter().map(|case| case.wrong).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    let refused = cases.iter().filter(|case| case.as_client != ACCEPTED);
    assert!(refused.count() >= 83, "the research lists 83 attacks");
    println!("{} cases; not judged here:", cases.len());
    for (attack, where_and_why) in elsewhere::ATTACKS {
        println!("  {attack}: {where_and_why}");
    }
}
