//! Authorities that must not be loaded: what a trust anchor or webpki would let pass.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints,
};
use time::Duration;

use crate::support::attempt::Attempt;
use crate::support::der::{PUBLIC_KEY, reissue, rsa_public_key};
use crate::support::forge::{
    Authority, Forge, NOW, agent_001, authority_params, name, tenant_authority_params,
};
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    [certificates(), names(), places()].into_iter().flatten().collect()
}

/// A good leaf, judged by somebody who is configured with this authority.
fn configured(f: &Forge, authority: &Authority) -> Attempt {
    let leaf = f.leaf(agent_001("acme"), authority);
    Attempt::as_acme(f, leaf).trusting(&[authority])
}

fn differing(f: &Forge, change: impl FnOnce(&mut CertificateParams)) -> Attempt {
    configured(f, &f.tenant_authority("acme", change))
}

fn certificates() -> Vec<Case> {
    vec![
        case("authority without path length", "authority-path-length", |f| {
            differing(f, |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
        }),
        case("authority with pathlen:1", "authority-path-length", |f| {
            differing(f, |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)))
        }),
        case("authority with CA:FALSE", "authority-not-a-ca", |f| {
            differing(f, |p| p.is_ca = IsCa::ExplicitNoCa)
        }),
        case("authority without basic constraints", "authority-not-a-ca", |f| {
            differing(f, |p| p.is_ca = IsCa::NoCa)
        }),
        case("authority without keyCertSign", "authority-key-usage", |f| {
            differing(f, |p| p.key_usages = vec![KeyUsagePurpose::CrlSign])
        }),
        case("authority without key usage", "authority-key-usage", |f| {
            differing(f, |p| p.key_usages.clear())
        }),
        case("authority for servers only", "authority-purpose", |f| {
            let usage = vec![ExtendedKeyUsagePurpose::ServerAuth];
            differing(f, |p| p.extended_key_usages = usage)
        }),
        case("authority that constrains directory names", "authority-name-constraint", |f| {
            let directory = GeneralSubtree::DirectoryName(DistinguishedName::new());
            differing(f, |p| {
                p.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![directory],
                    excluded_subtrees: Vec::new(),
                });
            })
        }),
        case("authority that constrains URIs", "authority-name-constraint", |f| {
            // rcgen has no URI constraint: NameConstraints { [0] { SEQUENCE { [6] "local" } } }.
            let content = [&[0x30, 0x0b, 0xa0, 0x09, 0x30, 0x07, 0x86, 0x05][..], b"local"].concat();
            let mut constraint = CustomExtension::from_oid_content(&[2, 5, 29, 30], content);
            constraint.set_criticality(true);
            differing(f, |p| {
                p.name_constraints = None;
                p.custom_extensions.push(constraint);
            })
        }),
        case("authority with an unknown critical extension", "authority-malformed", |f| {
            let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555], vec![5, 0]);
            extension.set_criticality(true);
            differing(f, |p| p.custom_extensions.push(extension))
        }),
        case("authority with RSA-1024", "authority-public-key", |f| {
            let mut attempt = configured(f, &f.acme);
            let weak = reissue(&f.acme.der, &f.root.key, |parts| {
                parts.tbs[PUBLIC_KEY] = rsa_public_key(1024);
            });
            attempt.authorities = vec![weak];
            attempt
        }),
        case("authority that ends before it begins", "authority-dates", |f| {
            differing(f, |p| p.not_before = p.not_after + Duration::days(1))
        }),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case("authority named like nobody's", "authority-name", |f| {
            differing(f, |p| p.distinguished_name = name("acme.ca.serviceradar"))
        }),
        case("authority of a reserved slug", "authority-name", |f| {
            let mut params = authority_params("tenant-platform.ca.serviceradar");
            params.not_before = NOW - Duration::days(1);
            configured(f, &f.authority_below(&f.root, params))
        }),
        case("authority with two common names", "authority-name", |f| {
            differing(f, |p| {
                let second = DnType::CustomDnType(vec![2, 5, 4, 3]);
                p.distinguished_name.push(second, "tenant-globex.ca.serviceradar");
            })
        }),
        case("authority with its name as BMPString", "authority-name", |f| {
            let name = DnValue::BmpString("tenant-acme.ca.serviceradar".try_into().unwrap());
            differing(f, |p| p.distinguished_name.push(DnType::CommonName, name))
        }),
        case("two authorities under one subject", "authority-repeated", |f| {
            // A renewed authority needs a name of its own besides a key of its own.
            let renewed = f.tenant_authority("acme", |_| {});
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[&f.acme, &renewed])
        }),
        case("the authority of another tenant than the accepted one", "no-authority-for-peer", |f| {
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[&f.globex])
        }),
        case("no authority at all", "bundle-empty", |f| {
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[])
        }),
        case("nobody is accepted", "nobody-accepted", |f| {
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            attempt.accepted.clear();
            attempt
        }),
    ]
}

fn places() -> Vec<Case> {
    vec![
        case("authority below a tenant's, configured as an authority", "authority-not-signed-by-root", |f| {
            configured(f, &f.authority_below(&f.globex, tenant_authority_params("acme")))
        }),
        case("cross-signed authority, configured as an authority", "authority-not-signed-by-root", |f| {
            let crossed = reissue(&f.acme.der, &f.globex.key, |_| {});
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            attempt.authorities = vec![crossed];
            attempt
        }),
        case("self-signed authority, configured as an authority", "authority-not-signed-by-root", |f| {
            configured(f, &f.self_signed_authority(tenant_authority_params("acme")))
        }),
        case("authority of a foreign root with the same name", "authority-not-signed-by-root", |f| {
            configured(f, &Forge::new().acme)
        }),
        case("leaf configured as an authority", "authority-name", |f| {
            let leaf = f.acme_leaf(|_| {});
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            attempt.authorities = vec![leaf.der];
            attempt
        }),
        case("root configured as an authority", "authority-wrong-place", |f| {
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[&f.root])
        }),
        case("tenant's authority configured as the root", "authority-wrong-place", |f| rooted(f, &f.acme)),
        case("self-signed tenant's authority configured as the root", "authority-wrong-place", |f| {
            let own = f.self_signed_authority(tenant_authority_params("acme"));
            rooted(f, &own).trusting(&[&own])
        }),
        case("root that is signed by another", "authority-not-self-signed", |f| {
            let other = f.authority_below(&f.root, authority_params("other.ca.serviceradar"));
            rooted(f, &other)
        }),
        case("root that is not an authority", "authority-not-a-ca", |f| {
            let mut params = authority_params("root.ca.serviceradar");
            params.is_ca = IsCa::ExplicitNoCa;
            rooted(f, &f.self_signed_authority(params))
        }),
        case("root that names itself issuer under another's key", "authority-not-self-signed", |f| {
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            attempt.root = reissue(&f.root.der, &f.globex.key, |_| {});
            attempt
        }),
    ]
}

/// A good leaf, judged by somebody who is configured with this root.
fn rooted(f: &Forge, root: &Authority) -> Attempt {
    let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
    attempt.root = root.der.clone();
    attempt
}
