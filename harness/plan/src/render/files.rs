//! What each service is given, and nothing else: its configuration, its certificate and key, the certificates that it
//! believes. No authority's key, no other service's key, and to a tenant nothing of another tenant's.

use bulkhead_identity::{AuthorityName, TenantSlug};

use super::{RenderError, agent, nats, poller};
use crate::file::PlannedFile;
use crate::pki::{KeyedCertificate, Pki};
use crate::placement::{Placement, ServicePlacement};
use crate::topology::{Role, Service, Topology};

pub(super) const TLS_CHAIN: &str = "tls/chain.pem";
pub(super) const TLS_KEY: &str = "tls/key.pem";
pub(super) const TRUST_ROOT: &str = "trust/root.pem";
pub(super) const TRUST_PLATFORM: &str = "trust/platform.pem";
pub(super) const TRUST_TENANT: &str = "trust/tenant.pem";

/// Where the poller has a tenant's authority. The separator is one that no slug contains.
pub(super) fn trust_of_tenant(slug: &TenantSlug) -> String {
    format!("trust/tenants/{slug}.pem")
}

/// The name of a service's configuration file, in the directory that it is given.
pub fn config_file_name(role: Role) -> &'static str {
    match role {
        Role::Nats => "nats.conf",
        Role::Poller => "poller.yaml",
        Role::Agent => "agent.yaml",
    }
}

/// The arguments that a service is started with.
pub fn command(role: Role, place: &ServicePlacement) -> Vec<String> {
    // All three spell it alike.
    vec!["--config".to_owned(), format!("{}/{}", place.files, config_file_name(role))]
}

/// Every file below `services/`.
///
/// # Errors
/// When the placement or the certificates are those of another topology.
pub fn service_files(
    topology: &Topology,
    pki: &Pki,
    placement: &Placement,
) -> Result<Vec<PlannedFile>, RenderError> {
    let mut files = Vec::new();
    // What is the same for all is rendered once: an environment may have a thousand agents.
    let root = authority(pki, &AuthorityName::Root)?;
    for service in topology.services() {
        files.extend(files_of(topology, pki, placement, service, root)?);
    }
    Ok(files)
}

fn files_of(
    topology: &Topology,
    pki: &Pki,
    placement: &Placement,
    service: &Service,
    root: &KeyedCertificate,
) -> Result<Vec<PlannedFile>, RenderError> {
    let config = match service.role {
        Role::Nats => nats(topology, placement)?,
        Role::Poller => poller(topology, placement)?,
        Role::Agent => agent(service, placement)?,
    };
    let no_certificate = || RenderError::NoCertificate(service.name.to_string());
    let leaf = pki.leaf(&service.name).ok_or_else(no_certificate)?;
    let chain = pki.chain_pem(&service.name).ok_or_else(no_certificate)?;
    let path = |name: &str| format!("services/{}/{name}", service.id);
    let mut files = vec![
        PlannedFile::public(path(config_file_name(service.role)), config),
        PlannedFile::public(path(TLS_CHAIN), chain),
        PlannedFile::secret(path(TLS_KEY), leaf.key_pem.0.clone()),
        PlannedFile::public(path(TRUST_ROOT), root.pem.as_str()),
    ];
    for (name, authority) in trusted_authorities(topology, pki, service)? {
        files.push(PlannedFile::public(path(&name), authority.pem.as_str()));
    }
    Ok(files)
}

/// The authorities whose members a service may meet, and where it has their certificates.
fn trusted_authorities<'a>(
    topology: &Topology,
    pki: &'a Pki,
    service: &Service,
) -> Result<Vec<(String, &'a KeyedCertificate)>, RenderError> {
    let platform = || Ok((TRUST_PLATFORM.to_owned(), authority(pki, &AuthorityName::Platform)?));
    match (service.role, &service.tenant) {
        // NATS takes the root alone; what keeps a tenant's authority to its own names is the name constraint.
        (Role::Nats, _) => Ok(Vec::new()),
        (Role::Agent, Some(slug)) => {
            let own = authority(pki, &AuthorityName::Tenant(slug.clone()))?;
            Ok(vec![platform()?, (TRUST_TENANT.to_owned(), own)])
        }
        (Role::Agent, None) => Err(RenderError::NotAnAgent(service.id.clone())),
        (Role::Poller, _) => {
            let tenant = |slug: &TenantSlug| {
                let certificate = authority(pki, &AuthorityName::Tenant(slug.clone()))?;
                Ok((trust_of_tenant(slug), certificate))
            };
            let tenants = topology.tenants().iter().map(|spec| tenant(&spec.slug));
            std::iter::once(platform()).chain(tenants).collect()
        }
    }
}

fn authority<'a>(pki: &'a Pki, name: &AuthorityName) -> Result<&'a KeyedCertificate, RenderError> {
    pki.authority(name).ok_or_else(|| RenderError::NoCertificate(name.common_name()))
}
