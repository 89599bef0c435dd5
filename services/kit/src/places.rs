//! How much of something one peer may have at once: connections, calls.
//!
//! Tenants are counted apart, each with all of its components, whose number it chooses itself. So one tenant
//! uses up its own places and nobody else's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_identity::PeerName;
use bulkhead_identity::seeded::{self, SeededFault};

/// Places, so many for each tenant and for each platform service.
#[derive(Debug)]
pub(crate) struct Places {
    each: usize,
    taken: Mutex<BTreeMap<String, usize>>,
}

/// One place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    holder: String,
}

impl Places {
    pub(crate) fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each, taken: Mutex::default() })
    }

    /// A place for `peer`, unless its tenant has all that it may have.
    pub(crate) fn take(self: &Arc<Self>, peer: &PeerName) -> Option<Place> {
        // A slug has no dot, and a platform service's name has: they are never equal.
        let holder = match seeded::is_on(SeededFault::PlacesShared) {
            true => "everybody".to_owned(),
            false => peer.tenant().map_or_else(|| peer.common_name(), ToString::to_string),
        };
        let mut taken = self.taken();
        let count = taken.entry(holder.clone()).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), holder })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_s_components_share_its_places_and_nobody_else_does() {
        let places = Places::new(2);
        let take = |name: &str| places.take(&name.parse().unwrap());
        let first = take("agent-001.p1.acme.serviceradar").unwrap();
        let second = take("agent-002.p1.acme.serviceradar").unwrap();
        assert!(take("agent-003.p2.acme.serviceradar").is_none());
        let others =
            ["agent-001.p1.acme2.serviceradar", "poller.serviceradar", "admin.platform.serviceradar"]
                .map(take);
        assert!(others.iter().all(Option::is_some));
        drop(first);
        assert!(take("agent-001.p1.acme.serviceradar").is_some());
        drop(others);
        drop(second);
        assert!(places.taken().is_empty());
    }
}
