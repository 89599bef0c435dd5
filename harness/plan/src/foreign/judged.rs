//! A platform as a run needs it, whoever started it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};

use super::conventions::Conventions;
use super::error::DescriptionError;
use super::expectations::Expectations;
use super::written::{
    Identity, PlatformDescription, Records, SCHEMA_VERSION, WrittenAgent, WrittenService, WrittenTenant,
};
use crate::access::{Model, Scope};
use crate::environment::{BackendKind, Credential, EnvironmentRecord};
use crate::pki::CertificatePaths;
use crate::spec::EnvironmentName;
use crate::topology::ServiceId;
use crate::yaml;

/// A platform that is to be judged.
#[derive(Clone, Debug)]
pub struct JudgedPlatform {
    /// Its name, for reports and for what is started beside it.
    pub name: EnvironmentName,
    /// The folder of its state, which what is started beside it is labelled with.
    pub state_dir: PathBuf,
    /// What is expected of it.
    pub model: Model,
    /// How it calls things.
    pub conventions: Conventions,
    /// What its owner expects instead.
    pub expectations: Expectations,
    /// Its services.
    pub services: BTreeMap<PeerName, JudgedService>,
    /// The credentials that are at hand.
    pub credentials: BTreeMap<PeerName, Credential>,
    /// Its authorities.
    pub authorities: BTreeMap<AuthorityName, AuthorityFiles>,
    /// All that is known of it when this project started it: its files and its processes too.
    pub own: Option<EnvironmentRecord>,
}

/// A service of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedService {
    /// What its records are called in reports.
    pub page: String,
    /// Where it is for a program on this machine.
    pub address: String,
    /// Where its records are.
    pub records: Records,
}

/// An authority's certificate, and its key when it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFiles {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: Option<PathBuf>,
    /// PEM, where there is one to tell whom it has revoked.
    pub revocation_list: Option<PathBuf>,
}

const NATS: PeerName = PeerName::Platform(PlatformName::Nats);
const POLLER: PeerName = PeerName::Platform(PlatformName::Poller);
const ADMIN: PeerName = PeerName::Platform(PlatformName::Admin);

impl From<EnvironmentRecord> for JudgedPlatform {
    /// One of this project's own: everything about it can be known.
    fn from(record: EnvironmentRecord) -> Self {
        let platform = &record.platform;
        let mut credentials = BTreeMap::new();
        for credential in [&platform.nats_credential, &platform.poller_credential, &platform.admin] {
            credentials.insert(credential.name.clone(), credential.clone());
        }
        let mut addresses = BTreeMap::from([
            (ServiceId::Nats, (NATS, platform.nats.address.clone())),
            (ServiceId::Poller, (POLLER, platform.poller.address.clone())),
        ]);
        for tenant in &record.tenants {
            for agent in &tenant.agents {
                let id = ServiceId::Agent { tenant: tenant.slug.clone(), agent: agent.id.clone() };
                addresses.insert(id, (agent.name.clone(), agent.address.clone()));
                credentials.insert(agent.name.clone(), agent.credential.clone());
            }
        }
        let services = record.services.iter().filter_map(|service| {
            let (name, address) = addresses.remove(&service.id)?;
            let records = match record.backend {
                BackendKind::Process => Records::File(PathBuf::from(&service.logs)),
                BackendKind::Docker | BackendKind::Compose => Records::Container(service.handle.clone()),
            };
            Some((name, JudgedService { page: service.id.to_string(), address, records }))
        });
        Self {
            services: services.collect(),
            name: record.name.clone(),
            state_dir: record.state_dir.clone(),
            model: Model::of_record(&record),
            conventions: Conventions::default(),
            expectations: Expectations::default(),
            credentials,
            authorities: authorities_of(&record),
            own: Some(record),
        }
    }
}

/// The authorities of an environment of this project's, whose keys lie beside their certificates.
pub(super) fn authorities_of(record: &EnvironmentRecord) -> BTreeMap<AuthorityName, AuthorityFiles> {
    let files = |name: &AuthorityName, certificate: &Path| AuthorityFiles {
        certificate: certificate.to_owned(),
        key: Some(record.state_dir.join(CertificatePaths::of_authority(name).key)),
        revocation_list: Some(record.revocation_list(name)),
    };
    let tenants = record
        .tenants
        .iter()
        .map(|tenant| (AuthorityName::Tenant(tenant.slug.clone()), tenant.authority.as_path()));
    let platform = [
        (AuthorityName::Root, record.root.as_path()),
        (AuthorityName::Platform, record.platform_authority.as_path()),
    ];
    platform.into_iter().chain(tenants).map(|(name, path)| (name.clone(), files(&name, path))).collect()
}

impl PlatformDescription {
    /// Reads a description, in YAML or JSON.
    ///
    /// # Errors
    /// It is none; the error names the line.
    pub fn read(text: &str) -> Result<Self, DescriptionError> {
        Ok(yaml::read_named(text, "platform")?)
    }

    /// What a run needs. Relative paths are below `folder`, the file's own; what is started beside the platform is labelled
    /// with `state_dir`.
    ///
    /// # Errors
    /// It contradicts itself, or says too little to be meant.
    pub fn judged(self, folder: &Path, state_dir: &Path) -> Result<JudgedPlatform, DescriptionError> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(DescriptionError::Version(self.schema_version));
        }
        if let Some((field, place)) = self.conventions.incomplete() {
            return Err(DescriptionError::Template { field, place });
        }
        refuse_twins(&self.tenants)?;
        let expectations = Expectations::of(self.expectations)?;
        let mut parts = Parts::new(folder);
        let platform = self.platform;
        for (role, service) in
            [(NATS, platform.nats), (POLLER, platform.poller), (ADMIN, platform.administrator)]
        {
            if let Some(service) = service {
                parts.service(&role, service);
            }
        }
        parts.authority(AuthorityName::Root, &self.trust.root, self.trust.root_key.as_ref());
        let trust = &self.trust;
        let own = trust.platform_authority.as_ref().map(|path| (path, trust.platform_authority_key.as_ref()));
        let (path, key) = own.unwrap_or((&trust.root, trust.root_key.as_ref()));
        parts.authority(AuthorityName::Platform, path, key);
        let mut members = BTreeMap::new();
        for tenant in self.tenants {
            let own = tenant.authority.as_ref().map(|path| (path, tenant.authority_key.as_ref()));
            let (path, key) = own.unwrap_or((&trust.root, trust.root_key.as_ref()));
            parts.authority(AuthorityName::Tenant(tenant.slug.clone()), path, key);
            let agents = tenant.agents.iter().map(|agent| agent.id.clone()).collect();
            members.insert(tenant.slug.clone(), agents);
            parts.tenant(tenant);
        }
        let Parts { services, credentials, authorities, tenants, names, .. } = parts;
        let conventions = Conventions::new(self.conventions, tenants, names);
        refuse_same_names(&conventions, credentials.keys().chain(services.keys()))?;
        let scope = Scope {
            conventions: conventions.clone(),
            services: services.keys().cloned().collect(),
            recorded: services
                .iter()
                .filter(|(_, service)| service.records != Records::None)
                .map(|(name, _)| name.clone())
                .collect(),
            credentials: credentials.keys().cloned().collect(),
            keys: authorities
                .iter()
                .filter(|(_, files)| files.key.is_some())
                .map(|(name, _)| name.clone())
                .collect(),
            shared_authority: shared_authority(&authorities),
            harmful_attempts: self.harmful_attempts,
        };
        Ok(JudgedPlatform {
            name: self.name,
            state_dir: state_dir.to_owned(),
            model: Model::of_scope(members, scope),
            conventions,
            expectations,
            services,
            credentials,
            authorities,
            own: None,
        })
    }
}

fn refuse_twins(tenants: &[WrittenTenant]) -> Result<(), DescriptionError> {
    let mut slugs = BTreeSet::new();
    for tenant in tenants {
        if !slugs.insert(&tenant.slug) {
            return Err(DescriptionError::DuplicateTenant(tenant.slug.clone()));
        }
        let mut agents = BTreeSet::new();
        if let Some(agent) = tenant.agents.iter().find(|agent| !agents.insert(&agent.id)) {
            return Err(DescriptionError::DuplicateAgent {
                tenant: tenant.slug.clone(),
                agent: agent.id.clone(),
            });
        }
    }
    Ok(())
}

fn refuse_same_names<'a>(
    conventions: &Conventions,
    roles: impl Iterator<Item = &'a PeerName>,
) -> Result<(), DescriptionError> {
    let mut known: BTreeMap<String, &PeerName> = BTreeMap::new();
    for role in roles {
        let name = conventions.certificate_name(role);
        if let Some(other) = known.insert(name.clone(), role)
            && other != role
        {
            return Err(DescriptionError::SameName { one: other.to_string(), other: role.to_string(), name });
        }
    }
    Ok(())
}

/// Whether two tenants' identities come from one authority: then only names tell them apart.
fn shared_authority(authorities: &BTreeMap<AuthorityName, AuthorityFiles>) -> bool {
    let tenants = authorities.iter().filter(|(name, _)| matches!(name, AuthorityName::Tenant(_)));
    let mut known = BTreeSet::new();
    let mut shared = false;
    for (_, files) in tenants {
        shared |= !known.insert(&files.certificate);
    }
    shared
}

/// What a description is taken apart into.
struct Parts<'a> {
    folder: &'a Path,
    services: BTreeMap<PeerName, JudgedService>,
    credentials: BTreeMap<PeerName, Credential>,
    authorities: BTreeMap<AuthorityName, AuthorityFiles>,
    tenants: BTreeMap<bulkhead_identity::TenantSlug, String>,
    names: BTreeMap<PeerName, String>,
}

impl<'a> Parts<'a> {
    fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            services: BTreeMap::new(),
            credentials: BTreeMap::new(),
            authorities: BTreeMap::new(),
            tenants: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }

    fn authority(&mut self, name: AuthorityName, certificate: &Path, key: Option<&PathBuf>) {
        let files = AuthorityFiles {
            certificate: self.folder.join(certificate),
            key: key.map(|key| self.folder.join(key)),
            revocation_list: None,
        };
        self.authorities.insert(name, files);
    }

    fn service(&mut self, role: &PeerName, service: WrittenService) {
        let WrittenService { address, certificate_name, identity, records } = service;
        self.names.insert(role.clone(), certificate_name);
        if let Some(identity) = identity {
            self.credential(role, &identity);
        }
        if let Some(address) = address.filter(|_| *role != ADMIN) {
            self.listens(role, address, records);
        }
    }

    fn tenant(&mut self, tenant: WrittenTenant) {
        let WrittenTenant { slug, name, agents, .. } = tenant;
        for WrittenAgent { id, certificate_name, address, identity, records } in agents {
            let role = PeerName::Tenant(id.of_tenant(&slug));
            if let Some(name) = certificate_name {
                self.names.insert(role.clone(), name);
            }
            self.credential(&role, &identity);
            if let Some(address) = address {
                self.listens(&role, address, records);
            }
        }
        if let Some(name) = name {
            self.tenants.insert(slug, name);
        }
    }

    fn credential(&mut self, role: &PeerName, identity: &Identity) {
        let credential = Credential {
            name: role.clone(),
            certificate: self.folder.join(&identity.certificate),
            key: self.folder.join(&identity.key),
        };
        self.credentials.insert(role.clone(), credential);
    }

    fn listens(&mut self, role: &PeerName, address: String, records: Records) {
        let records = match records {
            Records::File(path) => Records::File(self.folder.join(path)),
            other => other,
        };
        let service = JudgedService { page: role.to_string(), address, records };
        self.services.insert(role.clone(), service);
    }
}
