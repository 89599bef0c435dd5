//! Subjects and alternative names that are not exactly those of one peer. The path of each is sound.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, SanType};

use crate::support::attempt::Attempt;
use crate::support::forge::{Forge, agent_001, dns, ip, leaf_params, name, service, uri};
use crate::{Case, case};

const OTHER_URI: &str = "spiffe://serviceradar.local/agent-001/globex/p1";

pub(crate) fn cases() -> Vec<Case> {
    [mixed(), common_names(), alternative_names(), local_names()].into_iter().flatten().collect()
}

/// A leaf of acme's authority that differs as told.
fn acme(f: &Forge, change: impl FnOnce(&mut CertificateParams)) -> Attempt {
    Attempt::as_acme(f, f.acme_leaf(change))
}

/// The same from an authority without name constraints, so that only the profile can refuse.
fn unconstrained(f: &Forge, change: impl FnOnce(&mut CertificateParams)) -> Attempt {
    let authority = f.unconstrained("acme");
    let mut params = agent_001("acme");
    change(&mut params);
    Attempt::as_acme(f, f.leaf(params, &authority)).trusting(&[&authority])
}

fn common_name(f: &Forge, text: &str) -> Attempt {
    acme(f, |p| p.distinguished_name = name(text))
}

fn mixed() -> Vec<Case> {
    vec![
        case("CN of acme, alternative names of globex", "profile: alternative-names", |f| {
            let names = agent_001("globex").subject_alt_names;
            unconstrained(f, |p| p.subject_alt_names = names)
        }),
        case("CN of acme, alternative names of globex, constrained", "name-constraint", |f| {
            let names = agent_001("globex").subject_alt_names;
            acme(f, |p| p.subject_alt_names = names)
        }),
        case("CN of globex, alternative names of acme", "profile: alternative-names", |f| {
            common_name(f, "agent-001.p1.globex.serviceradar")
        }),
        case("CN of another agent of the tenant", "profile: alternative-names", |f| {
            common_name(f, "agent-002.p1.acme.serviceradar")
        }),
        case("CN of a platform service, alternative names of acme", "profile: alternative-names", |f| {
            common_name(f, "nats.serviceradar")
        }),
        case("extra DNS name of another tenant", "profile: alternative-names", |f| {
            let extra = dns("agent-001.p1.globex.serviceradar");
            unconstrained(f, |p| p.subject_alt_names.push(extra))
        }),
        case("extra DNS name of another tenant, constrained", "name-constraint", |f| {
            let extra = dns("agent-001.p1.globex.serviceradar");
            acme(f, |p| p.subject_alt_names.push(extra))
        }),
        case("extra DNS name of another agent of the tenant", "profile: alternative-names", |f| {
            let extra = dns("agent-002.p1.acme.serviceradar");
            acme(f, |p| p.subject_alt_names.push(extra))
        }),
        case("extra SPIFFE ID of another tenant", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names.push(uri(OTHER_URI)))
        }),
        case("SPIFFE ID of another tenant instead", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names[1] = uri(OTHER_URI))
        }),
        case("SPIFFE ID with its parts exchanged", "profile: alternative-names", |f| {
            let exchanged = uri("spiffe://serviceradar.local/agent-001/p1/acme");
            acme(f, |p| p.subject_alt_names[1] = exchanged)
        }),
        case("SPIFFE ID of another trust domain", "profile: alternative-names", |f| {
            let foreign = uri("spiffe://serviceradar.example/agent-001/acme/p1");
            acme(f, |p| p.subject_alt_names[1] = foreign)
        }),
    ]
}

fn common_names() -> Vec<Case> {
    vec![
        case("two common names, the other tenant's last", "profile: common-name", |f| {
            // Go reads the last, x509-parser the first.
            let second = DnType::CustomDnType(vec![2, 5, 4, 3]);
            let other = "agent-001.p1.globex.serviceradar";
            acme(f, |p| p.distinguished_name.push(second, other))
        }),
        case("two common names, the other tenant's first", "profile: common-name", |f| {
            let mut both = DistinguishedName::new();
            let second = DnType::CustomDnType(vec![2, 5, 4, 3]);
            both.push(second, "agent-001.p1.globex.serviceradar");
            both.push(DnType::CommonName, "agent-001.p1.acme.serviceradar");
            acme(f, |p| p.distinguished_name = both)
        }),
        case("no common name", "profile: common-name", |f| {
            acme(f, |p| p.distinguished_name = DistinguishedName::new())
        }),
        case("an organization beside the common name", "profile: common-name", |f| {
            acme(f, |p| p.distinguished_name.push(DnType::OrganizationName, "globex"))
        }),
        case("CN with a trailing dot", "profile: common-name", |f| {
            common_name(f, "agent-001.p1.acme.serviceradar.")
        }),
        case("CN in upper case", "profile: common-name", |f| {
            common_name(f, "AGENT-001.P1.ACME.SERVICERADAR")
        }),
        case("CN with a homoglyph", "profile: common-name", |f| {
            common_name(f, "agent-001.p1.\u{430}cme.serviceradar")
        }),
        case("CN longer than 64 characters", "profile: common-name", |f| {
            let label = "a".repeat(52);
            common_name(f, &format!("{label}.p1.acme.serviceradar"))
        }),
        case("CN with a label longer than 16 characters", "profile: common-name", |f| {
            common_name(f, "agent-000000000001.p1.acme.serviceradar")
        }),
        case("CN with an empty label", "profile: common-name", |f| {
            common_name(f, "agent-001..acme.serviceradar")
        }),
        case("CN with five labels", "profile: common-name", |f| {
            common_name(f, "x.agent-001.p1.acme.serviceradar")
        }),
        case("CN with too few labels", "profile: common-name", |f| {
            common_name(f, "agent-001.acme.serviceradar")
        }),
        case("CN that is a wildcard", "profile: common-name", |f| common_name(f, "*.p1.acme.serviceradar")),
        case("CN with white space around it", "profile: common-name", |f| {
            common_name(f, " agent-001.p1.acme.serviceradar")
        }),
        case("CN of another domain that begins well", "profile: common-name", |f| {
            common_name(f, "agent-001.p1.acme.serviceradar.example")
        }),
        case("CN with a reserved slug", "profile: common-name", |f| {
            let leaf = leaf_params(
                "agent-001.p1.platform.serviceradar",
                "spiffe://serviceradar.local/agent-001/platform/p1",
            );
            unconstrained(f, |p| *p = leaf)
        }),
        case("CN of an authority", "profile: common-name", |f| common_name(f, "tenant-acme.ca.serviceradar")),
    ]
}

fn alternative_names() -> Vec<Case> {
    vec![
        case("CN only", "profile: alternative-names", |f| acme(f, |p| p.subject_alt_names.clear())),
        case("DNS name without SPIFFE ID", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names.truncate(1))
        }),
        case("SPIFFE ID without DNS name", "profile: alternative-names", |f| {
            acme(f, |p| {
                p.subject_alt_names.remove(0);
            })
        }),
        case("wildcard name", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names[0] = dns("*.p1.acme.serviceradar"))
        }),
        case("extra wildcard name", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names.push(dns("*.acme.serviceradar")))
        }),
        case("DNS name in upper case", "profile: alternative-names", |f| {
            let upper = dns("AGENT-001.p1.acme.serviceradar");
            acme(f, |p| p.subject_alt_names[0] = upper)
        }),
        case("DNS name with a trailing dot", "profile: alternative-names", |f| {
            let dotted = dns("agent-001.p1.acme.serviceradar.");
            unconstrained(f, |p| p.subject_alt_names[0] = dotted)
        }),
        case("DNS name with NUL", "profile: alternative-names", |f| {
            let cut = dns("agent-001.p1.acme.serviceradar\0.example");
            unconstrained(f, |p| p.subject_alt_names[0] = cut)
        }),
        case("DNS name that is the CN twice", "profile: alternative-names", |f| {
            let again = dns("agent-001.p1.acme.serviceradar");
            acme(f, |p| p.subject_alt_names.push(again))
        }),
        case("e-mail name", "profile: alternative-names", |f| {
            let mail = SanType::Rfc822Name("agent-001@acme.serviceradar".try_into().unwrap());
            acme(f, |p| p.subject_alt_names.push(mail))
        }),
        case("other name", "profile: alternative-names", |f| {
            let upn = SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "globex".into()));
            acme(f, |p| p.subject_alt_names.push(upn))
        }),
        case("second alternative name extension", "malformed", |f| {
            let name = b"\x30\x22\x82\x20agent-001.p1.globex.serviceradar";
            let second = CustomExtension::from_oid_content(&[2, 5, 29, 17], name.to_vec());
            acme(f, |p| p.custom_extensions.push(second))
        }),
    ]
}

fn local_names() -> Vec<Case> {
    vec![
        case("localhost", "profile: alternative-names", |f| {
            unconstrained(f, |p| p.subject_alt_names.push(dns("localhost")))
        }),
        case("localhost, constrained", "name-constraint", |f| {
            acme(f, |p| p.subject_alt_names.push(dns("localhost")))
        }),
        case("loopback address", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names.push(ip("127.0.0.1")))
        }),
        case("loopback address of IP version 6", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names.push(ip("::1")))
        }),
        case("address of another host", "profile: alternative-names", |f| {
            acme(f, |p| p.subject_alt_names.push(ip("10.0.0.7")))
        }),
        case("poller with localhost", "profile: alternative-names", |f| {
            let mut poller = service("poller");
            poller.subject_alt_names.push(dns("localhost"));
            Attempt::as_platform(f, f.leaf(poller, &f.platform))
        }),
        case("NATS with an address that is not loopback", "profile: alternative-names", |f| {
            let mut nats = service("nats");
            nats.subject_alt_names.push(ip("10.0.0.7"));
            Attempt::as_platform(f, f.leaf(nats, &f.platform))
        }),
        case("NATS with another host's name", "profile: alternative-names", |f| {
            let mut nats = service("nats");
            nats.subject_alt_names.push(dns("nats.example"));
            Attempt::as_platform(f, f.leaf(nats, &f.platform))
        }),
    ]
}
