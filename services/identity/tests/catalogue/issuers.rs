//! Certificates of the wrong issuer: other tenants, strangers, and everybody who would like to be an authority.

use bulkhead_identity::PeerPattern;
use rcgen::{BasicConstraints, DnType, IsCa, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use time::Duration;

use crate::sound::generation_two;
use crate::support::attempt::Attempt;
use crate::support::forge::{
    Authority, Forge, Leaf, NOW, agent_001, authority_params, leaf_params, service, tenant_authority_params,
};
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    [strangers(), entitlement(), would_be_authorities(), dates()].into_iter().flatten().collect()
}

fn strangers() -> Vec<Case> {
    vec![
        case("another tenant's leaf", "unknown-issuer", |f| {
            let leaf = f.leaf(agent_001("globex"), &f.globex);
            Attempt::as_acme(f, leaf).sending(&[&f.globex.der])
        }),
        case("another tenant's leaf where both are trusted", "unexpected-peer", |f| {
            let leaf = f.leaf(agent_001("globex"), &f.globex);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &f.globex])
        }),
        case("a leaf of a tenant whose slug begins with the expected one", "unexpected-peer", |f| {
            let leaf = f.leaf(agent_001("acme2"), &f.acme2);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &f.acme2])
        }),
        case("another agent of the tenant than the one that is expected", "unexpected-peer", |f| {
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            let expected = "agent-002.p1.acme.serviceradar".parse().unwrap();
            attempt.accepted = vec![PeerPattern::Exactly(expected)];
            attempt
        }),
        case("the same agent of another partition than the expected one", "unexpected-peer", |f| {
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            let expected = "agent-001.p2.acme.serviceradar".parse().unwrap();
            attempt.accepted = vec![PeerPattern::Exactly(expected)];
            attempt
        }),
        case("a platform service where only tenants are expected", "unexpected-peer", |f| {
            let leaf = f.leaf(service("poller"), &f.platform);
            let mut attempt = Attempt::as_platform(f, leaf).trusting(&[&f.platform, &f.acme]);
            attempt.accepted = vec![PeerPattern::AnyMember];
            attempt
        }),
        case("a platform service where its authority is not configured", "unknown-issuer", |f| {
            Attempt::as_acme(f, f.leaf(service("poller"), &f.platform)).sending(&[&f.platform.der])
        }),
        case("a tenant's leaf where platform services are expected", "unknown-issuer", |f| {
            Attempt::as_platform(f, f.acme_leaf(|_| {})).sending(&[&f.acme.der])
        }),
        case("foreign authority with the same name", "bad-signature", |f| {
            let foreign = Forge::new();
            let leaf = foreign.acme_leaf(|_| {});
            Attempt::as_acme(f, leaf).sending(&[&foreign.acme.der])
        }),
        case("foreign authority with the same name, which signed itself", "bad-signature", |f| {
            let foreign = f.self_signed_authority(tenant_authority_params("acme"));
            let leaf = f.leaf(agent_001("acme"), &foreign);
            Attempt::as_acme(f, leaf).sending(&[&foreign.der])
        }),
        case("foreign hierarchy with other names", "unknown-issuer", |f| {
            let foreign = f.self_signed_authority(authority_params("ca.example"));
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &foreign)).sending(&[&foreign.der])
        }),
        case("self-signed", "unknown-issuer", |f| {
            let own = as_authority(agent_001("acme"));
            let own = f.self_signed_authority(own);
            let leaf = f.leaf(agent_001("acme"), &own);
            Attempt::as_acme(f, leaf).sending(&[])
        }),
        case("self-signed under the name of the tenant's authority", "bad-signature", |f| {
            let own = f.self_signed_authority(authority_named_like(&f.acme));
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &own)).sending(&[])
        }),
        case("leaf of a generation that is not configured", "unknown-issuer", |f| {
            let newer = generation_two(f);
            let leaf = f.leaf(agent_001("acme"), &newer);
            Attempt::as_acme(f, leaf).sending(&[&newer.der])
        }),
        case("leaf of a generation that is no longer configured", "unknown-issuer", |f| {
            let newer = generation_two(f);
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[&newer])
        }),
    ]
}

fn entitlement() -> Vec<Case> {
    vec![
        case("root signs a tenant's name", "unknown-issuer", |f| {
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &f.root)).sending(&[&f.root.der])
        }),
        case("root signs a platform service's name", "unknown-issuer", |f| {
            Attempt::as_platform(f, f.leaf(service("nats"), &f.root)).sending(&[])
        }),
        case("platform authority signs a tenant's name", "wrong-authority", |f| {
            let leaf = f.leaf(agent_001("acme"), &f.platform);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &f.platform])
        }),
        case("tenant's authority signs a platform service's name", "wrong-authority", |f| {
            let acme = f.unconstrained("acme");
            let leaf = f.leaf(service("nats"), &acme);
            Attempt::as_platform(f, leaf).trusting(&[&f.platform, &acme])
        }),
        case("tenant's authority signs the administrator's name", "wrong-authority", |f| {
            let acme = f.unconstrained("acme");
            let name = "admin.platform.serviceradar";
            let admin = leaf_params(name, "spiffe://serviceradar.local/platform/admin");
            let leaf = f.leaf(admin, &acme);
            Attempt::as_platform(f, leaf).trusting(&[&f.platform, &acme])
        }),
        case("tenant's constrained authority signs a platform service's name", "name-constraint", |f| {
            let leaf = f.leaf(service("nats"), &f.acme);
            Attempt::as_platform(f, leaf).trusting(&[&f.platform, &f.acme])
        }),
        case("globex's unconstrained authority signs acme's name", "wrong-authority", |f| {
            let globex = f.unconstrained("globex");
            let leaf = f.leaf(agent_001("acme"), &globex);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &globex])
        }),
        case("globex's constrained authority signs acme's name", "name-constraint", |f| {
            let leaf = f.leaf(agent_001("acme"), &f.globex);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &f.globex])
        }),
        case("authority of acme2 signs acme's name", "name-constraint", |f| {
            let leaf = f.leaf(agent_001("acme"), &f.acme2);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &f.acme2])
        }),
        case("acme's authority signs the name of acme2", "name-constraint", |f| {
            Attempt::as_acme(f, f.leaf(agent_001("acme2"), &f.acme))
        }),
        case("acme's authority signs the name of evilacme", "name-constraint", |f| {
            Attempt::as_acme(f, f.leaf(agent_001("evilacme"), &f.acme))
        }),
    ]
}

fn would_be_authorities() -> Vec<Case> {
    vec![
        case("leaf used as an authority", "unknown-issuer", |f| {
            let agent = f.authority_below(&f.acme, not_authority(agent_001("acme")));
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &agent)).sending(&[&agent.der, &f.acme.der])
        }),
        case("leaf used as an authority under the tenant authority's name", "bad-signature", |f| {
            let agent = f.authority_below(&f.acme, not_authority(authority_named_like(&f.acme)));
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &agent)).sending(&[&agent.der, &f.acme.der])
        }),
        case("authority below a tenant's, under pathlen:0", "unknown-issuer", |f| {
            let below = f.authority_below(&f.acme, authority_params("sub.acme.serviceradar"));
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &below)).sending(&[&below.der, &f.acme.der])
        }),
        case("authority below a tenant's, under its very name", "bad-signature", |f| {
            let below = f.authority_below(&f.acme, authority_named_like(&f.acme));
            Attempt::as_acme(f, f.leaf(agent_001("acme"), &below)).sending(&[&below.der, &f.acme.der])
        }),
        case("cross-signed tenant authority, sent by the peer", "unknown-issuer", |f| {
            // globex's authority vouches for acme's name and a key of its own choice.
            let crossed = f.authority_below(&f.globex, authority_named_like(&f.acme));
            let leaf = f.leaf(agent_001("acme"), &crossed);
            Attempt::as_acme(f, leaf)
                .trusting(&[&f.globex])
                .expecting_anybody()
                .sending(&[&crossed.der, &f.globex.der])
        }),
        case("the tenant authority's own certificate as a leaf", "unknown-issuer", |f| {
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            attempt.leaf = f.acme.der.clone();
            attempt
        }),
        case("the root's own certificate as a leaf", "unknown-issuer", |f| {
            let mut attempt = Attempt::as_acme(f, f.acme_leaf(|_| {}));
            attempt.leaf = f.root.der.clone();
            attempt
        }),
        case("CA:TRUE in a leaf", "authority-as-leaf", |f| {
            let leaf = f.acme_leaf(|p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
            Attempt::as_acme(f, leaf)
        }),
        case("flipped bit in the signature", "bad-signature", |f| {
            flipped(f, f.acme_leaf(|_| {}), |der| der.len() - 1)
        }),
        case("flipped bit in the certified key", "bad-signature", |f| {
            let leaf = f.acme_leaf(|_| {});
            let key = leaf.key.public_key_raw().to_vec();
            flipped(f, leaf, |der| {
                let place = der.windows(key.len()).position(|window| window == key);
                place.unwrap() + key.len() - 1
            })
        }),
    ]
}

fn dates() -> Vec<Case> {
    vec![
        case("expired by one second", "expired", |f| {
            Attempt::as_acme(f, f.acme_leaf(|p| p.not_after = NOW - Duration::seconds(1)))
        }),
        case("valid in one second", "not-yet-valid", |f| {
            Attempt::as_acme(f, f.acme_leaf(|p| p.not_before = NOW + Duration::seconds(1)))
        }),
        case("ends before it begins", "expired", |f| {
            let leaf = f.acme_leaf(|p| {
                p.not_before = NOW + Duration::hours(1);
                p.not_after = NOW - Duration::hours(1);
            });
            Attempt::as_acme(f, leaf)
        }),
        case("tenant authority expired by one second", "expired: authority", |f| {
            let end = NOW - Duration::seconds(1);
            let authority = f.tenant_authority("acme", |p| p.not_after = end);
            let leaf = f.leaf(agent_001("acme"), &authority);
            Attempt::as_acme(f, leaf).trusting(&[&authority])
        }),
        case("tenant authority valid in one second", "not-yet-valid: authority", |f| {
            let begin = NOW + Duration::seconds(1);
            let authority = f.tenant_authority("acme", |p| p.not_before = begin);
            let leaf = f.leaf(agent_001("acme"), &authority);
            Attempt::as_acme(f, leaf).trusting(&[&authority])
        }),
        case("platform authority expired", "expired: authority", |f| {
            let mut params = authority_params("platform.ca.serviceradar");
            params.not_after = NOW - Duration::seconds(1);
            let authority = f.authority_below(&f.root, params);
            let leaf = f.leaf(service("nats"), &authority);
            Attempt::as_platform(f, leaf).trusting(&[&authority])
        }),
    ]
}

fn flipped(f: &Forge, leaf: Leaf, place: impl Fn(&[u8]) -> usize) -> Attempt {
    let mut attempt = Attempt::as_acme(f, leaf);
    let mut der = attempt.leaf.to_vec();
    let place = place(&der);
    der[place] ^= 1;
    attempt.leaf = CertificateDer::from(der);
    attempt
}

fn as_authority(mut params: rcgen::CertificateParams) -> rcgen::CertificateParams {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn not_authority(mut params: rcgen::CertificateParams) -> rcgen::CertificateParams {
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

/// Parameters of an authority whose subject is, byte for byte, the given one's.
fn authority_named_like(authority: &Authority) -> rcgen::CertificateParams {
    let mut params = authority.params.clone();
    params.serial_number = None;
    let has_unit = params.distinguished_name.get(&DnType::OrganizationalUnitName).is_some();
    assert!(has_unit, "the whole subject is copied, generation included");
    params
}
