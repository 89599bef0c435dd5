//! Positive controls: nothing is wrong, or only something that is allowed.

use rcgen::{CustomExtension, DnType, DnValue, KeyUsagePurpose};
use time::Duration;

use crate::support::attempt::{ACCEPTED, Attempt};
use crate::support::forge::{NOW, agent_001, dns, ip, service};
use crate::{Case, case, case_by_role};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("a tenant's good leaf", ACCEPTED, |f| Attempt::as_acme(f, f.acme_leaf(|_| {}))),
        case("a good leaf sent without any chain", ACCEPTED, |f| {
            Attempt::as_acme(f, f.acme_leaf(|_| {})).sending(&[])
        }),
        case("a good leaf where several tenants are trusted", ACCEPTED, |f| {
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[&f.globex, &f.acme2, &f.acme])
        }),
        case("a good leaf of an authority without constraints", ACCEPTED, |f| {
            let authority = f.unconstrained("acme");
            let leaf = f.leaf(agent_001("acme"), &authority);
            Attempt::as_acme(f, leaf).trusting(&[&authority])
        }),
        case("a good leaf of the older of two generations", ACCEPTED, |f| {
            let newer = generation_two(f);
            Attempt::as_acme(f, f.acme_leaf(|_| {})).trusting(&[&newer, &f.acme])
        }),
        case("a good leaf of the newer of two generations", ACCEPTED, |f| {
            let newer = generation_two(f);
            let leaf = f.leaf(agent_001("acme"), &newer);
            Attempt::as_acme(f, leaf).trusting(&[&f.acme, &newer])
        }),
        case("a platform service's good leaf", ACCEPTED, |f| {
            Attempt::as_platform(f, f.leaf(service("poller"), &f.platform))
        }),
        case("in its first second", ACCEPTED, |f| Attempt::as_acme(f, f.acme_leaf(|p| p.not_before = NOW))),
        case("in its last second", ACCEPTED, |f| {
            Attempt::as_acme(f, f.acme_leaf(|p| p.not_after = NOW)).at(NOW)
        }),
        case("common name as PrintableString", ACCEPTED, |f| {
            let name = "agent-001.p1.acme.serviceradar";
            let leaf = f.acme_leaf(|p| {
                let printable = DnValue::PrintableString(name.try_into().unwrap());
                p.distinguished_name.push(DnType::CommonName, printable);
            });
            Attempt::as_acme(f, leaf)
        }),
        case("keyEncipherment beside digitalSignature", ACCEPTED, |f| {
            let usage = KeyUsagePurpose::KeyEncipherment;
            Attempt::as_acme(f, f.acme_leaf(|p| p.key_usages.push(usage)))
        }),
        case("an unknown extension that is not critical", ACCEPTED, |f| {
            let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555], vec![5, 0]);
            Attempt::as_acme(f, f.acme_leaf(|p| p.custom_extensions.push(extension)))
        }),
        case_by_role(
            "NATS with localhost and loopback names, as a server only",
            ["profile: alternative-names", ACCEPTED],
            |f| {
                let mut nats = service("nats");
                nats.subject_alt_names.extend([dns("localhost"), ip("127.0.0.1"), ip("::1")]);
                Attempt::as_platform(f, f.leaf(nats, &f.platform))
            },
        ),
        case("an hour before the authority ends", ACCEPTED, |f| {
            let authority = f.tenant_authority("acme", |p| p.not_after = NOW + Duration::hours(1));
            let leaf = f.leaf(agent_001("acme"), &authority);
            Attempt::as_acme(f, leaf).trusting(&[&authority])
        }),
    ]
}

pub(crate) fn generation_two(f: &crate::support::forge::Forge) -> crate::support::forge::Authority {
    f.tenant_authority("acme", |params| {
        params.distinguished_name.push(DnType::OrganizationalUnitName, "G2");
    })
}
