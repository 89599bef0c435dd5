//! Revocation lists as they are given in files: each is judged when it is loaded, and says what is wrong with it.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used)]

mod support;

use bulkhead_identity::{
    IssuingAuthority, PeerPattern, PeerVerifier, RevocationList, RevocationListError, Role, TrustBundle,
    TrustRoot,
};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, KeyUsagePurpose, SerialNumber};
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};
use std::sync::Arc;
use support::forge::{Authority, Forge, NOW};
use time::{Duration, OffsetDateTime};

fn pem_of(list: &CertificateRevocationListDer<'_>) -> Vec<u8> {
    pem::encode(&pem::Pem::new("X509 CRL", list.to_vec())).into_bytes()
}

fn read(list: &CertificateRevocationListDer<'_>) -> RevocationList {
    RevocationList::from_pem(&pem_of(list)).unwrap()
}

fn unix(moment: OffsetDateTime) -> UnixTime {
    let seconds = u64::try_from(moment.unix_timestamp()).unwrap();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// A bundle of the root and one authority, with these lists, at a moment.
fn bundle(
    forge: &Forge,
    authority: &Authority,
    lists: &[&RevocationList],
    now: OffsetDateTime,
) -> Result<TrustBundle, (usize, RevocationListError)> {
    let root = TrustRoot::from_der(&forge.root.der).unwrap();
    let authority = IssuingAuthority::from_der(&authority.der).unwrap();
    TrustBundle::new(root, vec![authority]).unwrap().with_current_lists(lists, unix(now))
}

/// The place and the code of what is wrong. Whoever reads it is told what to do.
fn refused(result: Result<TrustBundle, (usize, RevocationListError)>) -> (usize, &'static str) {
    let (place, error) = result.unwrap_err();
    told(&error);
    (place, error.code())
}

fn told(error: &RevocationListError) {
    assert!(error.advice().len() > 20, "{error}: {:?}", error.advice());
}

#[test]
fn lists_of_the_root_and_of_every_authority_are_taken_and_what_they_revoke_is_refused() {
    let forge = Forge::new();
    let leaf = forge.acme_leaf(|_| {});
    let root = read(&forge.root.revokes(&[]));
    let verified = |serials: &[SerialNumber]| {
        let acme = read(&forge.acme.revokes(serials));
        let bundle = bundle(&forge, &forge.acme, &[&root, &acme], NOW).unwrap();
        let accepted = vec![PeerPattern::MemberOf("acme".parse().unwrap())];
        let verifier = PeerVerifier::new(Arc::new(bundle), accepted, Role::Client).unwrap();
        verifier.verify(&leaf.der, unix(NOW)).map_err(|refusal| refusal.code())
    };
    assert!(verified(&[]).is_ok());
    assert_eq!(verified(std::slice::from_ref(&leaf.serial)).unwrap_err(), "revoked");
}

#[test]
fn a_list_is_told_by_its_issuer_and_by_nothing_else() {
    let forge = Forge::new();
    let (root, acme) = (read(&forge.root.revokes(&[])), read(&forge.acme.revokes(&[])));
    let certificate = |authority: &Authority| IssuingAuthority::from_der(&authority.der).unwrap();
    assert!(acme.is_of(certificate(&forge.acme).certificate()));
    assert!(!acme.is_of(certificate(&forge.globex).certificate()));
    let of_globex = read(&forge.globex.revokes(&[]));
    let found = bundle(&forge, &forge.acme, &[&root, &acme, &of_globex], NOW).unwrap_err();
    assert_eq!((found.0, found.1.code()), (2, "revocation-list-unknown-issuer"));
    assert!(found.1.to_string().contains("tenant-globex.ca.serviceradar"), "{}", found.1);
}

#[test]
fn a_list_that_is_missing_repeated_or_out_of_date_is_no_list() {
    let forge = Forge::new();
    let (root, acme) = (read(&forge.root.revokes(&[])), read(&forge.acme.revokes(&[])));
    let found = |lists: &[&RevocationList], now| refused(bundle(&forge, &forge.acme, lists, now));
    assert_eq!(found(&[&root], NOW), (0, "revocation-list-missing"));
    assert_eq!(found(&[&acme], NOW), (0, "revocation-list-missing"));
    assert_eq!(found(&[&root, &acme, &acme], NOW), (2, "revocation-list-repeated"));
    // The forge's lists are of an hour ago, and for a day.
    let end = NOW + Duration::hours(23);
    assert!(bundle(&forge, &forge.acme, &[&root, &acme], end - Duration::seconds(1)).is_ok());
    assert_eq!(found(&[&root, &acme], end), (0, "revocation-list-stale"));
    assert!(bundle(&forge, &forge.acme, &[], NOW).is_ok(), "without any, nobody is asked");
}

#[test]
fn a_list_that_its_authority_did_not_or_may_not_sign_is_no_list() {
    let forge = Forge::new();
    let root = read(&forge.root.revokes(&[]));
    let other_key = forge.tenant_authority("acme", |_| {});
    let forged = read(&other_key.revokes(&[]));
    assert_eq!(
        refused(bundle(&forge, &forge.acme, &[&root, &forged], NOW)),
        (1, "revocation-list-bad-signature")
    );
    let mute = forge.tenant_authority("acme", |params| {
        params.key_usages.retain(|usage| *usage != KeyUsagePurpose::CrlSign);
    });
    // rcgen signs no list for an authority that may not: somebody with the same key does.
    let mut able = mute.params.clone();
    able.key_usages.push(KeyUsagePurpose::CrlSign);
    let able = rcgen::Issuer::from_params(&able, &mute.key);
    let params = CertificateRevocationListParams {
        this_update: NOW - Duration::hours(1),
        next_update: NOW + Duration::hours(1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = read(params.signed_by(&able).unwrap().der());
    assert_eq!(refused(bundle(&forge, &mute, &[&root, &list], NOW)), (1, "revocation-list-key-usage"));
}

#[test]
fn a_file_holds_one_list_in_pem_form() {
    let forge = Forge::new();
    let one = pem_of(&forge.root.revokes(&[]));
    let code = |text: &[u8]| {
        let error = RevocationList::from_pem(text).unwrap_err();
        told(&error);
        error.code()
    };
    assert_eq!(code(b""), "revocation-list-pem");
    assert_eq!(code(&support::attempt::pem(&forge.root.der)), "revocation-list-pem");
    assert_eq!(code(&[one.clone(), one.clone()].concat()), "revocation-list-not-one");
    let nonsense = pem::encode(&pem::Pem::new("X509 CRL", b"nonsense".to_vec()));
    assert_eq!(code(nonsense.as_bytes()), "revocation-list-malformed");
    assert!(RevocationList::from_pem(&one).is_ok());
}
