//! The first and the last second of a certificate belong to it (RFC 5280, section 4.1.2.5): who is to blame is told apart by
//! that.

// All of this is a test, helpers included.
#![allow(clippy::unwrap_used)]

mod support;

use bulkhead_identity::Role;
use support::attempt::{ACCEPTED, Attempt};
use support::forge::{Forge, NOW, agent_001};
use time::Duration;

#[test]
fn a_certificate_is_valid_in_its_first_and_its_last_second_and_not_beside_them() {
    let forge = Forge::new();
    let leaf = || {
        forge.acme_leaf(|params| {
            (params.not_before, params.not_after) = (NOW, NOW + Duration::seconds(10));
        })
    };
    for (moment, expected) in [(-1, "not-yet-valid"), (0, ACCEPTED), (10, ACCEPTED), (11, "expired")] {
        let attempt = Attempt::as_acme(&forge, leaf()).at(NOW + Duration::seconds(moment));
        assert_eq!(attempt.judged(Role::Client), expected, "second {moment}");
    }
}

#[test]
fn an_authority_out_of_its_time_is_to_blame_as_long_as_the_leaf_is_valid() {
    let forge = Forge::new();
    let judged = |authority: (Duration, Duration), leaf: (Duration, Duration)| {
        let authority = forge.tenant_authority("acme", |params| {
            (params.not_before, params.not_after) = (NOW + authority.0, NOW + authority.1);
        });
        let mut params = agent_001("acme");
        (params.not_before, params.not_after) = (NOW + leaf.0, NOW + leaf.1);
        let leaf = forge.leaf(params, &authority);
        let attempt = Attempt::as_acme(&forge, leaf).trusting(&[&authority]).sending(&[&authority.der]);
        attempt.judged(Role::Client)
    };
    let (hour, now) = (Duration::hours(1), Duration::ZERO);
    assert_eq!(judged((-hour * 2, -hour), (-hour, now)), "expired: authority", "the leaf's last second");
    assert_eq!(judged((-hour * 2, -hour), (-hour * 2, -hour)), "expired", "both: the leaf's is nearer");
    assert_eq!(judged((hour, hour * 2), (now, hour)), "not-yet-valid: authority", "the leaf's first second");
    assert_eq!(judged((hour, hour * 2), (hour, hour * 2)), "not-yet-valid");
}
