//! Whatever is read as a name is written back to the byte, and nothing panics.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use bulkhead_identity::{
    AgentId, AuthorityName, Component, Partition, PeerName, PlatformName, SpiffeId, TenantName, TenantSlug,
};
use libfuzzer_sys::fuzz_target;

fn inverse<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

fuzz_target!(|text: &str| {
    inverse::<TenantSlug>(text);
    inverse::<Partition>(text);
    inverse::<Component>(text);
    inverse::<AgentId>(text);
    inverse::<TenantName>(text);
    inverse::<PlatformName>(text);
    inverse::<AuthorityName>(text);
    inverse::<SpiffeId>(text);
    inverse::<PeerName>(text);
    if let Ok(name) = text.parse::<PeerName>() {
        assert!(text.len() <= 64, "longer than a common name may be");
        assert_eq!(name.spiffe_id().to_string().parse::<SpiffeId>().ok(), Some(name.spiffe_id()));
    }
});
