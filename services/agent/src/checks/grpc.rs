//! Does another service say that it serves: `grpc.health.v1.Health/Check` for the whole service.
//!
//! A service of the platform or of the own tenant is dialled over mTLS with the agent's own identity and
//! is accepted only under its own name: `poller.serviceradar:50052`, or `poller.serviceradar@10.0.0.7:50052`
//! where the address is not the name. Any other `host:port` is asked in plain text, which says nothing
//! about who answered; a host that ends like the platform's names and is none of them is refused, since whoever
//! mistypes one has not asked for plain text.

use std::str::FromStr;

use bulkhead_identity::PeerName;
use bulkhead_kit::config::HostPort;
use bulkhead_kit::tls::Dialer;
use tokio::sync::Mutex;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{CheckError, shortened};

/// Whom to ask. The connection is kept between checks, since a handshake costs more than the question.
#[derive(Debug)]
pub struct HealthTarget {
    peer: Option<PeerName>,
    address: HostPort,
    connection: Mutex<Option<Channel>>,
}

impl FromStr for HealthTarget {
    type Err = CheckError;

    fn from_str(details: &str) -> Result<Self, Self::Err> {
        let (peer, address) = match details.split_once('@') {
            Some((name, address)) => {
                let peer = name.parse().map_err(|_| CheckError::Peer(shortened(name)))?;
                (Some(peer), address.parse::<HostPort>()?)
            }
            None => {
                let address: HostPort = details.parse()?;
                (peer_of(address.host())?, address)
            }
        };
        Ok(Self { peer, address, connection: Mutex::new(None) })
    }
}

/// Who has to answer at a host: whose name it is, or anybody when it is not of the platform.
fn peer_of(host: &str) -> Result<Option<PeerName>, CheckError> {
    let of_platform = host.trim_end_matches('.').to_ascii_lowercase().ends_with(".serviceradar");
    match host.parse() {
        Ok(peer) => Ok(Some(peer)),
        Err(_) if of_platform => Err(CheckError::Peer(shortened(host))),
        Err(_) => Ok(None),
    }
}

impl HealthTarget {
    pub(super) async fn look(&self, dialer: &Dialer) -> Result<String, String> {
        let mut connection = self.connection.lock().await;
        // A connection that was kept may have ended meanwhile: only a new one's failure is the service's.
        let kept = match connection.take() {
            Some(channel) => ask(&channel).await.ok().map(|status| (channel, status)),
            None => None,
        };
        let (channel, status) = match kept {
            Some(answer) => answer,
            None => {
                let channel = self.connect(dialer).await?;
                let status = ask(&channel).await?;
                (channel, status)
            }
        };
        *connection = Some(channel);
        match status {
            ServingStatus::Serving => Ok("serving".to_owned()),
            other => Err(format!("{} answers {}", self.address, other.as_str_name())),
        }
    }

    async fn connect(&self, dialer: &Dialer) -> Result<Channel, String> {
        if let Some(peer) = &self.peer {
            let connection = dialer.dial(peer, &self.address).await.map_err(|error| error.to_string())?;
            return Ok(connection.channel);
        }
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint.map_err(|error| format!("{}: {error}", self.address))?;
        endpoint.connect().await.map_err(|error| format!("{}: no connection: {error}", self.address))
    }
}

async fn ask(channel: &Channel) -> Result<ServingStatus, String> {
    match HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await {
        Ok(answer) => Ok(answer.into_inner().status()),
        Err(status) if status.code() == Code::PermissionDenied => {
            Err(format!("refused by the service: {}", status.message()))
        }
        Err(status) => Err(format!("the health check failed: {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_platform_is_verified_and_a_mistyped_one_is_refused() {
        for (host, expected) in [
            ("poller.serviceradar", Some("poller.serviceradar")),
            ("agent-001.p1.acme.serviceradar", Some("agent-001.p1.acme.serviceradar")),
            ("10.0.0.7", None),
            ("web.example", None),
            ("serviceradar.example", None),
        ] {
            assert_eq!(peer_of(host).unwrap().map(|peer| peer.to_string()).as_deref(), expected, "{host}");
        }
        for host in [
            "Poller.serviceradar",
            "poller.serviceradar.",
            "poller.ServiceRadar",
            "api.serviceradar",
            "agent-001.p1.acme2-.serviceradar",
        ] {
            assert!(matches!(peer_of(host), Err(CheckError::Peer(_))), "{host}");
        }
    }
}
