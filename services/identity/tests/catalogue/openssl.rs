//! A second opinion on every case: OpenSSL's verifier, which shares no line with webpki and none with us.
//!
//! It is asked what it can be asked: root, configured authorities and lists, moment, purpose, and as a server's
//! certificate the host name that a client would dial. It knows nothing of this platform's profile. Where the two come to
//! different ends, the reason stands in [`explained`](crate::explained); a difference without a reason fails, and a
//! reason without a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use crate::support::attempt::{ACCEPTED, Attempt, pem};
use crate::support::forge::Forge;
use crate::{all_cases, explained};
use bulkhead_identity::{PeerPattern, Role};

#[test]
fn openssl_agrees_or_it_is_explained_why_not() {
    let Some(version) = version() else { return };
    let forge = Forge::new();
    let (mut agreed, mut found) = (0, BTreeMap::new());
    for case in all_cases() {
        let attempt = (case.attempt)(&forge);
        for role in [Role::Client, Role::Server] {
            let (ours, theirs) = (attempt.judged(role), opinion(&attempt, role));
            if (ours == ACCEPTED) == theirs.is_ok() {
                agreed += 1;
            } else {
                let theirs = theirs.map_or_else(|why| why, |()| ACCEPTED.to_owned());
                found.insert((case.wrong, role.to_string()), format!("ours: {ours}; OpenSSL's: {theirs}"));
            }
        }
    }
    let explained = explained::differences();
    println!("{version}: {agreed} judgements agree, {} differ and are explained", found.len());
    for (reason, count) in explained::counted() {
        println!("  {count:>4} {reason}");
    }
    let problems = problems(&found, &explained);
    assert!(problems.is_empty(), "{version}:\n{}", problems.join("\n"));
}

/// A case and the role in which it was presented.
type Judgement = (&'static str, String);

/// Differences that nothing explains, and explanations of what is none.
fn problems(found: &BTreeMap<Judgement, String>, explained: &BTreeSet<Judgement>) -> Vec<String> {
    let unexplained = found.iter().filter(|(which, _)| !explained.contains(*which));
    let unexplained = unexplained.map(|(which, what)| format!("{which:?} is not explained: {what}"));
    let stale = explained.iter().filter(|which| !found.contains_key(*which));
    let stale = stale.map(|which| format!("{which:?} is explained, and there is no difference"));
    unexplained.chain(stale).collect()
}

#[test]
fn a_difference_needs_its_reason_and_a_reason_its_difference() {
    let which = ("some case", Role::Client.to_string());
    let found = BTreeMap::from([(which.clone(), String::new())]);
    let explained = BTreeSet::from([which]);
    assert_eq!(problems(&found, &explained), Vec::<String>::new());
    assert_eq!(problems(&found, &BTreeSet::new()).len(), 1, "not explained");
    assert_eq!(problems(&BTreeMap::new(), &explained).len(), 1, "stale");
}

/// What OpenSSL says of itself; without it there is nothing to compare, which on a CI machine is a failure.
fn version() -> Option<String> {
    match run(Command::new("openssl").arg("version")) {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Err(error) => {
            let on_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!on_ci, "openssl must be on a CI machine: {error}");
            println!("skipped, there is no second opinion: openssl: {error}");
            None
        }
    }
}

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output);
    }
    // `error 20 at 0 depth lookup: …`; what it could not even read it says in other words.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let reason = text.lines().find(|line| line.starts_with("error ")).unwrap_or(text.trim());
    Err(reason.to_owned())
}

fn opinion(attempt: &Attempt, role: Role) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authorities: Vec<u8> = attempt.authorities.iter().flat_map(|der| pem(der)).collect();
    let now = attempt.now.unix_timestamp().to_string();
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-attime", &now]);
    verify.args(["-purpose", if role == Role::Client { "sslclient" } else { "sslserver" }]);
    verify.arg("-CAfile").arg(file("root.pem", &pem(&attempt.root)));
    verify.arg("-untrusted").arg(file("authorities.pem", &authorities));
    if !attempt.revocation_lists.is_empty() {
        verify.args(["-crl_check_all"]);
        let lists = attempt.revocation_lists.iter();
        let lists: Vec<_> = lists.map(|list| pem::Pem::new("X509 CRL", list.as_ref())).collect();
        verify.arg("-CRLfile").arg(file("lists.pem", pem::encode_many(&lists).as_bytes()));
    }
    if let Some(name) = dialled(attempt).filter(|_| role == Role::Server) {
        verify.args(["-verify_hostname", &name]);
    }
    run(verify.arg(file("leaf.pem", &pem(&attempt.leaf)))).map(|_| ())
}

/// The host name that a client would dial: the one peer that it accepts, or the agent that every tenant of the catalogue
/// has. Of a platform service that may be any, nobody dials a certain name.
fn dialled(attempt: &Attempt) -> Option<String> {
    match attempt.accepted.as_slice() {
        [PeerPattern::Exactly(name)] => Some(name.common_name()),
        [PeerPattern::MemberOf(slug)] => Some(format!("agent-001.p1.{slug}.serviceradar")),
        _ => None,
    }
}
