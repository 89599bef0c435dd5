//! Whom the poller believes: the platform's CA for the platform's services, each tenant's CA for that tenant.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bulkhead_identity::{AuthorityName, IssuingAuthority, TenantSlug, TrustBundle};
use bulkhead_kit::config::ConfigError;
use bulkhead_kit::trust;

use crate::config::PollerConfig;

/// The trust bundles, by what they are used for.
#[derive(Debug)]
pub struct Anchors {
    /// For NATS: the platform's CA alone.
    pub platform: Arc<TrustBundle>,
    /// For those who call the poller: the platform's CA and every tenant's.
    pub everybody: Arc<TrustBundle>,
    /// For the agents that are dialled: the tenant's CA alone.
    pub tenants: BTreeMap<TenantSlug, Arc<TrustBundle>>,
}

impl Anchors {
    /// Reads every CA and revocation list that the configuration names.
    ///
    /// # Errors
    /// A file cannot be read, is no CA of the platform's profile, or is another CA than its place says; a list is not of
    /// its place's CAs, or one is missing.
    pub fn load(config: &PollerConfig) -> Result<Self, ConfigError> {
        let root = &config.trust.root;
        let platform = read(&config.trust.platform, &AuthorityName::Platform)?;
        let lists = trust::revocation_lists(&config.trust.revocation_lists)?;
        let anchor = trust::root(root)?;
        let (mut everybody, mut all_lists) = (platform.clone(), lists.clone());
        let mut tenants = BTreeMap::new();
        for tenant in &config.tenants {
            let own = read(&tenant.authorities, &AuthorityName::Tenant(tenant.slug.clone()))?;
            everybody.extend(own.iter().cloned());
            let mut own_lists = trust::revocation_lists(&tenant.revocation_lists)?;
            all_lists.extend(own_lists.iter().cloned());
            own_lists.extend(lists.iter().filter(|list| list.is_of_root(&anchor)).cloned());
            tenants.insert(tenant.slug.clone(), trust::bundle(root, own, &own_lists)?);
        }
        Ok(Self {
            platform: trust::bundle(root, platform, &lists)?,
            everybody: trust::bundle(root, everybody, &all_lists)?,
            tenants,
        })
    }
}

fn read(paths: &[impl AsRef<Path>], expected: &AuthorityName) -> Result<Vec<IssuingAuthority>, ConfigError> {
    let one = |path: &Path| {
        let authority = trust::authority(path)?;
        authority.expect(expected).map_err(|error| ConfigError::Unusable {
            what: "CA certificate",
            path: path.to_owned(),
            problem: error.to_string(),
            advice: error.advice(),
        })
    };
    paths.iter().map(|path| one(path.as_ref())).collect()
}
