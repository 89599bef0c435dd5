//! What platform is wanted.

use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::spec::{EnvironmentName, ImageOverrides, NetworkMode, TenantSpec};

use crate::error::StartError;
use crate::platform::Platform;
use crate::start;

/// A platform that is wanted; nothing happens before [`PlatformBuilder::start`].
#[derive(Debug, Clone)]
#[must_use]
pub struct PlatformBuilder {
    tenants: Vec<String>,
    agents_per_tenant: usize,
    network: NetworkMode,
    images: ImageOverrides,
    extent: Extent,
}

/// Which services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// NATS, the poller and every agent.
    Everything,
    /// NATS alone.
    MessagesOnly,
}

impl PlatformBuilder {
    pub(crate) fn of<S: Into<String>>(tenants: impl IntoIterator<Item = S>) -> Self {
        Self {
            tenants: tenants.into_iter().map(Into::into).collect(),
            agents_per_tenant: 1,
            network: NetworkMode::default(),
            images: ImageOverrides::default(),
            extent: Extent::Everything,
        }
    }

    /// How many agents each tenant has, `agent-001.p1` and so on; one when this is not called.
    pub fn agents_per_tenant(mut self, agents: usize) -> Self {
        self.agents_per_tenant = agents;
        self
    }

    /// Everything on one network: what remains between tenants is what certificates and accounts enforce.
    pub fn flat_network(mut self) -> Self {
        self.network = NetworkMode::Flat;
        self
    }

    /// NATS alone, with every tenant's account and credentials: for tests of messages. Nothing has to be built.
    pub fn messages_only(mut self) -> Self {
        self.extent = Extent::MessagesOnly;
        self
    }

    /// An image of NATS (2.15 or newer) in place of the one that is found or assembled.
    pub fn nats_image(mut self, reference: impl Into<String>) -> Self {
        self.images.nats = Some(reference.into());
        self
    }

    /// An image of the agent in place of the one that is built from this project.
    pub fn agent_image(mut self, reference: impl Into<String>) -> Self {
        self.images.agent = Some(reference.into());
        self
    }

    /// An image of the poller in place of the one that is built from this project.
    pub fn poller_image(mut self, reference: impl Into<String>) -> Self {
        self.images.poller = Some(reference.into());
        self
    }

    /// Starts the platform and waits until every service answers over mutual TLS.
    ///
    /// # Errors
    /// When a name is bad, no engine answers, there is no image, or a service does not come up. Nothing is left behind
    /// then. When the returned future is dropped before it is done, the start goes on to its end in the background, as
    /// long as the runtime does, and everything is removed after it: cutting off the engine in the middle of a start
    /// can wedge a network for good.
    pub async fn start(self) -> Result<Platform, StartError> {
        let joined = tokio::spawn(start::start(self)).await;
        joined.unwrap_or_else(|error| {
            Err(StartError::Engine { attempt: "start the platform".to_owned(), reason: error.to_string() })
        })
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// The specification, under a name of its own: two tests that run side by side must not meet.
    pub(crate) fn spec(&self, name: EnvironmentName) -> Result<EnvironmentSpec, StartError> {
        let agents = (1..=self.agents_per_tenant)
            .map(|number| format!("agent-{number:03}.p1").parse())
            .collect::<Result<Vec<_>, _>>()?;
        let tenant = |slug: &String| Ok(TenantSpec { slug: slug.parse()?, agents: agents.clone() });
        let tenants = self.tenants.iter().map(tenant).collect::<Result<Vec<_>, StartError>>()?;
        let mut spec = EnvironmentSpec::new(name, tenants)?;
        spec.network = self.network;
        spec.images = self.images.clone();
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(builder: PlatformBuilder) -> String {
        builder.spec("one".parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn every_tenant_has_agents_of_the_same_names() {
        let spec = Platform::with_tenants(["acme", "globex"]).agents_per_tenant(2).flat_network();
        let spec = spec.spec("one".parse().unwrap()).unwrap();
        let agents: Vec<Vec<String>> = spec
            .tenants()
            .iter()
            .map(|tenant| tenant.agents.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(agents, [["agent-001.p1", "agent-002.p1"], ["agent-001.p1", "agent-002.p1"]]);
        assert_eq!(spec.network, NetworkMode::Flat);
    }

    #[test]
    fn what_cannot_be_is_said_before_anything_starts() {
        let nobody: [&str; 0] = [];
        assert!(error(Platform::with_tenants(nobody)).contains("0 tenants"));
        assert!(error(Platform::with_tenants(["acme", "acme"])).contains("acme is there twice"));
        assert!(error(Platform::with_tenants(["Acme"])).contains("Acme"));
        assert!(error(Platform::with_tenants(["platform"])).contains("platform"));
        assert!(error(Platform::with_tenants(["acme"]).agents_per_tenant(0)).contains("0 agents"));
    }
}
