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
pub(super) const REVOKED_BY_ROOT: &str = "trust/root.crl.pem";
pub(super) const REVOKED_BY_PLATFORM: &str = "trust/platform.crl.pem";
pub(super) const REVOKED_BY_TENANT: &str = "trust/tenant.crl.pem";

/// Where the poller has a tenant's authority. The separator is one that no slug contains.
pub(super) fn trust_of_tenant(slug: &TenantSlug) -> String {
    format!("trust/tenants/{slug}.pem")
}

/// Where the poller has a tenant's revocation list. No slug has a dot in it.
pub(super) fn revoked_by_tenant(slug: &TenantSlug) -> String {
    format!("trust/tenants/{slug}.crl.pem")
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
    for Trusted { authority: name, certificate, revoked } in trusted_authorities(topology, service)? {
        if name != AuthorityName::Root {
            files.push(PlannedFile::public(path(&certificate), authority(pki, &name)?.pem.as_str()));
        }
        let list =
            pki.revocation_list(&name).ok_or_else(|| RenderError::NoCertificate(name.common_name()))?;
        files.push(PlannedFile::public(path(&revoked), list));
    }
    Ok(files)
}

/// An authority whose members a service may meet, and where it has its certificate and its revocation list.
struct Trusted {
    authority: AuthorityName,
    certificate: String,
    revoked: String,
}

impl Trusted {
    fn new(authority: AuthorityName, certificate: impl Into<String>, revoked: impl Into<String>) -> Self {
        Self { authority, certificate: certificate.into(), revoked: revoked.into() }
    }

    fn root() -> Self {
        Self::new(AuthorityName::Root, TRUST_ROOT, REVOKED_BY_ROOT)
    }

    fn platform() -> Self {
        Self::new(AuthorityName::Platform, TRUST_PLATFORM, REVOKED_BY_PLATFORM)
    }
}

/// The authorities whose members a service may meet, and the root, whose list answers for them.
fn trusted_authorities(topology: &Topology, service: &Service) -> Result<Vec<Trusted>, RenderError> {
    match (service.role, &service.tenant) {
        // NATS takes the root alone; what keeps a tenant's authority to its own names is the name constraint. And it has no
        // setting for revocation lists, so that it is given none: whom it is to know no longer is taken from its users.
        (Role::Nats, _) => Ok(Vec::new()),
        (Role::Agent, Some(slug)) => {
            let own = Trusted::new(AuthorityName::Tenant(slug.clone()), TRUST_TENANT, REVOKED_BY_TENANT);
            Ok(vec![Trusted::root(), Trusted::platform(), own])
        }
        (Role::Agent, None) => Err(RenderError::NotAnAgent(service.id.clone())),
        (Role::Poller, _) => {
            let tenant = |slug: &TenantSlug| {
                let name = AuthorityName::Tenant(slug.clone());
                Trusted::new(name, trust_of_tenant(slug), revoked_by_tenant(slug))
            };
            let tenants = topology.tenants().iter().map(|spec| tenant(&spec.slug));
            Ok([Trusted::root(), Trusted::platform()].into_iter().chain(tenants).collect())
        }
    }
}

fn authority<'a>(pki: &'a Pki, name: &AuthorityName) -> Result<&'a KeyedCertificate, RenderError> {
    pki.authority(name).ok_or_else(|| RenderError::NoCertificate(name.common_name()))
}
