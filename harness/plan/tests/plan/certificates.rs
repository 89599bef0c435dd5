//! What is issued: contents, chains, lifetimes, and that no key is printed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bulkhead_identity::{
    AuthorityName, IssuingAuthority, PeerName, PeerPattern, PeerVerifier, PlatformName, Role, TrustBundle,
    TrustRoot,
};
use bulkhead_plan::pki::{self, CertificatePaths, ExistingCertificates, KeySource, Pki, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Topology};
use rustls_pki_types::UnixTime;
use time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use crate::support;

fn topology() -> Topology {
    Topology::new(&EnvironmentSpec::with_tenants("test".parse().unwrap(), 3, 2).unwrap()).unwrap()
}

fn parsed(der: &[u8]) -> X509Certificate<'_> {
    x509_parser::parse_x509_certificate(der).unwrap().1
}

fn all(pki: &Pki) -> Vec<X509Certificate<'_>> {
    let authorities = pki.authorities().map(|(_, certificate)| parsed(&certificate.der));
    authorities.chain(pki.leaves().map(|(_, certificate)| parsed(&certificate.der))).collect()
}

#[test]
fn openssl_verifies_every_chain() {
    let Some(openssl) = support::program("BULKHEAD_OPENSSL", "openssl") else { return };
    let topology = topology();
    let spec = topology.spec();
    // openssl verifies at the time of the machine's clock.
    let now = time::OffsetDateTime::now_utc();
    let pki = pki::plan(&topology, &mut SystemKeys::new(), now, &ExistingCertificates::none()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    support::write(directory.path(), &pki.files());
    let at = |path: &Path| directory.path().join(path);
    let mut verified = 0;
    for (name, _) in pki.leaves() {
        let authority = CertificatePaths::of_authority(&AuthorityName::responsible_for(name));
        let root = CertificatePaths::of_authority(&AuthorityName::Root);
        let leaf = CertificatePaths::of_leaf(name);
        let output = Command::new(&openssl)
            .args(["verify", "-x509_strict", "-policy_check", "-no-CApath", "-no-CAstore", "-CAfile"])
            .arg(at(&root.certificate))
            .arg("-untrusted")
            .arg(at(&authority.certificate))
            .arg(at(&leaf.certificate))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        verified += 1;
    }
    let agents: usize = spec.tenants().iter().map(|tenant| tenant.agents.len()).sum();
    assert_eq!(verified, agents + 3, "nats, poller, admin and every agent");
}

#[test]
fn the_platforms_own_verifier_accepts_every_authority_and_every_leaf() {
    let pki = support::new_pki(&topology());
    let root = &pki.authority(&AuthorityName::Root).unwrap().pem;
    let below = pki.authorities().filter(|(name, _)| **name != AuthorityName::Root);
    let authorities = below.map(|(name, certificate)| {
        let authority = IssuingAuthority::from_pem(certificate.pem.as_bytes()).unwrap();
        assert_eq!((authority.name(), authority.generation()), (name, Some(1)));
        authority
    });
    let root = TrustRoot::from_pem(root.as_bytes()).unwrap();
    let bundle = Arc::new(TrustBundle::new(root, authorities.collect()).unwrap());
    let now = Duration::seconds(support::NOW.unix_timestamp());
    let now = UnixTime::since_unix_epoch(now.try_into().unwrap());
    for (name, certificate) in pki.leaves() {
        let judge = |role| {
            let accepted = vec![PeerPattern::Exactly(name.clone())];
            PeerVerifier::new(bundle.clone(), accepted, role).unwrap().verify(&certificate.der, now)
        };
        let (is_server, is_client) = match name {
            PeerName::Platform(PlatformName::Nats) => (true, false),
            PeerName::Platform(PlatformName::Admin) => (false, true),
            _ => (true, true),
        };
        for (role, fits) in [(Role::Server, is_server), (Role::Client, is_client)] {
            let said = judge(role).map_err(|refusal| refusal.code());
            let expected = if fits { Ok(name.clone()) } else { Err("wrong-purpose") };
            assert_eq!(said, expected, "{name} as a {role}");
        }
    }
}

#[test]
fn authorities_are_bounded_to_their_own_names() {
    let pki = support::new_pki(&topology());
    let constraints = |name: &str| {
        let name: AuthorityName = name.parse().unwrap();
        let certificate = parsed(&pki.authority(&name).unwrap().der);
        assert!(certificate.key_usage().unwrap().unwrap().value.key_cert_sign(), "{name}");
        let basic = certificate.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca, "{name}");
        let expected_length = if name == AuthorityName::Root { 1 } else { 0 };
        assert_eq!(basic.value.path_len_constraint, Some(expected_length), "{name}");
        assert_eq!(
            certificate.subject().to_string(),
            format!("CN={}, OU=G1", name.common_name()),
            "an authority's DN is its name and its generation"
        );
        certificate.name_constraints().unwrap().map(|constraints| {
            assert!(constraints.critical && constraints.value.excluded_subtrees.is_none(), "{name}");
            let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
            permitted.iter().map(|subtree| subtree.base.to_string()).collect::<Vec<_>>()
        })
    };
    assert_eq!(constraints("root.ca.serviceradar"), None);
    assert_eq!(constraints("tenant-acme.ca.serviceradar").unwrap(), ["DNSName(acme.serviceradar)"]);
    let platform = ["nats", "poller", "core", "platform"].map(|name| format!("DNSName({name}.serviceradar)"));
    let mut expected = platform.to_vec();
    expected.push("DNSName(localhost)".to_owned());
    assert_eq!(constraints("platform.ca.serviceradar").unwrap(), expected);
}

#[test]
fn leaves_carry_their_own_names_and_purposes() {
    let pki = support::new_pki(&topology());
    let cases = [
        (
            "agent-002.p1.globex.serviceradar",
            "spiffe://serviceradar.local/agent-002/globex/p1",
            true,
            true,
            vec![],
        ),
        ("poller.serviceradar", "spiffe://serviceradar.local/platform/poller", true, true, vec![]),
        ("admin.platform.serviceradar", "spiffe://serviceradar.local/platform/admin", false, true, vec![]),
        (
            "nats.serviceradar",
            "spiffe://serviceradar.local/platform/nats",
            true,
            false,
            vec![GeneralName::DNSName("localhost"), GeneralName::IPAddress(&[127, 0, 0, 1])],
        ),
    ];
    for (name, spiffe, server, client, more) in cases {
        let peer: PeerName = name.parse().unwrap();
        let certificate = parsed(&pki.leaf(&peer).unwrap().der);
        assert_eq!(certificate.subject().to_string(), format!("CN={name}"));
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        let mut expected = vec![GeneralName::DNSName(name), GeneralName::URI(spiffe)];
        expected.extend(more);
        assert_eq!(*names, expected, "{name}");
        let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((purposes.server_auth, purposes.client_auth), (server, client), "{name}");
        assert!(!purposes.any && purposes.other.is_empty(), "{name}");
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical, "{name}");
        assert_eq!(usage.value.flags, 1, "{name}: digitalSignature and nothing else");
        assert!(!certificate.is_ca(), "{name}");
    }
}

#[test]
fn serials_are_distinct_and_key_identifiers_lead_to_the_issuer() {
    let pki = support::new_pki(&topology());
    let certificates = all(&pki);
    let serials: BTreeSet<_> = certificates.iter().map(|certificate| certificate.raw_serial()).collect();
    assert_eq!(serials.len(), certificates.len());
    let keys: BTreeSet<_> = certificates.iter().map(|certificate| certificate.public_key().raw).collect();
    assert_eq!(keys.len(), certificates.len());
    let subject_key = |certificate: &X509Certificate<'_>| {
        certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
            _ => None,
        })
    };
    for certificate in &certificates {
        let authority_key =
            certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                    Some(identifier.key_identifier.clone()?.0.to_vec())
                }
                _ => None,
            });
        let issuer = certificates.iter().find(|other| other.subject() == certificate.issuer()).unwrap();
        assert!(authority_key.is_some(), "{}", certificate.subject());
        assert_eq!(authority_key, subject_key(issuer), "{}", certificate.subject());
        assert!((16..=20).contains(&certificate.raw_serial().len()), "{}", certificate.subject());
    }
}

#[test]
fn lifetimes_are_those_of_the_specification() {
    let text = "name: test\ntenants: [{ slug: acme }]\nlifetimes: { root_days: 30, authority_days: 20, leaf_hours: 3 }\n";
    let topology = Topology::new(&EnvironmentSpec::from_yaml(text).unwrap()).unwrap();
    let pki = support::new_pki(&topology);
    for certificate in all(&pki) {
        let subject = certificate.subject().to_string();
        let dates = certificate.validity();
        let expected = match subject.as_str() {
            "CN=root.ca.serviceradar, OU=G1" => Duration::days(30),
            authority if authority.contains(".ca.") => Duration::days(20),
            _ => Duration::hours(3),
        };
        assert_eq!(dates.not_before.to_datetime(), support::NOW - Duration::minutes(10), "{subject}");
        assert_eq!(dates.not_after.to_datetime(), support::NOW + expected, "{subject}");
    }
}

#[test]
fn keys_are_in_files_of_their_owner_and_are_never_printed() {
    let topology = topology();
    let pki = support::new_pki(&topology);
    let files = pki.files();
    for file in &files {
        let text = String::from_utf8(file.contents.as_bytes().to_vec()).unwrap();
        let is_key = file.path.to_str().unwrap().ends_with("-key.pem");
        assert_eq!(text.contains("PRIVATE KEY"), is_key, "{}", file.path.display());
        assert_eq!(file.contents.is_secret(), is_key, "{}", file.path.display());
        assert_eq!(file.mode, if is_key { 0o600 } else { 0o644 }, "{}", file.path.display());
    }
    let existing = support::as_existing(&files);
    let key = SystemKeys::new().key().unwrap();
    let printed = format!("{pki:?} {files:?} {existing:?} {key:?}");
    let authorities = pki.authorities().map(|(_, certificate)| certificate);
    for certificate in authorities.chain(pki.leaves().map(|(_, certificate)| certificate)) {
        let pem = std::str::from_utf8(certificate.key_pem.as_bytes()).unwrap();
        let secret = pem.lines().nth(1).unwrap();
        assert!(!printed.contains(secret), "a key is printed");
    }
    assert!(!printed.contains("PRIVATE KEY"), "a key is printed");
}
