//! What a handshake shows beyond the certificate's contents. The catalogue's cases are run through handshakes
//! in `catalogue/`.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;

use bulkhead_identity::{PeerPattern, Refusal, Role};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use rustls::{AlertDescription, Error};
use support::attempt::Attempt;
use support::forge::{Forge, agent_001};
use support::handshake::{Oddity, hints_sent_to_a_client, shake, shake_oddly};

#[test]
fn a_client_without_certificate_is_refused_for_it() {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {}));
    let ending = shake_oddly(&forge, &attempt, Oddity::NoCertificate);
    assert_eq!(ending.refusal, Some(Refusal::NoCertificate));
    assert_eq!(ending.alert, Some(AlertDescription::CertificateRequired));
}

#[test]
fn a_certificate_without_its_key_is_refused_on_both_sides() {
    let forge = Forge::new();
    let mut attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {}));
    attempt.key = Arc::new(KeyPair::generate().unwrap());
    for role in [Role::Client, Role::Server] {
        let ending = shake(&forge, &attempt, role).unwrap();
        assert_eq!(ending.refusal, Some(Refusal::KeyNotProven), "{ending:?}");
        assert_eq!(ending.alert, Some(AlertDescription::DecryptError), "{ending:?}");
    }
}

#[test]
fn the_reason_says_more_than_the_alert() {
    let forge = Forge::new();
    let globex = forge.leaf(agent_001("globex"), &forge.globex);
    let attempt = Attempt::as_acme(&forge, globex).trusting(&[&forge.acme, &forge.globex]);
    let ending = shake(&forge, &attempt, Role::Client).unwrap();
    assert_eq!(ending.alert, Some(AlertDescription::AccessDenied));
    let expected = Refusal::UnexpectedPeer {
        found: "agent-001.p1.globex.serviceradar".parse().unwrap(),
        expected: vec![PeerPattern::MemberOf("acme".parse().unwrap())],
    };
    assert_eq!(ending.refusal, Some(expected));
}

#[test]
fn a_server_names_no_authority_to_strangers() {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {}));
    assert_eq!(hints_sent_to_a_client(&forge, &attempt), 0);
}

#[test]
fn nobody_is_accepted_over_tls_1_2_even_where_it_is_configured() {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {}));
    let ending = shake_oddly(&forge, &attempt, Oddity::OldVersion);
    assert!(matches!(ending.error, Some(Error::General(_))), "{ending:?}");
    assert!(ending.peer_error.is_some(), "{ending:?}");
}

/// A verifier that is plugged into the wrong side would judge by the wrong purpose; it cannot be.
#[test]
fn the_side_of_the_connection_decides_the_role() {
    let forge = Forge::new();
    let servers_only = forge.acme_leaf(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let attempt = Attempt::as_acme(&forge, servers_only);
    let made_for_servers = attempt.verifier(Role::Server).unwrap();
    let (as_client, slot) = made_for_servers.client_cert_verifier();
    let refused = as_client.verify_client_cert(&attempt.leaf, &[], attempt.unix_now());
    assert!(refused.is_err());
    assert_eq!(slot.take(), Some(Refusal::WrongPurpose { role: Role::Client }));
    assert_eq!(slot.take(), None, "the reason is taken once");
}

#[test]
fn each_connection_has_a_slot_of_its_own() {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.leaf(agent_001("globex"), &forge.globex));
    let verifier = attempt.verifier(Role::Client).unwrap();
    let (refusing, first) = verifier.client_cert_verifier();
    let (_idle, second) = verifier.client_cert_verifier();
    assert!(refusing.verify_client_cert(&attempt.leaf, &[], attempt.unix_now()).is_err());
    assert_eq!(second.take(), None);
    assert_eq!(first.take().map(|refusal| refusal.code()), Some("unknown-issuer"));
}
