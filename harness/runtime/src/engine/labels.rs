//! Labels on everything that is created in the engine, and what follows from them for a sweep.

use std::collections::HashMap;
use std::path::Path;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::digest;
use crate::owner::{Liveness, Owner};

/// Label: the environment's name.
pub const ENVIRONMENT: &str = "io.bulkhead.environment";
/// Label: which checkout the environment belongs to (a hash of its state folder's path).
pub const CHECKOUT: &str = "io.bulkhead.checkout";
/// Label: one start of one environment.
pub const RUN: &str = "io.bulkhead.run";
/// Label: the process that must tear it down, as [`Owner`] prints it.
pub const OWNER: &str = "io.bulkhead.owner";
/// Label: how long it may stay, as [`Lease`] prints it.
pub const LEASE: &str = "io.bulkhead.lease";
/// Label: the service inside the environment.
pub const SERVICE: &str = "io.bulkhead.service";
/// Label: the tenant that the service belongs to; absent on platform services.
pub const TENANT: &str = "io.bulkhead.tenant";
/// Label on images: which service the image is for.
pub const IMAGE: &str = "io.bulkhead.image";
/// Label on images: the version of the program inside.
pub const IMAGE_VERSION: &str = "io.bulkhead.image-version";

/// For how long an owner that cannot be judged from here (another machine or pid namespace) is left alone.
const LEASE_TIME: Duration = Duration::hours(24);

/// How long an environment may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// Until its owner ends; or until this moment where the owner cannot be judged.
    Owned {
        /// From then on anybody may sweep it.
        until: OffsetDateTime,
    },
    /// Until somebody takes it down.
    Detached,
}

impl Lease {
    /// A lease that starts now and ends with its owner.
    pub fn owned(now: OffsetDateTime) -> Self {
        Self::Owned { until: now + LEASE_TIME }
    }

    fn label(self) -> String {
        match self {
            Self::Owned { until } => until.format(&Rfc3339).unwrap_or_default(),
            Self::Detached => "detached".to_owned(),
        }
    }

    fn from_label(text: &str) -> Option<Self> {
        match text {
            "detached" => Some(Self::Detached),
            moment => OffsetDateTime::parse(moment, &Rfc3339).ok().map(|until| Self::Owned { until }),
        }
    }
}

/// Whose an environment is: the part of the labels that all its containers and networks share.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// The environment's name.
    pub environment: String,
    /// See [`checkout_id`].
    pub checkout: String,
    /// One start of it.
    pub run: String,
    /// The process that must tear it down.
    pub owner: Owner,
    /// How long it may stay.
    pub lease: Lease,
}

impl Stamp {
    /// The labels for one thing; `service` and `tenant` where it belongs to one.
    pub fn labels(&self, service: Option<&str>, tenant: Option<&str>) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (ENVIRONMENT.to_owned(), self.environment.clone()),
            (CHECKOUT.to_owned(), self.checkout.clone()),
            (RUN.to_owned(), self.run.clone()),
            (OWNER.to_owned(), self.owner.to_string()),
            (LEASE.to_owned(), self.lease.label()),
        ]);
        labels.extend(service.map(|service| (SERVICE.to_owned(), service.to_owned())));
        labels.extend(tenant.map(|tenant| (TENANT.to_owned(), tenant.to_owned())));
        labels
    }
}

/// Tells checkouts apart on one engine: the same name may be used in two of them.
pub fn checkout_id(state_root: &Path) -> String {
    let path = std::path::absolute(state_root).unwrap_or_else(|_| state_root.to_owned());
    digest::of_bytes(path.as_os_str().as_encoded_bytes()).short().to_owned()
}

/// What a sweep takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Whatever belongs to nobody any more, of any checkout.
    Dead,
    /// One start of one environment.
    Run(String),
    /// All of one environment of one checkout.
    Environment {
        /// See [`checkout_id`].
        checkout: String,
        /// Its name.
        name: String,
    },
    /// Everything of one checkout, and whatever belongs to nobody.
    Checkout(String),
}

impl Scope {
    /// Whether the thing with these labels is to go. What is not ours, or says nothing readable, stays.
    pub fn covers(&self, labels: &HashMap<String, String>, now: OffsetDateTime) -> bool {
        let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
        match self {
            Self::Dead => is_dead(labels, now),
            Self::Run(run) => is(RUN, run),
            Self::Environment { checkout, name } => is(CHECKOUT, checkout) && is(ENVIRONMENT, name),
            Self::Checkout(checkout) => is(CHECKOUT, checkout) || is_dead(labels, now),
        }
    }
}

fn is_dead(labels: &HashMap<String, String>, now: OffsetDateTime) -> bool {
    let owner = labels.get(OWNER).and_then(|text| text.parse::<Owner>().ok());
    let lease = labels.get(LEASE).and_then(|text| Lease::from_label(text));
    match (owner, lease) {
        (Some(owner), Some(Lease::Owned { until })) => match owner.liveness() {
            Liveness::Alive => false,
            Liveness::Dead => true,
            Liveness::Unknown => until < now,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(owner: &str, lease: Lease) -> HashMap<String, String> {
        Stamp {
            environment: "one".to_owned(),
            checkout: "aaaa".to_owned(),
            run: "r1".to_owned(),
            owner: owner.parse().unwrap(),
            lease,
        }
        .labels(Some("nats"), None)
    }

    fn owners() -> [String; 3] {
        let alive = Owner::current().to_string();
        let (place, _) = alive.rsplit_once(':').unwrap();
        [alive.clone(), format!("{place}:1"), "elsewhere:1:1".to_owned()]
    }

    #[test]
    fn only_what_has_no_living_owner_is_dead() {
        let now = OffsetDateTime::now_utc();
        let [alive, dead, unknown] = owners();
        let fresh = Lease::owned(now);
        let old = Lease::owned(now - Duration::hours(48));
        let cases = [
            (&alive, fresh, false),
            (&alive, old, false),
            (&dead, fresh, true),
            (&unknown, fresh, false),
            (&unknown, old, true),
            (&dead, Lease::Detached, false),
        ];
        for (owner, lease, expected) in cases {
            assert_eq!(Scope::Dead.covers(&stamp(owner, lease), now), expected, "{owner} {lease:?}");
        }
    }

    #[test]
    fn a_name_in_another_checkout_is_another_environment() {
        let now = OffsetDateTime::now_utc();
        let labels = stamp(&owners()[0], Lease::Detached);
        let scope =
            |checkout: &str| Scope::Environment { checkout: checkout.to_owned(), name: "one".to_owned() };
        assert!(scope("aaaa").covers(&labels, now));
        assert!(!scope("bbbb").covers(&labels, now));
        assert!(Scope::Checkout("aaaa".to_owned()).covers(&labels, now));
        assert!(!Scope::Checkout("bbbb".to_owned()).covers(&labels, now));
    }

    #[test]
    fn what_others_made_is_never_covered() {
        let now = OffsetDateTime::now_utc();
        let foreign = HashMap::from([("com.docker.compose.project".to_owned(), "one".to_owned())]);
        for scope in [Scope::Dead, Scope::Run(String::new()), Scope::Checkout(String::new())] {
            assert!(!scope.covers(&foreign, now), "{scope:?}");
        }
        let unreadable =
            HashMap::from([(OWNER.to_owned(), "?".to_owned()), (LEASE.to_owned(), "?".to_owned())]);
        assert!(!Scope::Dead.covers(&unreadable, now));
    }
}
