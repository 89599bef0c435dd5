//! Certificates that libraries read differently, or that cannot be read.

use rcgen::{CustomExtension, DnType, DnValue};
use rustls_pki_types::CertificateDer;

use crate::support::attempt::Attempt;
use crate::support::der::{
    EXTENSIONS, SIGNATURE_ALGORITHM, SUBJECT, VERSION, ecdsa_with_sha1, p521_public_key, reissue,
    rsa_public_key, sequence, subject, subject_of_one_set, tlv,
};
use crate::support::der::{PUBLIC_KEY, Parts};
use crate::support::forge::{Forge, agent_001};
use crate::{Case, case};

const NAME: &str = "agent-001.p1.acme.serviceradar";
const UTF8_STRING: u8 = 0x0c;
const UNIVERSAL_STRING: u8 = 0x1c;

pub(crate) fn cases() -> Vec<Case> {
    [strings(), keys(), bytes()].into_iter().flatten().collect()
}

fn with_name(f: &Forge, name: DnValue) -> Attempt {
    let leaf = f.acme_leaf(|p| p.distinguished_name.push(DnType::CommonName, name));
    Attempt::as_acme(f, leaf)
}

/// A good leaf, taken apart, changed, and signed again by acme's authority.
fn resigned(f: &Forge, change: impl FnOnce(&mut Parts)) -> Attempt {
    let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
    attempt.leaf = reissue(&attempt.leaf, &f.acme.key, change);
    attempt
}

fn with_bytes(f: &Forge, change: impl FnOnce(&mut Vec<u8>)) -> Attempt {
    let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
    let mut der = attempt.leaf.to_vec();
    change(&mut der);
    attempt.leaf = CertificateDer::from(der);
    attempt
}

fn strings() -> Vec<Case> {
    vec![
        case("CN as BMPString", "profile: common-name", |f| {
            with_name(f, DnValue::BmpString(NAME.try_into().unwrap()))
        }),
        case("CN as TeletexString", "profile: common-name", |f| {
            with_name(f, DnValue::TeletexString(NAME.try_into().unwrap()))
        }),
        case("CN as UniversalString", "profile: common-name", |f| {
            with_name(f, DnValue::UniversalString(NAME.try_into().unwrap()))
        }),
        case("CN as UniversalString of single bytes", "profile: common-name", |f| {
            resigned(f, |parts| parts.tbs[SUBJECT] = subject(UNIVERSAL_STRING, NAME.as_bytes()))
        }),
        case("CN as IA5String", "profile: common-name", |f| {
            with_name(f, DnValue::Ia5String(NAME.try_into().unwrap()))
        }),
        case("CN with NUL and more behind it", "profile: common-name", |f| {
            let cut = format!("{NAME}\0.example");
            with_name(f, DnValue::Utf8String(cut))
        }),
        case("CN with NUL at its end", "profile: common-name", |f| {
            with_name(f, DnValue::Utf8String(format!("{NAME}\0")))
        }),
        case("CN that is not UTF-8", "profile: common-name", |f| {
            let name = [NAME.as_bytes(), &[0xff]].concat();
            resigned(f, |parts| parts.tbs[SUBJECT] = subject(UTF8_STRING, &name))
        }),
        case("CN with the number of UTF8String in another class", "profile: common-name", |f| {
            resigned(f, |parts| parts.tbs[SUBJECT] = subject(0x8c, NAME.as_bytes()))
        }),
        case("two common names in one relative name", "profile: common-name", |f| {
            let both = [NAME, "agent-001.p1.globex.serviceradar"];
            resigned(f, |parts| parts.tbs[SUBJECT] = subject_of_one_set(&both))
        }),
        case("alternative names of constructed strings", "malformed", |f| {
            // webpki does not see them, so it is asked below an authority that constrains no names.
            let authority = f.unconstrained("acme");
            let id = "spiffe://serviceradar.local/agent-001/acme/p1";
            let names = sequence(&[tlv(0xa2, NAME.as_bytes()), tlv(0xa6, id.as_bytes())]);
            let mut params = agent_001("acme");
            params.subject_alt_names.clear();
            params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], names));
            Attempt::as_acme(f, f.leaf(params, &authority)).trusting(&[&authority])
        }),
        case("CN that is empty", "profile: common-name", |f| {
            resigned(f, |parts| parts.tbs[SUBJECT] = subject(UTF8_STRING, b""))
        }),
    ]
}

fn keys() -> Vec<Case> {
    vec![
        case("RSA-1024", "profile: public-key", |f| {
            resigned(f, |parts| parts.tbs[PUBLIC_KEY] = rsa_public_key(1024))
        }),
        case("P-521", "profile: public-key", |f| {
            resigned(f, |parts| parts.tbs[PUBLIC_KEY] = p521_public_key())
        }),
        case("SHA-1", "unsupported-algorithm", |f| {
            resigned(f, |parts| {
                parts.tbs[SIGNATURE_ALGORITHM] = ecdsa_with_sha1();
                parts.algorithm = ecdsa_with_sha1();
            })
        }),
        case("two signature algorithms that differ", "malformed", |f| {
            resigned(f, |parts| parts.algorithm = ecdsa_with_sha1())
        }),
    ]
}

fn bytes() -> Vec<Case> {
    vec![
        case("X.509 version 1", "malformed", |f| {
            resigned(f, |parts| {
                parts.tbs.remove(EXTENSIONS);
                parts.tbs.remove(VERSION);
            })
        }),
        case("no extensions at all", "profile: alternative-names", |f| {
            resigned(f, |parts| {
                parts.tbs.remove(EXTENSIONS);
            })
        }),
        case("bytes behind the certificate", "malformed", |f| with_bytes(f, |der| der.push(0))),
        case("last byte missing", "malformed", |f| {
            with_bytes(f, |der| {
                der.pop();
            })
        }),
        case("text instead of DER", "malformed", |f| {
            with_bytes(f, |der| *der = b"-----BEGIN CERTIFICATE-----".to_vec())
        }),
        case("one byte", "malformed", |f| with_bytes(f, |der| der.truncate(1))),
        case("two certificates in one", "malformed", |f| with_bytes(f, |der| der.extend(der.clone()))),
    ]
}
