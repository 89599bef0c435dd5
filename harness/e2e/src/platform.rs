//! The running environment, as the scenarios need it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bulkhead_identity::{AuthorityName, PeerName, TenantSlug};
use bulkhead_plan::access::CertificateFlaw as Flaw;
use bulkhead_plan::environment::{BackendKind, Credential, EnvironmentRecord, TenantRecord};
use bulkhead_plan::spec::NetworkMode;
use bulkhead_plan::topology::ServiceId;
use bulkhead_runtime::probe::forge::Forger;
use bulkhead_runtime::probe::records::{Book, Source};
use bulkhead_runtime::probe::{CredentialError, Presented};
use tokio::sync::Semaphore;

use crate::programs::Programs;
use crate::words::{FlawWord, Peer};

/// Something that the scenarios need and the environment does not have.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The scenarios are about two tenants.
    #[error(
        "the scenarios need two tenants with an agent each, and environment '{name}' has {tenants}; start it with --tenants 2 or more"
    )]
    TooFewTenants {
        /// The environment.
        name: String,
        /// How many it has.
        tenants: usize,
    },
    /// A feature names a tenant that is not there.
    #[error("the features name a tenant '{0}' that this environment does not have")]
    NoSuchTenant(String),
    /// Somebody who offers nothing was to be reached, or has no certificate and was to show one.
    #[error("{0}")]
    Impossible(String),
    /// A certificate could not be read or made.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// The features' own tenant, and the other one.
const FIRST: &str = "acme";
const SECOND: &str = "globex";

/// The tenants of these names play themselves; another environment's tenants play them in their order, and
/// nobody plays both.
fn parts(tenants: &[(usize, &str)]) -> Option<(usize, usize)> {
    let named = |name: &str| tenants.iter().find(|(_, slug)| *slug == name).map(|(place, _)| *place);
    let free =
        |taken: Option<usize>| tenants.iter().map(|(place, _)| *place).find(|place| Some(*place) != taken);
    let first = named(FIRST).or_else(|| free(named(SECOND)))?;
    let second = named(SECOND).or_else(|| free(Some(first)))?;
    (first != second).then_some((first, second))
}

/// The environment, its authorities and its logs.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) record: EnvironmentRecord,
    /// Who plays the features' first and second tenant.
    parts: (usize, usize),
    pub(crate) forger: Forger,
    pub(crate) book: Book,
    /// For stand-ins.
    pub(crate) programs: Option<Programs>,
    /// Each scenario that keeps streams holds one of these: a tenant may have ten streams.
    pub(crate) stream_places: Arc<Semaphore>,
}

/// How many scenarios keep streams at the same time.
const STREAM_PLACES: usize = 2;

/// A service that can be reached from here.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) name: PeerName,
    /// The service's page in the book of records.
    pub(crate) page: String,
}

impl Platform {
    pub(crate) fn open(record: EnvironmentRecord, programs: Option<Programs>) -> Result<Self, PlatformError> {
        let populated: Vec<(usize, &str)> = record
            .tenants
            .iter()
            .enumerate()
            .filter(|(_, tenant)| !tenant.agents.is_empty())
            .map(|(place, tenant)| (place, tenant.slug.as_str()))
            .collect();
        let parts = parts(&populated).ok_or_else(|| PlatformError::TooFewTenants {
            name: record.name.to_string(),
            tenants: populated.len(),
        })?;
        let sources = record.services.iter().map(|service| {
            let source = match record.backend {
                BackendKind::Process => Source::File(PathBuf::from(&service.logs)),
                BackendKind::Docker | BackendKind::Compose => Source::Container(service.handle.clone()),
            };
            (service.id.to_string(), source)
        });
        let book = Book::open(sources);
        let forger = Forger::of_environment(&record.state_dir);
        let stream_places = Arc::new(Semaphore::new(STREAM_PLACES));
        Ok(Self { record, parts, forger, book, programs, stream_places })
    }

    /// The tenant that plays a part in the features, or the one of this very name.
    pub(crate) fn tenant(&self, word: &str) -> Result<&TenantRecord, PlatformError> {
        let by_name = || self.record.tenants.iter().find(|tenant| tenant.slug.as_str() == word);
        let found = match word {
            FIRST => self.record.tenants.get(self.parts.0),
            SECOND => self.record.tenants.get(self.parts.1),
            _ => by_name(),
        };
        found.ok_or_else(|| PlatformError::NoSuchTenant(word.to_owned()))
    }

    pub(crate) fn slug(&self, word: &str) -> Result<&TenantSlug, PlatformError> {
        Ok(&self.tenant(word)?.slug)
    }

    /// The peer's own certificate; `None` for nobody.
    pub(crate) fn credential(&self, peer: &Peer) -> Result<Option<Presented>, PlatformError> {
        let platform = &self.record.platform;
        let credential = match peer {
            Peer::Nobody => return Ok(None),
            Peer::Broker => &platform.nats_credential,
            Peer::Poller => &platform.poller_credential,
            Peer::Administrator => &platform.admin,
            Peer::Agent(word) => &self.first_agent(word)?.credential,
        };
        Ok(Some(present(credential)?))
    }

    /// The name that stands in the peer's certificate.
    pub(crate) fn name(&self, peer: &Peer) -> Result<PeerName, PlatformError> {
        let platform = &self.record.platform;
        match peer {
            Peer::Nobody => Err(PlatformError::Impossible("nobody has no name".to_owned())),
            Peer::Broker => Ok(platform.nats.name.clone()),
            Peer::Poller => Ok(platform.poller.name.clone()),
            Peer::Administrator => Ok(platform.admin.name.clone()),
            Peer::Agent(word) => Ok(self.first_agent(word)?.name.clone()),
        }
    }

    pub(crate) fn target(&self, peer: &Peer) -> Result<Target, PlatformError> {
        let platform = &self.record.platform;
        match peer {
            Peer::Broker => Ok(Target {
                address: platform.nats.address.clone(),
                name: platform.nats.name.clone(),
                page: ServiceId::Nats.to_string(),
            }),
            Peer::Poller => Ok(Target {
                address: platform.poller.address.clone(),
                name: platform.poller.name.clone(),
                page: ServiceId::Poller.to_string(),
            }),
            Peer::Agent(word) => {
                let agent = self.first_agent(word)?;
                let tenant = self.slug(word)?.clone();
                let page = ServiceId::Agent { tenant, agent: agent.id.clone() }.to_string();
                Ok(Target { address: agent.address.clone(), name: agent.name.clone(), page })
            }
            Peer::Nobody | Peer::Administrator => {
                Err(PlatformError::Impossible(format!("{peer} offers no service to reach")))
            }
        }
    }

    /// Where an agent is on the network, as a number: a name that does not resolve is no wall. An address on
    /// loopback is a port that the engine published to this host, and means nothing inside.
    pub(crate) fn network_address(&self, peer: &Peer) -> Result<String, PlatformError> {
        let outside = match peer {
            Peer::Agent(word) => self.first_agent(word)?.address.parse::<SocketAddr>().ok(),
            _ => None,
        };
        match outside {
            Some(address) if !address.ip().is_loopback() => Ok(address.to_string()),
            _ => self.inside_address(peer),
        }
    }

    /// The address of a service as the other services see it.
    pub(crate) fn inside_address(&self, peer: &Peer) -> Result<String, PlatformError> {
        match peer {
            Peer::Broker => Ok(self.record.platform.nats.inside_address.clone()),
            Peer::Poller => Ok(self.record.platform.poller.inside_address.clone()),
            Peer::Agent(word) => Ok(self.first_agent(word)?.inside_address.clone()),
            Peer::Nobody | Peer::Administrator => {
                Err(PlatformError::Impossible(format!("{peer} offers no service to reach")))
            }
        }
    }

    /// A certificate that carries the peer's name and has the flaw.
    pub(crate) fn forged(&self, peer: &Peer, flaw: &FlawWord) -> Result<Presented, PlatformError> {
        let flaw = match flaw {
            FlawWord::OwnOf(other) => {
                let nobody = || PlatformError::Impossible(format!("{other} has no certificate"));
                return self.credential(other)?.ok_or_else(nobody);
            }
            other => self.flaw(other)?,
        };
        Ok(self.forger.make(&self.name(peer)?, &flaw)?)
    }

    pub(crate) fn flaw(&self, word: &FlawWord) -> Result<Flaw, PlatformError> {
        Ok(match word {
            FlawWord::Valid | FlawWord::OwnOf(_) => Flaw::None,
            FlawWord::SelfSigned => Flaw::SelfSigned,
            FlawWord::UnknownAuthority => Flaw::UnknownAuthority,
            FlawWord::CopiedAuthority => Flaw::CopiedAuthority,
            FlawWord::ByRoot => Flaw::IssuedBy(AuthorityName::Root),
            FlawWord::ByPlatform => Flaw::IssuedBy(AuthorityName::Platform),
            FlawWord::ByTenant(word) => Flaw::IssuedBy(AuthorityName::Tenant(self.slug(word)?.clone())),
            FlawWord::ByLeaf => Flaw::UnderLeaf,
            FlawWord::BySubordinate => Flaw::UnderSubordinate,
            FlawWord::Expired => Flaw::Expired,
            FlawWord::NotYetValid => Flaw::NotYetValid,
            FlawWord::Revoked => Flaw::Revoked,
            FlawWord::Altered => Flaw::AlteredSignature,
            FlawWord::AlsoNaming(other) => Flaw::ExtraName(self.name(other)?),
            FlawWord::AlsoLocalhost => Flaw::LocalhostName,
            FlawWord::SubjectOnly => Flaw::CommonNameOnly,
            FlawWord::NoPurpose => Flaw::NoPurpose,
            FlawWord::ServersOnly => Flaw::OnlyForServers,
            FlawWord::ClientsOnly => Flaw::OnlyForClients,
        })
    }

    /// Why this environment has no walls between networks, when it has none.
    pub(crate) fn no_walls(&self) -> Option<String> {
        match (self.record.backend, self.record.network_mode) {
            (BackendKind::Process, _) => {
                Some("the process backend runs every service on this machine's loopback network".to_owned())
            }
            (_, NetworkMode::Flat) => Some("the environment was started with one flat network".to_owned()),
            (_, NetworkMode::PerTenant) => {
                let agents = self.record.tenants.iter().flat_map(|tenant| &tenant.agents);
                agents.map(|agent| agent.address.as_str()).any(is_published).then(|| {
                    "the engine publishes the agents' ports on this host, and a name that does not resolve is no wall"
                        .to_owned()
                })
            }
        }
    }

    pub(crate) fn first_agent(
        &self,
        word: &str,
    ) -> Result<&bulkhead_plan::environment::AgentRecord, PlatformError> {
        let tenant = self.tenant(word)?;
        let none = || PlatformError::Impossible(format!("tenant '{}' has no agent", tenant.slug));
        tenant.agents.first().ok_or_else(none)
    }
}

/// An address on loopback is a port that the engine published to this host: where its container is, is not known here.
fn is_published(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
}

fn present(credential: &Credential) -> Result<Presented, CredentialError> {
    Presented::from_files(credential.name.to_string(), &credential.certificate, &credential.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(slugs: &[&str]) -> Option<(usize, usize)> {
        parts(&slugs.iter().copied().enumerate().collect::<Vec<_>>())
    }

    #[test]
    fn a_published_port_is_no_place_on_the_network() {
        assert!(is_published("127.0.0.1:50051"));
        assert!(!is_published("10.76.0.20:50051"));
    }

    #[test]
    fn nobody_plays_both_tenants() {
        assert_eq!(cast(&["acme", "globex", "initech"]), Some((0, 1)));
        assert_eq!(cast(&["globex", "acme"]), Some((1, 0)));
        assert_eq!(cast(&["acme2", "acme"]), Some((1, 0)));
        assert_eq!(cast(&["globex", "initech"]), Some((1, 0)));
        assert_eq!(cast(&["initech", "hooli"]), Some((0, 1)));
        assert_eq!(cast(&["acme"]), None);
        assert_eq!(cast(&["globex"]), None);
        assert_eq!(cast(&[]), None);
    }
}
