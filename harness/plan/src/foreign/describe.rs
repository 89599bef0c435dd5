//! An environment of this project's, described as if somebody else had started it: where to start from with one's own.

use std::path::Path;

use bulkhead_identity::{AuthorityName, PeerName};

use super::conventions::WrittenConventions;
use super::judged::{JudgedPlatform, authorities_of};
use super::written::{
    Identity, PlatformDescription, Records, SCHEMA_VERSION, Trust, WrittenAgent, WrittenPlatform,
    WrittenService, WrittenTenant,
};
use crate::environment::{Credential, EnvironmentRecord};
use crate::yaml;

impl PlatformDescription {
    /// Of a running environment. It holds paths and no key.
    pub fn of_environment(record: &EnvironmentRecord) -> Self {
        let judged = JudgedPlatform::from(record.clone());
        let authorities = authorities_of(record);
        let key = |name: &AuthorityName| authorities.get(name).and_then(|files| files.key.clone());
        let records = |name: &PeerName| {
            judged.services.get(name).map(|service| service.records.clone()).unwrap_or_default()
        };
        let platform = &record.platform;
        let service = |credential: &Credential, address: Option<&str>| {
            Some(WrittenService {
                address: address.map(str::to_owned),
                certificate_name: credential.name.common_name(),
                identity: Some(identity(credential)),
                records: records(&credential.name),
            })
        };
        let tenants = record.tenants.iter().map(|tenant| WrittenTenant {
            slug: tenant.slug.clone(),
            name: None,
            authority: Some(tenant.authority.clone()),
            authority_key: key(&AuthorityName::Tenant(tenant.slug.clone())),
            agents: tenant
                .agents
                .iter()
                .map(|agent| WrittenAgent {
                    id: agent.id.clone(),
                    certificate_name: None,
                    address: Some(agent.address.clone()),
                    identity: identity(&agent.credential),
                    records: records(&agent.name),
                })
                .collect(),
        });
        Self {
            schema_version: SCHEMA_VERSION,
            name: record.name.clone(),
            harmful_attempts: true,
            trust: Trust {
                root: record.root.clone(),
                root_key: key(&AuthorityName::Root),
                platform_authority: Some(record.platform_authority.clone()),
                platform_authority_key: key(&AuthorityName::Platform),
            },
            platform: WrittenPlatform {
                nats: service(&platform.nats_credential, Some(&platform.nats.address)),
                poller: service(&platform.poller_credential, Some(&platform.poller.address)),
                administrator: service(&platform.admin, None),
            },
            tenants: tenants.collect(),
            conventions: WrittenConventions::ours(),
            expectations: Vec::new(),
        }
    }

    /// The same, of which nobody can read any records.
    #[must_use]
    pub fn without_records(mut self) -> Self {
        let platform = &mut self.platform;
        for service in
            [&mut platform.nats, &mut platform.poller, &mut platform.administrator].into_iter().flatten()
        {
            service.records = Records::None;
        }
        for agent in self.tenants.iter_mut().flat_map(|tenant| &mut tenant.agents) {
            agent.records = Records::None;
        }
        self
    }

    /// As YAML.
    pub fn to_yaml(&self) -> String {
        yaml::write(self)
    }
}

fn identity(credential: &Credential) -> Identity {
    let path = |path: &Path| path.to_owned();
    Identity { certificate: path(&credential.certificate), key: path(&credential.key) }
}
