//! A service that is taken off one tenant's network, and put back with the address and the name that it had.

use bollard::Docker;
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
};
use bulkhead_identity::TenantSlug;
use bulkhead_plan::ServiceId;
use bulkhead_plan::environment::EnvironmentRecord;

use crate::engine::{Engine, chain};
use crate::error::Failure;

/// A service off a network. It stays so until [`Cut::mend`], or until the environment is taken down.
#[derive(Debug)]
pub struct Cut {
    docker: Docker,
    container: String,
    network: String,
    endpoint: EndpointSettings,
}

fn refused(attempt: String, error: &bollard::errors::Error) -> Failure {
    Failure::Refused { attempt, reason: chain(error) }
}

impl Cut {
    /// Takes a service off a tenant's network. Its connections there are not closed: they fall silent.
    ///
    /// # Errors
    /// The environment has no containers, the tenant no network that both are on, or the engine refuses.
    pub async fn between(
        record: &EnvironmentRecord,
        service: &ServiceId,
        tenant: &TenantSlug,
    ) -> Result<Self, Failure> {
        let no_such = |reason: &str| Failure::Refused {
            attempt: format!("take {service} off {tenant}'s network"),
            reason: reason.to_owned(),
        };
        let engine = Engine::connect().await.map_err(|error| no_such(&chain(&error)))?;
        let docker = engine.docker().clone();
        let handle = |wanted: &dyn Fn(&ServiceId) -> bool| {
            let found = record.services.iter().find(|service| wanted(&service.id));
            found.map(|service| service.handle.clone()).ok_or_else(|| no_such("there is no such service"))
        };
        let container = handle(&|id| id == service)?;
        let of_tenant =
            |id: &ServiceId| matches!(id, ServiceId::Agent { tenant: other, .. } if other == tenant);
        let theirs = networks_of(&docker, &handle(&of_tenant)?).await?;
        let ours = networks_of(&docker, &container).await?;
        let shared = ours.into_iter().find(|(name, _)| theirs.iter().any(|(other, _)| other == name));
        let (network, now) = shared.ok_or_else(|| no_such("they have no network in common"))?;
        let address = EndpointIpamConfig { ipv4_address: now.ip_address, ..EndpointIpamConfig::default() };
        let endpoint = EndpointSettings {
            aliases: now.aliases,
            ipam_config: Some(address),
            ..EndpointSettings::default()
        };
        let request = NetworkDisconnectRequest { container: container.clone(), force: Some(false) };
        let done = docker.disconnect_network(&network, request).await;
        done.map_err(|error| refused(format!("take {container} off {network}"), &error))?;
        Ok(Self { docker, container, network, endpoint })
    }

    /// Puts it back.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn mend(self) -> Result<(), Failure> {
        let Self { docker, container, network, endpoint } = self;
        let request = NetworkConnectRequest { container: container.clone(), endpoint_config: Some(endpoint) };
        let done = docker.connect_network(&network, request).await;
        done.map_err(|error| refused(format!("put {container} back on {network}"), &error))
    }
}

async fn networks_of(docker: &Docker, container: &str) -> Result<Vec<(String, EndpointSettings)>, Failure> {
    let facts = docker.inspect_container(container, None).await;
    let facts = facts.map_err(|error| refused(format!("describe the container {container}"), &error))?;
    let networks = facts.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    Ok(networks.into_iter().collect())
}
