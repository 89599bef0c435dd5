//! Key usage, extended key usage and critical extensions.

use rcgen::KeyUsagePurpose as Usage;
use rcgen::{CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Purpose};

use crate::support::attempt::{ACCEPTED, Attempt};
use crate::support::forge::Forge;
use crate::{Case, case, case_by_role};

fn acme(f: &Forge, change: impl FnOnce(&mut CertificateParams)) -> Attempt {
    Attempt::as_acme(f, f.acme_leaf(change))
}

fn purposes(f: &Forge, purposes: &[Purpose]) -> Attempt {
    acme(f, |p| p.extended_key_usages = purposes.to_vec())
}

fn usages(f: &Forge, usages: &[Usage]) -> Attempt {
    acme(f, |p| p.key_usages = usages.to_vec())
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case_by_role("serverAuth only", ["wrong-purpose", ACCEPTED], |f| purposes(f, &[Purpose::ServerAuth])),
        case_by_role("clientAuth only", [ACCEPTED, "wrong-purpose"], |f| purposes(f, &[Purpose::ClientAuth])),
        case("another purpose only", "wrong-purpose", |f| purposes(f, &[Purpose::CodeSigning])),
        case("no extended key usage", "profile: extended-key-usage", |f| purposes(f, &[])),
        case("any purpose only", "wrong-purpose", |f| purposes(f, &[Purpose::Any])),
        case("any purpose beside the right ones", "profile: extended-key-usage", |f| {
            purposes(f, &[Purpose::ServerAuth, Purpose::ClientAuth, Purpose::Any])
        }),
        case("another purpose beside the right ones", "profile: extended-key-usage", |f| {
            let right = [Purpose::ServerAuth, Purpose::ClientAuth];
            purposes(f, &[&right[..], &[Purpose::CodeSigning]].concat())
        }),
        case("a private purpose beside the right ones", "profile: extended-key-usage", |f| {
            let private = Purpose::Other(vec![1, 3, 6, 1, 4, 1, 55555, 1]);
            purposes(f, &[Purpose::ServerAuth, Purpose::ClientAuth, private])
        }),
        case("keyEncipherment only", "profile: key-usage", |f| usages(f, &[Usage::KeyEncipherment])),
        case("no key usage", "profile: key-usage", |f| usages(f, &[])),
        case("keyCertSign beside digitalSignature", "profile: key-usage", |f| {
            usages(f, &[Usage::DigitalSignature, Usage::KeyCertSign])
        }),
        case("cRLSign beside digitalSignature", "profile: key-usage", |f| {
            usages(f, &[Usage::DigitalSignature, Usage::CrlSign])
        }),
        case("unknown critical extension", "critical-extension", |f| {
            let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555], vec![5, 0]);
            extension.set_criticality(true);
            acme(f, |p| p.custom_extensions.push(extension))
        }),
        case("key usage that is not a bit string", "malformed", |f| {
            let broken = CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![5, 0]);
            acme(f, |p| {
                p.key_usages.clear();
                p.custom_extensions.push(broken);
            })
        }),
    ]
}
