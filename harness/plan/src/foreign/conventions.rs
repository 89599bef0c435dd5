//! By which names the roles of one platform go. Inside the harness everybody is a role ([`PeerName`]); only here it is known
//! what a role is called.

use std::collections::BTreeMap;

use bulkhead_identity::{AgentId, PeerName, PlatformName, TenantSlug};

use super::template::Template;
use super::written_conventions::{
    AccountConventions, GrpcConventions, SubjectConventions, WrittenConventions,
};
use crate::access::Method;

/// The conventions of one platform, with everybody's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conventions {
    written: WrittenConventions,
    /// Tenants that are called otherwise than by their slug.
    tenants: BTreeMap<TenantSlug, String>,
    /// Certificates that are called otherwise than the template says.
    certificates: BTreeMap<PeerName, String>,
}

impl Default for Conventions {
    fn default() -> Self {
        Self::new(WrittenConventions::ours(), BTreeMap::new(), BTreeMap::new())
    }
}

impl Conventions {
    pub(super) fn new(
        written: WrittenConventions,
        tenants: BTreeMap<TenantSlug, String>,
        certificates: BTreeMap<PeerName, String>,
    ) -> Self {
        Self { written, tenants, certificates }
    }

    /// What is said over gRPC.
    pub fn grpc(&self) -> &GrpcConventions {
        &self.written.grpc
    }

    /// The accounts.
    pub fn accounts(&self) -> &AccountConventions {
        &self.written.accounts
    }

    /// The subjects as they were written.
    pub fn subjects(&self) -> &SubjectConventions {
        &self.written.subjects
    }

    /// Whether the services have a method.
    pub fn has_method(&self, method: Method) -> bool {
        self.grpc().methods.iter().any(|name| name.method() == method)
    }

    /// What the platform itself calls a tenant.
    pub fn tenant<'a>(&'a self, slug: &'a TenantSlug) -> &'a str {
        self.tenants.get(slug).map_or(slug.as_str(), String::as_str)
    }

    /// The DNS name in somebody's certificate.
    pub fn certificate_name(&self, role: &PeerName) -> String {
        if let Some(name) = self.certificates.get(role) {
            return name.clone();
        }
        match role {
            PeerName::Platform(name) => name.common_name().to_owned(),
            PeerName::Tenant(name) => self.written.certificate_name.fill(&[
                ("component", name.component.as_str()),
                ("partition", name.partition.as_str()),
                ("tenant", self.tenant(&name.tenant)),
            ]),
        }
    }

    /// The URI in somebody's certificate, where there is to be one.
    pub fn certificate_uri(&self, role: &PeerName) -> Option<String> {
        let template = self.written.certificate_uri.as_ref()?;
        match role {
            PeerName::Platform(_) => Some(role.spiffe_id().to_string()),
            PeerName::Tenant(name) => Some(template.fill(&[
                ("component", name.component.as_str()),
                ("partition", name.partition.as_str()),
                ("tenant", self.tenant(&name.tenant)),
            ])),
        }
    }

    fn filled(&self, template: &Template, tenant: &TenantSlug) -> String {
        template.fill(&[("tenant", self.tenant(tenant))])
    }

    /// A subject of a tenant's own space: `acme.` and then `rest`.
    pub fn within(&self, tenant: &TenantSlug, rest: &str) -> String {
        format!("{}{rest}", self.filled(&self.subjects().prefix, tenant))
    }

    /// A subject among a tenant's results.
    pub fn results(&self, tenant: &TenantSlug, nonce: &str) -> String {
        self.subjects().results.fill(&[("tenant", self.tenant(tenant)), ("nonce", nonce)])
    }

    /// What is subscribed to in order to hear a tenant's results.
    pub fn listen(&self, tenant: &TenantSlug) -> String {
        self.filled(&self.subjects().listen, tenant)
    }

    /// What is subscribed to in order to hear every tenant's results: the token with the tenant in it is a wildcard.
    pub fn listen_to_all(&self) -> String {
        let tokens = self.subjects().listen.as_str().split('.');
        let wild = tokens.map(|token| if token.contains("{tenant}") { "*" } else { token });
        wild.collect::<Vec<_>>().join(".")
    }

    /// What somebody's inboxes begin with, without the dot behind it.
    pub fn inbox(&self, role: &PeerName) -> String {
        match role.tenant() {
            Some(tenant) => self.filled(&self.subjects().inbox, tenant),
            None => self.subjects().platform_inbox.as_str().to_owned(),
        }
    }

    /// A subject on which somebody may talk to itself.
    pub fn own(&self, role: &PeerName, nonce: &str) -> Option<String> {
        let tagged = format!("own.{nonce}");
        match role {
            PeerName::Tenant(name) => Some(self.within(&name.tenant, &tagged)),
            PeerName::Platform(PlatformName::Poller) => {
                self.subjects().platform_own.as_ref().map(|template| template.fill(&[("nonce", &tagged)]))
            }
            PeerName::Platform(_) => None,
        }
    }

    /// Where an agent takes jobs.
    pub fn jobs(&self, tenant: &TenantSlug, agent: &AgentId) -> Option<String> {
        let template = self.subjects().jobs.as_ref()?;
        let (component, partition) = (agent.component.as_str(), agent.partition.as_str());
        let id = agent.to_string();
        Some(template.fill(&[
            ("tenant", self.tenant(tenant)),
            ("agent", &id),
            ("component", component),
            ("partition", partition),
        ]))
    }

    /// Where only the poller says which agents answer.
    pub fn poller_health(&self, tenant: &TenantSlug) -> Option<String> {
        self.subjects().poller_health.as_ref().map(|template| self.filled(template, tenant))
    }

    /// Where administrators ask for a tenant's results.
    pub fn administrator_results(&self, tenant: &TenantSlug) -> Option<String> {
        self.subjects().administrator_results.as_ref().map(|template| self.filled(template, tenant))
    }

    /// A service of the platform's: as tenants ask it, and as the platform offers it.
    pub fn service(&self, name: &str) -> Option<(String, String)> {
        let (asked, offered) = (self.subjects().service.as_ref()?, self.subjects().service_offered.as_ref()?);
        Some((asked.fill(&[("name", name)]), offered.fill(&[("name", name)])))
    }

    /// A tenant's account.
    pub fn account(&self, tenant: &TenantSlug) -> Option<String> {
        self.accounts().name.as_ref().map(|template| self.filled(template, tenant))
    }

    /// What a stream of a tenant's is called.
    pub fn stream(&self, tenant: &TenantSlug, stream: &str) -> String {
        self.accounts().stream.fill(&[("tenant", self.tenant(tenant)), ("stream", stream)])
    }

    /// The platform's stream of a tenant's results.
    pub fn kept_results(&self, tenant: &TenantSlug) -> Option<String> {
        self.accounts().kept_results.as_ref().map(|template| self.filled(template, tenant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_are_what_the_services_go_by() {
        let ours = Conventions::default();
        let agent: PeerName = "agent-001.p1.acme.serviceradar".parse().unwrap();
        let (slug, PeerName::Tenant(name)) = (agent.tenant().unwrap(), &agent) else { panic!() };
        assert_eq!(ours.certificate_name(&agent), agent.common_name());
        assert_eq!(ours.certificate_uri(&agent).unwrap(), agent.spiffe_id().to_string());
        assert_eq!(ours.results(slug, "mx-1"), "acme.agents.results.mx-1");
        assert_eq!(ours.listen_to_all(), "*.agents.>");
        let jobs = bulkhead_identity::Subject::jobs(slug, &name.agent_id()).to_string();
        assert_eq!(ours.jobs(slug, &name.agent_id()).unwrap(), jobs);
        let health = bulkhead_identity::Subject::poller_health(slug).to_string();
        assert_eq!(ours.poller_health(slug).unwrap(), health);
        assert_eq!(WrittenConventions::ours().incomplete(), None);
        let written = serde_json::to_value(WrittenConventions::ours()).unwrap();
        assert_eq!(
            serde_json::from_value::<WrittenConventions>(written).unwrap(),
            WrittenConventions::ours()
        );
    }

    #[test]
    fn a_template_that_means_the_same_for_everybody_is_incomplete() {
        let mut written = WrittenConventions::default();
        written.subjects.prefix = Template::own("org.");
        assert_eq!(written.incomplete(), Some(("subjects.prefix", "tenant")));
    }
}
