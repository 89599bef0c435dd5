//! What holds for every input, not only for those that somebody thought of.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::LazyLock;

use bulkhead_identity::{
    AgentId, AuthorityName, Certificate, Channel, Component, LABEL_LENGTH_MAX, Partition, PeerName,
    PeerVerifier, RESERVED_SLUGS, Role, SpiffeId, Subject, TenantName, TenantSlug, certificates_from_pem,
    identity_of_verified_leaf,
};
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, UnixTime};
use support::attempt::Attempt;
use support::forge::{Forge, service};

/// The grammar, written down a second time and in another way: these tests do not borrow the crate's.
fn is_label(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    let well_made =
        |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    starts_well && parts.iter().all(well_made) && text.len() <= LABEL_LENGTH_MAX
}

fn is_slug(text: &str) -> bool {
    is_label(text) && !RESERVED_SLUGS.contains(&text)
}

fn label() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{0,15}".prop_filter("a label", |text| is_label(text))
}

fn slug() -> impl Strategy<Value = String> {
    label().prop_filter("a slug", |text| is_slug(text))
}

/// Texts that are names, nearly names, and anything at all.
fn nearly_a_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.-]{0,40}",
        "[a-c-]{1,4}(\\.[a-c-]{0,4}){0,4}(\\.serviceradar)?",
        (label(), label(), slug()).prop_map(|(c, p, s)| format!("{c}.{p}.{s}.serviceradar")),
        (label(), slug(), label()).prop_map(|(c, s, p)| format!("spiffe://serviceradar.local/{c}/{s}/{p}")),
        slug().prop_map(|slug| format!("tenant-{slug}.ca.serviceradar")),
        any::<String>(),
    ]
}

/// Reading and writing are each other's inverse: a text that is read is what is written, to the byte.
fn inverse<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value = text.parse::<T>().ok()?;
    assert_eq!(value.to_string(), text);
    assert_eq!(value.to_string().parse::<T>().ok(), Some(value));
    text.parse().ok()
}

proptest! {
    // A failing input is printed, and becomes a case of its own in the unit tests.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_read_is_written_back(text in nearly_a_name()) {
        inverse::<TenantSlug>(&text);
        inverse::<Partition>(&text);
        inverse::<Component>(&text);
        inverse::<TenantName>(&text);
        inverse::<AgentId>(&text);
        inverse::<PeerName>(&text);
        inverse::<SpiffeId>(&text);
        inverse::<AuthorityName>(&text);
        inverse::<Channel>(&text);
        inverse::<Subject>(&text);
    }

    #[test]
    fn a_slug_is_accepted_exactly_when_the_grammar_has_it(text in "[a-z0-9.-]{0,20}|[A-Za-z-]{1,4}|\\PC{0,6}") {
        prop_assert_eq!(text.parse::<TenantSlug>().is_ok(), is_slug(&text));
        prop_assert_eq!(text.parse::<Component>().is_ok(), is_label(&text));
    }

    #[test]
    fn an_accepted_name_satisfies_the_grammar(text in nearly_a_name()) {
        if let Ok(name) = text.parse::<TenantName>() {
            let labels: Vec<&str> = text.split('.').collect();
            prop_assert_eq!(labels.len(), 4);
            prop_assert!(is_label(labels[0]) && is_label(labels[1]) && is_slug(labels[2]));
            prop_assert_eq!(labels[3], "serviceradar");
            prop_assert!(text.len() <= 64);
            prop_assert_eq!(name.tenant.as_str(), labels[2]);
        }
    }

    #[test]
    fn a_name_and_its_spiffe_id_say_the_same(component in label(), partition in label(), slug in slug()) {
        let name: PeerName = format!("{component}.{partition}.{slug}.serviceradar").parse().unwrap();
        let id: SpiffeId = name.spiffe_id().to_string().parse().unwrap();
        prop_assert_eq!(id.peer(), &name);
    }

    #[test]
    fn two_names_never_share_a_text(
        left in (label(), label(), slug()),
        right in (label(), label(), slug()),
    ) {
        let name = |(c, p, s): &(String, String, String)| -> TenantName {
            format!("{c}.{p}.{s}.serviceradar").parse().unwrap()
        };
        let (a, b) = (name(&left), name(&right));
        let same = left == right;
        prop_assert_eq!(a.common_name() == b.common_name(), same);
        prop_assert_eq!(a.spiffe_id().to_string() == b.spiffe_id().to_string(), same);
        let jobs = |name: &TenantName| Subject::jobs(&name.tenant, &name.agent_id()).to_string();
        prop_assert_eq!(jobs(&a) == jobs(&b), same);
    }

    #[test]
    fn a_subject_belongs_to_one_tenant(slug in slug(), suffix in "[a-z0-9]{1,4}", component in label()) {
        let longer = format!("{slug}{suffix}");
        prop_assume!(is_slug(&longer));
        let (short, long): (TenantSlug, TenantSlug) = (slug.parse().unwrap(), longer.parse().unwrap());
        let agent: AgentId = format!("{component}.p1").parse().unwrap();
        for of in [
            Subject::agents_status,
            Subject::pollers_heartbeat,
            Subject::poller_results,
            Subject::poller_health,
        ] {
            let read: Subject = of(&long).to_string().parse().unwrap();
            prop_assert_eq!(&read, &of(&long));
            prop_assert_ne!(read.tenant, short.clone());
        }
        let read: Subject = Subject::agents_results(&long, &agent).to_string().parse().unwrap();
        prop_assert_eq!(read, Subject::agents_results(&long, &agent));
    }

    #[test]
    fn no_subject_holds_what_nats_gives_a_meaning(text in "[a-z*>$_. \\r\\n\\t-]{0,24}") {
        if let Ok(subject) = text.parse::<Subject>() {
            let text = subject.to_string();
            let special = |c: char| "*>$ \r\n\t".contains(c);
            prop_assert!(!text.contains(special) && !text.contains("..") && !text.starts_with('_'));
        }
    }

    #[test]
    fn junk_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let der = CertificateDer::from(bytes.as_slice());
        prop_assert!(Certificate::parse(&der).is_err());
        prop_assert!(SETTING.verifier.verify(&der, SETTING.now).is_err());
        prop_assert!(identity_of_verified_leaf(&der).is_err());
        let _ = certificates_from_pem(&bytes);
    }

    #[test]
    fn a_cut_certificate_is_refused(length in 0usize..2000) {
        let leaf = &SETTING.attempt.leaf;
        prop_assume!(length < leaf.len());
        let cut = CertificateDer::from(&leaf[..length]);
        prop_assert!(SETTING.verifier.verify(&cut, SETTING.now).is_err());
    }
}

struct Setting {
    attempt: Attempt,
    verifier: PeerVerifier,
    now: UnixTime,
}

static SETTING: LazyLock<Setting> = LazyLock::new(|| {
    let forge = Forge::new();
    let attempt = Attempt::as_acme(&forge, forge.acme_leaf(|_| {}))
        .trusting(&[&forge.acme, &forge.acme2, &forge.globex])
        .expecting_anybody();
    let verifier = attempt.verifier(Role::Client).unwrap();
    let now = attempt.unix_now();
    Setting { attempt, verifier, now }
});

/// Every single bit, and some changes of several.
const FLIPS: [u8; 11] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x21, 0x0f];

/// Every byte of a good leaf, every value that differs in one bit and some that differ in more: whatever is
/// still accepted is the same peer. The signature covers nearly all; what it does not cover names nobody.
#[test]
fn no_one_byte_mutant_gives_another_identity() {
    let Setting { attempt, verifier, now } = &*SETTING;
    let original = verifier.verify(&attempt.leaf, *now).unwrap();
    let (mut mutants, mut accepted) = (0u32, 0u32);
    for place in 0..attempt.leaf.len() {
        for flip in FLIPS {
            let mut mutant = attempt.leaf.to_vec();
            mutant[place] ^= flip;
            mutants += 1;
            if let Ok(name) = verifier.verify(&CertificateDer::from(mutant), *now) {
                accepted += 1;
                assert_eq!(name, original, "byte {place} flipped by {flip:#04x}");
            }
        }
    }
    println!("{mutants} mutants, {accepted} of them accepted as {original}");
    assert!(mutants > 5_000);
}

/// The same where the signature does not help: a mutant's names alone, as a handler reads them.
#[test]
fn no_one_byte_mutant_of_a_name_is_read_as_another_kind_of_peer() {
    let forge = Forge::new();
    let leaf = forge.leaf(service("poller"), &forge.platform).der;
    for place in 0..leaf.len() {
        for flip in FLIPS {
            let mut mutant = leaf.to_vec();
            mutant[place] ^= flip;
            if let Ok(name) = identity_of_verified_leaf(&CertificateDer::from(mutant)) {
                // One byte cannot change the common name, the DNS name and the SPIFFE ID alike.
                assert_eq!(name.to_string(), "poller.serviceradar", "byte {place}, {flip:#04x}");
            }
        }
    }
}
