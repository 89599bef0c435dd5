//! Revocation lists of the root, the platform and each tenant, where the configuration has them.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use bulkhead_kit::config::NatsSettings;
use bulkhead_poller::anchors::Anchors;
use bulkhead_poller::config::PollerConfig;
use bulkhead_test_support::Forge;
use common::forge;

/// A configuration of several tenants, with the lists of these authorities.
fn config(lists: &[&str]) -> (Forge, PollerConfig) {
    let forge = forge();
    let nats = NatsSettings { address: "127.0.0.1:1".parse().unwrap(), retry_ms: 1000, buffer_messages: 1 };
    let mut config = common::config(&forge, nats, &[]);
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    for name in lists {
        let list = forge.revocation_list(&format!("{name}.ca.serviceradar").parse().unwrap(), &[], tomorrow);
        match name.strip_prefix("tenant-") {
            Some(slug) => {
                let mut tenants = config.tenants.iter_mut();
                tenants.find(|tenant| tenant.slug.as_str() == slug).unwrap().revocation_lists.push(list);
            }
            None => config.trust.revocation_lists.push(list),
        }
    }
    (forge, config)
}

#[test]
fn every_authority_has_a_list_or_none_has() {
    let (_forge, config) = config(&[]);
    let tenants: Vec<String> =
        config.tenants.iter().map(|tenant| format!("tenant-{}", tenant.slug)).collect();
    let all: Vec<&str> = ["root", "platform"].into_iter().chain(tenants.iter().map(String::as_str)).collect();
    for lists in [&[][..], &all] {
        let (_forge, config) = self::config(lists);
        Anchors::load(&config).unwrap();
    }
    for missing in &all {
        let some: Vec<&str> = all.iter().copied().filter(|name| name != missing).collect();
        let (_forge, config) = self::config(&some);
        let error = Anchors::load(&config).unwrap_err().to_string();
        assert!(error.contains("no list of") && error.contains(missing), "{missing}: {error}");
    }
}
