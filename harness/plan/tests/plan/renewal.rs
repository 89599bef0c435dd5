//! Certificates that are there already: kept, renewed for a reason, or refused.

use std::path::Path;

use bulkhead_plan::pki::{
    self, Action, ExistingCertificates, Pki, PkiError, RenewalReason, SystemKeys, UnreadableFile,
};
use bulkhead_plan::{EnvironmentSpec, PlannedFile, Topology};
use time::{Duration, OffsetDateTime};

use crate::support::{self, NOW, as_existing, new_pki};

const AGENT: &str = "certs/tenants/acme/components/agent-001.p1.pem";
const AGENT_KEY: &str = "certs/tenants/acme/components/agent-001.p1-key.pem";
const ACME: &str = "certs/tenants/acme/ca.pem";
const GLOBEX_AGENT: &str = "certs/tenants/globex/components/agent-001.p1.pem";

fn topology() -> Topology {
    Topology::new(&support::spec_of(&["acme", "globex"])).unwrap()
}

fn again(topology: &Topology, now: OffsetDateTime, existing: &ExistingCertificates) -> Result<Pki, PkiError> {
    pki::plan(topology, &mut SystemKeys::new(), now, existing)
}

fn action<'a>(pki: &'a Pki, path: &str) -> &'a Action {
    let notice = pki.notices().iter().find(|notice| notice.path == Path::new(path));
    &notice.unwrap_or_else(|| panic!("nothing is said about {path}")).action
}

fn contents(files: &[PlannedFile], path: &str) -> Vec<u8> {
    let file = files.iter().find(|file| file.path == Path::new(path));
    file.unwrap_or_else(|| panic!("{path} is not planned")).contents.as_bytes().to_vec()
}

/// The existing files with one of them replaced, or removed.
fn changed(files: &[PlannedFile], path: &str, with: Option<&[u8]>) -> ExistingCertificates {
    let mut existing = ExistingCertificates::none();
    for file in files.iter().filter(|file| file.path != Path::new(path)) {
        existing.insert(file.path.clone(), file.contents.as_bytes());
    }
    if let Some(with) = with {
        existing.insert(path, with);
    }
    existing
}

#[test]
fn what_is_valid_is_kept_byte_for_byte() {
    let topology = topology();
    let first = new_pki(&topology);
    let later = NOW + Duration::days(200);
    let second = again(&topology, later, &as_existing(&first.files())).unwrap();
    assert!(second.notices().iter().all(|notice| notice.action == Action::Kept), "{:?}", second.notices());
    assert_eq!(first.files(), second.files());
}

#[test]
fn a_new_tenant_changes_nobody_elses_certificates() {
    let first = new_pki(&topology());
    let more = Topology::new(&support::spec_of(&["acme2", "acme", "globex"])).unwrap();
    let second = again(&more, NOW, &as_existing(&first.files())).unwrap();
    let files = second.files();
    assert!(first.files().iter().all(|file| files.contains(file)));
    assert_eq!(*action(&second, "certs/tenants/acme2/ca.pem"), Action::Issued);
}

#[test]
fn what_expires_within_a_third_of_its_life_is_renewed() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let year = Duration::days(365);
    let expires = NOW + year;
    let third = (year + Duration::minutes(10)) / 3;
    let kept = again(&topology, expires - third - Duration::seconds(1), &as_existing(&files)).unwrap();
    assert_eq!(*action(&kept, AGENT), Action::Kept);
    let renewed = again(&topology, expires - third + Duration::seconds(1), &as_existing(&files)).unwrap();
    assert_eq!(*action(&renewed, AGENT), Action::Renewed(RenewalReason::Expiring { at: expires }));
    assert_eq!(*action(&renewed, ACME), Action::Kept, "an authority lives longer");
}

#[test]
fn what_has_expired_or_is_not_yet_valid_is_renewed_with_a_notice() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let expires = NOW + Duration::days(365);
    let renewed = again(&topology, expires + Duration::seconds(1), &as_existing(&files)).unwrap();
    assert_eq!(*action(&renewed, AGENT), Action::Renewed(RenewalReason::Expired { at: expires }));
    let notice = renewed.notices().iter().find(|notice| notice.path == Path::new(AGENT)).unwrap();
    assert_eq!(notice.to_string(), format!("{AGENT}: renewed, because it expired at 2027-11-23T12:00:00Z"));
    let early = again(&topology, NOW - Duration::hours(1), &as_existing(&files)).unwrap();
    let from = NOW - Duration::minutes(10);
    assert_eq!(*action(&early, AGENT), Action::Renewed(RenewalReason::NotYetValid { from }));
}

#[test]
fn a_renewed_authority_has_a_new_key_a_new_generation_and_new_leaves() {
    let topology = topology();
    let first = new_pki(&topology);
    let existing = changed(&first.files(), "certs/tenants/acme/ca-key.pem", None);
    let second = again(&topology, NOW, &existing).unwrap();
    assert_eq!(*action(&second, ACME), Action::Renewed(RenewalReason::KeyMissing));
    assert_eq!(*action(&second, AGENT), Action::Renewed(RenewalReason::IssuerChanged));
    assert_eq!(*action(&second, GLOBEX_AGENT), Action::Kept, "another tenant's certificates are not touched");
    let acme = "tenant-acme.ca.serviceradar".parse().unwrap();
    let der = &second.authority(&acme).unwrap().der;
    let (_, authority) = x509_parser::parse_x509_certificate(der).unwrap();
    assert_eq!(authority.subject().to_string(), "CN=tenant-acme.ca.serviceradar, OU=G2");
    let third = again(&topology, NOW, &as_existing(&second.files())).unwrap();
    assert_eq!(third.files(), second.files(), "and it is kept from then on");
}

#[test]
fn keys_and_lifetimes_that_do_not_fit_are_renewed() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let others = contents(&files, "certs/tenants/globex/components/agent-001.p1-key.pem");
    let mismatch = again(&topology, NOW, &changed(&files, AGENT_KEY, Some(&others))).unwrap();
    assert_eq!(*action(&mismatch, AGENT), Action::Renewed(RenewalReason::KeyMismatch));
    let orphan = again(&topology, NOW, &changed(&files, AGENT, None)).unwrap();
    assert_eq!(*action(&orphan, AGENT), Action::Renewed(RenewalReason::CertificateMissing));

    let text = "name: test\ntenants: [{ slug: acme }, { slug: globex }]\nlifetimes: { leaf_hours: 2 }\n";
    let shorter = Topology::new(&EnvironmentSpec::from_yaml(text).unwrap()).unwrap();
    let shorter = again(&shorter, NOW, &as_existing(&files)).unwrap();
    assert_eq!(*action(&shorter, AGENT), Action::Renewed(RenewalReason::LifetimeChanged));
    assert_eq!(*action(&shorter, ACME), Action::Kept);
}

#[test]
fn other_names_in_a_certificate_of_ours_are_not_kept() {
    // As an earlier version might have issued it: the same subject and key, one more name.
    let topology = topology();
    let first = new_pki(&topology);
    let files = first.files();
    let pem = |path: &str| String::from_utf8(contents(&files, path)).unwrap();
    let key = rcgen::KeyPair::from_pem(&pem(AGENT_KEY)).unwrap();
    let authority_key = rcgen::KeyPair::from_pem(&pem("certs/tenants/acme/ca-key.pem")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&pem(ACME), authority_key).unwrap();
    let names = ["agent-001.p1.acme.serviceradar", "agent.acme.serviceradar"].map(str::to_owned);
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "agent-001.p1.acme.serviceradar");
    params.not_before = NOW - Duration::minutes(10);
    params.not_after = NOW + Duration::days(365);
    let other = params.signed_by(&key, &issuer).unwrap().pem();
    let renewed = again(&topology, NOW, &changed(&files, AGENT, Some(other.as_bytes()))).unwrap();
    assert_eq!(*action(&renewed, AGENT), Action::Renewed(RenewalReason::ContentsChanged));
}

#[test]
fn a_certificate_of_somebody_else_is_refused_by_name() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let globex = contents(&files, GLOBEX_AGENT);
    let error = again(&topology, NOW, &changed(&files, AGENT, Some(&globex))).unwrap_err();
    assert!(matches!(error, PkiError::Foreign { .. }), "{error:?}");
    let text = error.to_string();
    for part in [AGENT, "agent-001.p1.globex.serviceradar", "agent-001.p1.acme.serviceradar", "move it away"]
    {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }

    let platform = String::from_utf8(contents(&files, "certs/platform/ca.pem")).unwrap();
    let key = String::from_utf8(contents(&files, "certs/platform/ca-key.pem")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&platform, rcgen::KeyPair::from_pem(&key).unwrap()).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "agent-001.p1.acme.serviceradar");
    let minted = params.signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer).unwrap().pem();
    let error = again(&topology, NOW, &changed(&files, AGENT, Some(minted.as_bytes()))).unwrap_err();
    assert!(matches!(error, PkiError::ForeignIssuer { .. }), "{error:?}");
    assert!(error.to_string().contains("platform.ca.serviceradar"), "{error}");
}

/// `files` with those of `others` whose path begins so in their place.
fn mixed(files: &[PlannedFile], others: &[PlannedFile], prefix: &str) -> ExistingCertificates {
    let mut existing = as_existing(files);
    for file in others.iter().filter(|file| file.path.to_string_lossy().starts_with(prefix)) {
        existing.insert(file.path.clone(), file.contents.as_bytes());
    }
    existing
}

/// Every environment's authorities have the same names: the keys tell them apart.
#[test]
fn what_another_environment_s_authority_has_issued_is_refused_and_not_replaced() {
    let topology = topology();
    let (files, others) = (new_pki(&topology).files(), new_pki(&topology).files());
    for (prefix, path, issuer) in [
        ("certs/tenants/acme/", ACME, "root.ca.serviceradar"),
        ("certs/tenants/acme/components/", AGENT, "tenant-acme.ca.serviceradar"),
        ("certs/root", "certs/platform/ca.pem", "root.ca.serviceradar"),
    ] {
        let error = again(&topology, NOW, &mixed(&files, &others, prefix)).unwrap_err();
        assert!(matches!(error, PkiError::OtherIssuer { .. }), "{prefix}: {error:?}");
        for part in [path, issuer, "another environment", "move it away"] {
            assert!(error.to_string().contains(part), "{part:?} is not in {error}");
        }
    }
    // Nor is it when it has expired.
    let later = NOW + Duration::days(400);
    let error =
        again(&topology, later, &mixed(&files, &others, "certs/tenants/acme/components/")).unwrap_err();
    assert!(matches!(error, PkiError::OtherIssuer { .. }), "{error:?}");
}

#[test]
fn a_run_that_died_after_it_renewed_an_authority_is_taken_up() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let renewed = again(&topology, NOW, &changed(&files, "certs/root-key.pem", None)).unwrap();
    let third = again(&topology, NOW, &mixed(&files, &renewed.files(), "certs/root")).unwrap();
    assert_eq!(*action(&third, "certs/platform/ca.pem"), Action::Renewed(RenewalReason::IssuerChanged));
    for path in [ACME, AGENT, GLOBEX_AGENT] {
        assert_eq!(*action(&third, path), Action::Renewed(RenewalReason::IssuerChanged), "{path}");
    }
}

#[test]
fn corrupt_files_are_refused_by_name() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let agent = contents(&files, AGENT);
    let two = [agent.clone(), agent.clone()].concat();
    let cases: [(&str, &[u8], UnreadableFile); 6] = [
        (AGENT, b"", UnreadableFile::NoCertificate),
        (AGENT, &agent[..agent.len() / 2], UnreadableFile::NoCertificate),
        (AGENT, b"\xff\xfe", UnreadableFile::NoCertificate),
        (AGENT, &two, UnreadableFile::NoCertificate),
        (AGENT_KEY, b"hello", UnreadableFile::NoKey),
        (AGENT_KEY, &agent, UnreadableFile::NoKey),
    ];
    for (path, with, expected) in cases {
        let error = again(&topology, NOW, &changed(&files, path, Some(with))).unwrap_err();
        assert!(error.to_string().contains(path) && error.to_string().contains("delete"), "{error}");
        assert!(matches!(error, PkiError::Unreadable { problem, .. } if problem == expected), "{error:?}");
    }
}

#[test]
fn a_root_whose_signature_does_not_verify_is_refused() {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let topology = topology();
    let files = new_pki(&topology).files();
    let root = String::from_utf8(contents(&files, "certs/root.pem")).unwrap();
    let key = rcgen::KeyPair::from_pem(&String::from_utf8(contents(&files, "certs/root-key.pem")).unwrap())
        .unwrap();
    // The same certificate signed by another key: its own key is no longer the signer.
    let other = rcgen::Issuer::from_ca_cert_pem(&root, rcgen::KeyPair::generate().unwrap()).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "root.ca.serviceradar");
    params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "G1");
    let forged = params.signed_by(&key, &other).unwrap().pem();
    assert!(CertificateDer::from_pem_slice(forged.as_bytes()).is_ok());
    let error =
        again(&topology, NOW, &changed(&files, "certs/root.pem", Some(forged.as_bytes()))).unwrap_err();
    let problem = UnreadableFile::BadSelfSignature;
    assert!(matches!(&error, PkiError::Unreadable { problem: found, .. } if *found == problem), "{error:?}");
}

const ACME_LIST: &str = "certs/tenants/acme/ca.crl.pem";
const ROOT_LIST: &str = "certs/root.crl.pem";

/// The serial numbers on a list, its number, and how long it lasts.
fn listed(files: &[PlannedFile], path: &str) -> (Vec<Vec<u8>>, String, OffsetDateTime) {
    use rustls_pki_types::CertificateRevocationListDer;
    use rustls_pki_types::pem::PemObject;
    use x509_parser::prelude::{CertificateRevocationList, FromDer};
    let der = CertificateRevocationListDer::from_pem_slice(&contents(files, path)).unwrap();
    let (_, list) = CertificateRevocationList::from_der(&der).unwrap();
    let serials = list.iter_revoked_certificates().map(|revoked| revoked.raw_serial().to_vec()).collect();
    (serials, list.crl_number().unwrap().to_string(), list.next_update().unwrap().to_datetime())
}

fn not_after(der: &[u8]) -> OffsetDateTime {
    x509_parser::parse_x509_certificate(der).unwrap().1.validity().not_after.to_datetime()
}

#[test]
fn each_authority_has_revoked_one_certificate_that_nobody_has_and_the_root_none() {
    let pki = new_pki(&topology());
    let files = pki.files();
    let (mut living, mut revoked) = (Vec::new(), Vec::new());
    for (_, leaf) in pki.leaves() {
        let (_, parsed) = x509_parser::parse_x509_certificate(&leaf.der).unwrap();
        living.push(parsed.tbs_certificate.raw_serial().to_vec());
    }
    for (name, authority) in pki.authorities() {
        let path = pki::revocation_list_path(name);
        let (serials, number, until) = listed(&files, path.to_str().unwrap());
        assert_eq!(number, "1", "{name}");
        assert_eq!(
            until,
            not_after(&authority.der),
            "{name}: no list ends before what its authority has signed"
        );
        assert_eq!(serials.len(), usize::from(path != Path::new(ROOT_LIST)), "{name}");
        revoked.extend(serials);
        let file = files.iter().find(|file| file.path == path).unwrap();
        assert_eq!((file.mode, file.contents.is_secret()), (0o644, false), "{name}");
    }
    assert!(revoked.iter().all(|serial| !living.contains(serial)));
    revoked.sort();
    revoked.dedup();
    assert_eq!(revoked.len(), 3, "each its own");
}

#[test]
fn an_environment_from_before_there_were_lists_is_given_them() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let mut existing = ExistingCertificates::none();
    for file in files.iter().filter(|file| !file.path.to_string_lossy().ends_with(".crl.pem")) {
        existing.insert(file.path.clone(), file.contents.as_bytes());
    }
    let second = again(&topology, NOW, &existing).unwrap();
    for path in [ROOT_LIST, ACME_LIST] {
        assert_eq!(*action(&second, path), Action::Issued, "{path}");
    }
    for path in [ACME, AGENT, GLOBEX_AGENT] {
        assert_eq!(*action(&second, path), Action::Kept, "{path}");
    }
}

#[test]
fn a_list_of_ours_that_does_not_fit_is_signed_anew_with_whoever_is_on_it() {
    use rcgen::{
        CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    };
    let topology = topology();
    let files = new_pki(&topology).files();
    let pem = |path: &str| String::from_utf8(contents(&files, path)).unwrap();
    let key = KeyPair::from_pem(&pem("certs/tenants/acme/ca-key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&pem(ACME), key).unwrap();
    let (_, _, ends) = listed(&files, ACME_LIST);
    let list = |serials: &[&[u8]], until| {
        let revoked = |serial: &&[u8]| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: NOW,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: NOW,
            next_update: until,
            crl_number: SerialNumber::from(7),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&issuer).unwrap().pem().unwrap()
    };
    let with = |list: &str| {
        let pki = again(&topology, NOW, &changed(&files, ACME_LIST, Some(list.as_bytes()))).unwrap();
        let listed = listed(&pki.files(), ACME_LIST);
        (action(&pki, ACME_LIST).clone(), listed)
    };
    let (serial, other): (&[u8], &[u8]) = (&[0x51; 16], &[0x52; 16]);
    let (action, found) = with(&list(&[serial, other], ends));
    assert_eq!((action, found.0.len()), (Action::Kept, 2), "who else was revoked stays revoked");
    let (action, found) = with(&list(&[serial, other], NOW + Duration::days(1)));
    assert_eq!(action, Action::Renewed(RenewalReason::LifetimeChanged));
    assert_eq!(found, (vec![serial.to_vec(), other.to_vec()], "8".to_owned(), ends));
    let (action, found) = with(&list(&[], ends));
    assert_eq!((action, found.0.len()), (Action::Renewed(RenewalReason::NobodyRevoked), 1));
}

#[test]
fn a_renewed_authority_signs_a_list_of_its_own() {
    let topology = topology();
    let files = new_pki(&topology).files();
    let second = again(&topology, NOW, &changed(&files, "certs/tenants/acme/ca-key.pem", None)).unwrap();
    assert_eq!(*action(&second, ACME_LIST), Action::Renewed(RenewalReason::IssuerChanged));
    assert_ne!(listed(&second.files(), ACME_LIST).0, listed(&files, ACME_LIST).0);
    assert_eq!(*action(&second, "certs/tenants/globex/ca.crl.pem"), Action::Kept);
}

#[test]
fn a_list_of_somebody_else_s_or_of_nothing_is_refused_by_name() {
    let topology = topology();
    let (files, others) = (new_pki(&topology).files(), new_pki(&topology).files());
    let refused = |with: &[u8]| again(&topology, NOW, &changed(&files, ACME_LIST, Some(with))).unwrap_err();
    let error = refused(&contents(&others, ACME_LIST));
    assert!(matches!(error, PkiError::OtherIssuer { .. }), "{error:?}");
    let error = refused(&contents(&files, "certs/tenants/globex/ca.crl.pem"));
    assert!(matches!(error, PkiError::ForeignIssuer { .. }), "{error:?}");
    for with in [&b"hello"[..], b"\xff", &contents(&files, ACME)] {
        let error = refused(with);
        let problem = UnreadableFile::NoRevocationList;
        assert!(
            matches!(&error, PkiError::Unreadable { problem: found, .. } if *found == problem),
            "{error:?}"
        );
        assert!(error.to_string().contains(ACME_LIST) && error.to_string().contains("delete"), "{error}");
    }
}
