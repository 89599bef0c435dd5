//! SPIFFE IDs, as they stand in a leaf's URI SAN.

use std::fmt;
use std::str::FromStr;

use crate::name_error::{NameError, NameFault};
use crate::names::{PeerName, PlatformName, TenantName};
use crate::string_form::string_form;

const TRUST_DOMAIN: &str = "spiffe://serviceradar.local/";
const PLATFORM: &str = "platform";
const WHAT: &str = "SPIFFE ID";
const FORM: NameFault = NameFault::Form(
    "spiffe://serviceradar.local/<component>/<tenant slug>/<partition> or spiffe://serviceradar.local/platform/<service>",
);

/// A SPIFFE ID of this platform. It says exactly what the common name says, in another order:
/// `spiffe://serviceradar.local/<component>/<slug>/<partition>` or
/// `spiffe://serviceradar.local/platform/<service>`.
///
/// Read strictly, byte for byte: no percent escapes, no query, no other case of scheme or trust domain
/// (SPIFFE-ID section 2 allows none of these in a path segment either).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId(PeerName);

impl SpiffeId {
    /// The SPIFFE ID of a peer.
    pub fn of(peer: PeerName) -> Self {
        Self(peer)
    }

    /// Whom the ID names.
    pub fn peer(&self) -> &PeerName {
        &self.0
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(TRUST_DOMAIN)?;
        match &self.0 {
            PeerName::Platform(name) => write!(formatter, "{PLATFORM}/{}", name.service()),
            PeerName::Tenant(name) => {
                write!(formatter, "{}/{}/{}", name.component, name.tenant, name.partition)
            }
        }
    }
}

impl FromStr for SpiffeId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let whole = |error: NameError| NameError::new(WHAT, text, error.fault);
        let form = || NameError::new(WHAT, text, FORM);
        let path = text.strip_prefix(TRUST_DOMAIN).ok_or_else(form)?;
        let segments: Vec<&str> = path.split('/').collect();
        // The number of segments tells the kinds apart, so that a component may be called `platform`.
        match segments.as_slice() {
            [PLATFORM, service] => {
                let known = PlatformName::ALL.into_iter().find(|name| name.service() == *service);
                known.map(|name| Self(PeerName::Platform(name))).ok_or_else(form)
            }
            [component, tenant, partition] => Ok(Self(PeerName::Tenant(TenantName {
                component: component.parse().map_err(whole)?,
                partition: partition.parse().map_err(whole)?,
                tenant: tenant.parse().map_err(whole)?,
            }))),
            _ => Err(form()),
        }
    }
}

string_form!(SpiffeId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_written() {
        for text in [
            "spiffe://serviceradar.local/agent-001/acme/p1",
            "spiffe://serviceradar.local/platform/acme/p1",
            "spiffe://serviceradar.local/platform/nats",
        ] {
            assert_eq!(text.parse::<SpiffeId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "spiffe://serviceradar.local/",
            "spiffe://serviceradar.local/agent-001/acme",
            "spiffe://serviceradar.local/agent-001/acme/p1/",
            "spiffe://serviceradar.local//acme/p1",
            "spiffe://serviceradar.local/agent-001/acme/p1?x=y",
            "spiffe://serviceradar.local/agent%2d001/acme/p1",
            "SPIFFE://serviceradar.local/agent-001/acme/p1",
            "spiffe://other.local/agent-001/acme/p1",
            "spiffe://serviceradar.local/platform/other",
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad:?} was accepted");
        }
    }
}
