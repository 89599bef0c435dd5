//! One part of a name, and the types that are one such part.
//!
//! ```text
//! label = [a-z] ( [a-z0-9-]* [a-z0-9] )?     ASCII, lower case, no "--", at most 16 bytes
//! ```
//! Sixteen bytes a label keep the longest common name (three labels and `.serviceradar`) at 63, inside the
//! 64 of RFC 5280 (`ub-common-name`) that no X.509 library enforces. No label holds a dot or a slash, so
//! names that are joined with one of them can always be taken apart again.

use crate::name_error::{NameError, NameFault};
use crate::string_form::string_form;

/// The longest label, in bytes.
pub const LABEL_LENGTH_MAX: usize = 16;

/// Words that are no tenant's slug: each is a platform name, a NATS subject root or a host name, and a tenant
/// of that name would own a part of the platform's own name space.
pub const RESERVED_SLUGS: [&str; 23] = [
    "admin",
    "agent",
    "agents",
    "api",
    "ca",
    "core",
    "events",
    "inbox",
    "jobs",
    "js",
    "kv",
    "localhost",
    "logs",
    "nats",
    "platform",
    "poller",
    "pollers",
    "root",
    "serviceradar",
    "svc",
    "sys",
    "system",
    "tenant",
];

/// Checks one label against the grammar.
pub(crate) fn check_label(text: &str) -> Result<(), NameFault> {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else {
        return Err(NameFault::Empty);
    };
    if bytes.len() > LABEL_LENGTH_MAX {
        return Err(NameFault::TooLong { length: bytes.len(), limit: LABEL_LENGTH_MAX });
    }
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
    if let Some(character) = text.chars().find(|c| !allowed(c)) {
        return Err(NameFault::Character(character));
    }
    if !first.is_ascii_lowercase() {
        return Err(NameFault::Start);
    }
    if bytes.last() == Some(&b'-') {
        return Err(NameFault::End);
    }
    if text.contains("--") {
        return Err(NameFault::DoubleHyphen);
    }
    Ok(())
}

fn check_slug(text: &str) -> Result<(), NameFault> {
    check_label(text)?;
    if RESERVED_SLUGS.contains(&text) {
        return Err(NameFault::Reserved);
    }
    Ok(())
}

macro_rules! label_type {
    ($(#[$docs:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$docs])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text of the label.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text).map_err(|fault| NameError::new($what, text, fault))?;
                Ok(Self(text.to_owned()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        string_form!($name);
    };
}

label_type! {
    /// The name of a tenant, as it stands in certificates and at the front of its subjects: `acme`.
    /// A label that is not one of [`RESERVED_SLUGS`].
    TenantSlug, "tenant slug", check_slug
}
label_type! {
    /// A part of a tenant's network, such as a site: `p1`.
    Partition, "partition", check_label
}
label_type! {
    /// One running part of a tenant's platform: `agent-001`.
    Component, "component", check_label
}
label_type! {
    /// The name of a platform service, without its domain: `nats`.
    ServiceName, "service name", check_label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_accepts_what_it_says() {
        for good in ["a", "acme", "acme2", "a-b", "a1", "abcdefghijklmnop"] {
            assert_eq!(good.parse::<TenantSlug>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn each_fault_has_its_own_reason() {
        let fault = |text: &str| text.parse::<TenantSlug>().unwrap_err().fault;
        assert_eq!(fault(""), NameFault::Empty);
        assert_eq!(fault("1acme"), NameFault::Start);
        assert_eq!(fault("-acme"), NameFault::Start);
        assert_eq!(fault("acme-"), NameFault::End);
        assert_eq!(fault("ac--me"), NameFault::DoubleHyphen);
        assert_eq!(fault("Acme"), NameFault::Character('A'));
        assert_eq!(fault("ac.me"), NameFault::Character('.'));
        assert_eq!(fault("acm\u{435}"), NameFault::Character('\u{435}'));
        assert_eq!(fault("acme\0"), NameFault::Character('\0'));
        assert_eq!(fault("platform"), NameFault::Reserved);
        let long = NameFault::TooLong { length: 17, limit: 16 };
        assert_eq!(fault("abcdefghijklmnopq"), long);
    }

    #[test]
    fn reserved_words_bind_slugs_only() {
        assert!("poller".parse::<TenantSlug>().is_err());
        assert!("poller".parse::<Component>().is_ok());
        assert!("nats".parse::<ServiceName>().is_ok());
    }

    #[test]
    fn a_bad_slug_does_not_deserialize() {
        let error = serde_json::from_str::<TenantSlug>("\"Acme\"").unwrap_err();
        assert!(error.to_string().contains("not a tenant slug"), "{error}");
    }
}
