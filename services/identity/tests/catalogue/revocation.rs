//! Revocation lists: once any is configured, every certificate of the path needs a current answer.

use rcgen::KeyUsagePurpose;
use time::Duration;

use crate::support::attempt::{ACCEPTED, Attempt};
use crate::support::forge::{Forge, NOW, agent_001};
use crate::{Case, case};

/// A good leaf and its serial number, judged with lists that say nothing against it.
fn listed(f: &Forge) -> Attempt {
    Attempt::as_acme(f, f.acme_leaf(|_| {})).with_lists([f.root.revokes(&[])])
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("lists that revoke nobody", ACCEPTED, |f| listed(f).with_lists([f.acme.revokes(&[])])),
        case("lists that revoke another leaf", ACCEPTED, |f| {
            let other = f.acme_leaf(|_| {}).serial;
            listed(f).with_lists([f.acme.revokes(&[other])])
        }),
        case("revoked leaf", "revoked", |f| {
            let leaf = f.acme_leaf(|_| {});
            let list = f.acme.revokes(std::slice::from_ref(&leaf.serial));
            Attempt::as_acme(f, leaf).with_lists([f.root.revokes(&[]), list])
        }),
        case("tenant authority revoked by the root", "revoked", |f| {
            let list = f.root.revokes(&[f.acme.serial()]);
            Attempt::as_acme(f, f.acme_leaf(|_| {})).with_lists([list, f.acme.revokes(&[])])
        }),
        case("stale list", "revocation-unknown", |f| {
            let stale = f.acme.revokes_as_of(&[], NOW - Duration::days(3));
            listed(f).with_lists([stale])
        }),
        case("stale list of the root", "revocation-unknown", |f| {
            let stale = f.root.revokes_as_of(&[], NOW - Duration::days(3));
            Attempt::as_acme(f, f.acme_leaf(|_| {})).with_lists([stale, f.acme.revokes(&[])])
        }),
        case("list signed by another key under the authority's name", "revocation-unknown", |f| {
            listed(f).with_lists([Forge::new().acme.revokes(&[])])
        }),
        case("list missing for the tenant's authority", "revocation-unknown", listed),
        case("list missing for the root", "revocation-unknown", |f| {
            Attempt::as_acme(f, f.acme_leaf(|_| {})).with_lists([f.acme.revokes(&[])])
        }),
        case("list of another tenant only", "revocation-unknown", |f| {
            listed(f).with_lists([f.globex.revokes(&[])])
        }),
        case("authority that may not sign lists", "revocation-unknown", |f| {
            // rcgen signs lists for such an authority only before its usage is taken away.
            let mut authority = f.tenant_authority("acme", |p| {
                p.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            });
            authority.params.key_usages.push(KeyUsagePurpose::CrlSign);
            let leaf = f.leaf(agent_001("acme"), &authority);
            let lists = [f.root.revokes(&[]), authority.revokes(&[])];
            Attempt::as_acme(f, leaf).trusting(&[&authority]).with_lists(lists)
        }),
    ]
}
