//! Each mistake in how certificates are judged lets exactly those pass whom it is about: the same attempts are judged by
//! a verifier without a mistake, and with each.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use bulkhead_identity::seeded::{Place, SeededFault, on_this_thread};
use bulkhead_identity::{PeerName, Role, TenantSlug, tenant_claim};
use rcgen::{DistinguishedName, DnType, KeyPair};
use support::attempt::Attempt;
use support::forge::{Forge, NOW, agent_001, authority_params, dns};
use support::handshake::{Oddity, hints_sent_to_a_client, shake, shake_oddly};
use time::Duration;

const HONEST: &str = "honest";

/// Attempts to be a component of acme. Only the first is what it says. The judge has revocation lists as well, of every
/// authority that it was given.
fn attempts(f: &Forge) -> Vec<(&'static str, Attempt)> {
    let all = [of_strangers(f), of_names(f), of_authorities(f), of_leaves(f)].into_iter().flatten();
    let lists = || {
        [
            f.root.revokes(&[]),
            f.acme.revokes(&[]),
            f.acme2.revokes(&[]),
            f.globex.revokes(&[]),
            f.platform.revokes(&[]),
        ]
    };
    all.map(|(name, attempt)| match attempt.revocation_lists.is_empty() {
        true => (name, attempt.with_lists(lists())),
        false => (name, attempt),
    })
    .collect()
}

fn of_strangers(f: &Forge) -> Vec<(&'static str, Attempt)> {
    let globex = Attempt::as_acme(f, f.leaf(agent_001("globex"), &f.globex));
    let acme2 = Attempt::as_acme(f, f.leaf(agent_001("acme2"), &f.acme2));
    vec![
        (HONEST, Attempt::as_acme(f, f.acme_leaf(|_| {}))),
        ("globex", globex.sending(&[&f.globex.der])),
        ("acme2 where it is trusted", acme2.trusting(&[&f.acme, &f.acme2]).sending(&[&f.acme2.der])),
    ]
}

fn of_names(f: &Forge) -> Vec<(&'static str, Attempt)> {
    let acme = |change: &dyn Fn(&mut rcgen::CertificateParams)| Attempt::as_acme(f, f.acme_leaf(change));
    let mut other = DistinguishedName::new();
    other.push(DnType::CommonName, "agent-002.p1.acme.serviceradar");
    let second = DnType::CustomDnType(vec![2, 5, 4, 3]);
    let unconstrained = f.unconstrained("acme");
    let mut localhost = agent_001("acme");
    localhost.subject_alt_names.push(dns("localhost"));
    let localhost = Attempt::as_acme(f, f.leaf(localhost, &unconstrained))
        .trusting(&[&unconstrained])
        .with_lists([f.root.revokes(&[]), unconstrained.revokes(&[])]);
    vec![
        ("named in its subject only", acme(&|p| p.subject_alt_names.clear())),
        ("another agent's subject", acme(&|p| p.distinguished_name = other.clone())),
        (
            "two common names",
            acme(&|p| p.distinguished_name.push(second.clone(), "agent-001.p1.globex.serviceradar")),
        ),
        ("also localhost", localhost.sending(&[&unconstrained.der])),
    ]
}

fn of_authorities(f: &Forge) -> Vec<(&'static str, Attempt)> {
    let below = f.authority_below(&f.acme, authority_params("sub.acme.serviceradar"));
    let copy = Forge::new().acme;
    let newer = f.tenant_authority("acme", |params| {
        params.distinguished_name.push(DnType::OrganizationalUnitName, "G2");
    });
    let by = |authority| Attempt::as_acme(f, f.leaf(agent_001("acme"), authority));
    let foreign = f.self_signed_authority(authority_params("ca.example"));
    let borrowed = f.lent_authority(agent_001("acme"), &f.acme);
    vec![
        ("by an unknown authority", by(&foreign).sending(&[&foreign.der])),
        ("by a leaf", by(&borrowed).sending(&[&borrowed.der, &f.acme.der])),
        ("by a subordinate authority", by(&below).sending(&[&below.der, &f.acme.der])),
        ("by a copied authority", by(&copy).sending(&[&copy.der])),
        ("by another generation", by(&newer).sending(&[&newer.der])),
        ("by globex's authority", by(&f.globex).trusting(&[&f.acme, &f.globex]).sending(&[&f.globex.der])),
        ("by the platform's authority", by(&f.platform).trusting(&[&f.acme, &f.platform]).sending(&[])),
    ]
}

fn of_leaves(f: &Forge) -> Vec<(&'static str, Attempt)> {
    let acme = |change: &dyn Fn(&mut rcgen::CertificateParams)| Attempt::as_acme(f, f.acme_leaf(change));
    let mut stolen = Attempt::as_acme(f, f.acme_leaf(|_| {}));
    stolen.key = Arc::new(KeyPair::generate().unwrap());
    vec![
        ("expired", acme(&|p| p.not_after = NOW - Duration::seconds(1))),
        ("not yet valid", acme(&|p| p.not_before = NOW + Duration::seconds(1))),
        ("without a purpose", acme(&|p| p.extended_key_usages.clear())),
        ("without its key", stolen),
        ("revoked", revoked(f)),
    ]
}

/// Its authority has signed a list with its serial number.
fn revoked(f: &Forge) -> Attempt {
    let leaf = f.acme_leaf(|_| {});
    let lists = [f.root.revokes(&[]), f.acme.revokes(std::slice::from_ref(&leaf.serial))];
    Attempt::as_acme(f, leaf).with_lists(lists)
}

/// Whom a mistake lets pass, beside the honest one.
fn welcome(fault: SeededFault) -> Option<&'static [&'static str]> {
    use SeededFault as Fault;
    Some(match fault {
        Fault::VerifierRootIsEnough => &["globex", "acme2 where it is trusted", "by another generation"],
        Fault::VerifierCommonNameOnly => {
            &["named in its subject only", "another agent's subject", "also localhost"]
        }
        Fault::VerifierAlternativeNameOnly => &["another agent's subject", "two common names"],
        Fault::VerifierFirstCommonName => &["two common names"],
        Fault::VerifierSubordinateAuthority => &["by a subordinate authority"],
        Fault::VerifierAnyChain => &[
            "by an unknown authority",
            "by a leaf",
            "by a subordinate authority",
            "by a copied authority",
            "by another generation",
            "by globex's authority",
            "by the platform's authority",
            "expired",
            "not yet valid",
            "revoked",
        ],
        Fault::VerifierLeafAsAuthority => &["by a leaf"],
        Fault::VerifierWrongClock => &["expired", "not yet valid"],
        Fault::VerifierPurposeIgnored => &["without a purpose"],
        Fault::VerifierIssuerByName => &["by a copied authority"],
        Fault::VerifierIssuerMintsAnything => &["by globex's authority", "by the platform's authority"],
        Fault::VerifierExtraNamesIgnored => &["also localhost"],
        Fault::LeafProfileOff => {
            &["named in its subject only", "another agent's subject", "also localhost", "without a purpose"]
        }
        Fault::MemberByPrefix => &["acme2 where it is trusted"],
        Fault::AnyGeneration => &["by another generation"],
        Fault::KeyNotProven => &["without its key"],
        Fault::RevocationListsIgnored => &["revoked"],
        _ => return None,
    })
}

/// Who passes whole handshakes, as a client and as a server alike.
fn accepted(forge: &Forge) -> BTreeSet<&'static str> {
    let passes = |attempt: &Attempt| {
        [Role::Client, Role::Server].map(|role| shake(forge, attempt, role).unwrap().error.is_none())
    };
    let mut accepted = BTreeSet::new();
    for (name, attempt) in attempts(forge) {
        match passes(&attempt) {
            [true, true] => _ = accepted.insert(name),
            [false, false] => {}
            mixed => panic!("{name}: {mixed:?}"),
        }
    }
    accepted
}

#[test]
fn each_mistake_lets_those_pass_whom_it_is_about_and_nobody_else() {
    let forge = Forge::new();
    assert_eq!(accepted(&forge), BTreeSet::from([HONEST]), "without a mistake");
    for fault in SeededFault::ALL {
        let _on = on_this_thread(*fault);
        let mut expected: BTreeSet<_> = welcome(*fault).unwrap_or_default().iter().copied().collect();
        expected.insert(HONEST);
        assert_eq!(accepted(&forge), expected, "{}", fault.id());
    }
    assert_eq!(accepted(&forge), BTreeSet::from([HONEST]), "without a mistake again");
}

#[test]
fn a_server_that_tells_whom_it_trusts() {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {})).trusting(&[&forge.acme, &forge.globex]);
    let _on = on_this_thread(SeededFault::AuthorityHintsSent);
    assert_eq!(hints_sent_to_a_client(&forge, &attempt), 2);
}

#[test]
fn a_certificate_that_is_not_demanded_and_tls_1_2_that_is_spoken() {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {}));
    for (fault, oddity) in [
        (SeededFault::ClientCertificateOptional, Oddity::NoCertificate),
        (SeededFault::OldTlsAccepted, Oddity::OldVersion),
    ] {
        assert!(shake_oddly(&forge, &attempt, oddity).error.is_some(), "{}", fault.id());
        let _on = on_this_thread(fault);
        let ending = shake_oddly(&forge, &attempt, oddity);
        assert!(ending.error.is_none() && ending.peer_error.is_none(), "{}: {ending:?}", fault.id());
    }
}

#[test]
fn claims_of_which_the_first_counts_or_whose_beginning_does() {
    let (agent, acme): (PeerName, TenantSlug) =
        ("agent-001.p1.acme.serviceradar".parse().unwrap(), "acme".parse().unwrap());
    let claim =
        |claims: &[&str]| tenant_claim(&agent, &acme, claims.iter().map(|claim| claim.as_bytes())).is_ok();
    let claims: [&[&str]; 4] = [&["acme", "globex"], &["globex", "acme"], &["acme2"], &["globex"]];
    assert_eq!(claims.map(claim), [false; 4]);
    let first = on_this_thread(SeededFault::TenantClaimFirstCounts);
    assert_eq!(claims.map(claim), [true, false, false, false]);
    drop(first);
    let _prefix = on_this_thread(SeededFault::MemberByPrefix);
    assert_eq!(claims.map(claim), [false, false, true, false]);
}

#[test]
fn ids_are_words_and_each_is_one_fault_s() {
    let ids: BTreeSet<_> = SeededFault::ALL.iter().map(|fault| fault.id()).collect();
    assert_eq!(ids.len(), SeededFault::ALL.len());
    for id in ids {
        assert!(id.chars().all(|character| character.is_ascii_lowercase() || character == '-'), "{id}");
        assert_eq!(id.parse::<SeededFault>().map(SeededFault::id), Ok(id));
    }
}

#[test]
fn a_fault_that_cannot_show_in_a_program_is_none_of_its_own() {
    assert!(SeededFault::of("poller-any-agent", Place::Poller).is_ok());
    assert!(SeededFault::of("session-resumption", Place::Agent).is_ok());
    let error = SeededFault::of("poller-any-agent", Place::Agent).unwrap_err().to_string();
    assert!(error.contains("session-resumption") && !error.contains("poller-any-agent,"), "{error}");
}
