//! Agent and poller are ready when their health service says so, of themselves and of their link to NATS.

use bulkhead_identity::{PeerVerifier, RefusalSlot};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{ATTEMPT, Readiness, Target};
use crate::engine::chain;

/// The health services that must be SERVING: the whole, and the link to NATS. Not the poller's `agents`: whether it has
/// reached every agent is the platform's work, which goes on for as long as it runs, and not its start.
const ASKED: [&str; 2] = ["", "nats"];

/// A service's door, at which one may knock until it opens.
pub(super) struct Door {
    endpoint: Endpoint,
    refusal: RefusalSlot,
}

impl Door {
    pub(super) fn new(
        readiness: &Readiness,
        verifier: &PeerVerifier,
        target: Target<'_>,
    ) -> Result<Self, String> {
        let (check, refusal) = verifier.server_cert_verifier();
        let tls = ClientTlsConfig::new()
            .identity(Identity::from_pem(&readiness.chain, &readiness.key))
            .domain_name(target.name.to_string())
            .timeout(ATTEMPT);
        let origin = format!("https://{}", target.name).parse().map_err(|error| format!("{error}"))?;
        let endpoint =
            Endpoint::from_shared(format!("https://{}", target.address)).map_err(|error| chain(&error))?;
        let endpoint = endpoint.origin(origin).connect_timeout(ATTEMPT).timeout(ATTEMPT);
        let endpoint = endpoint.tls_config_with_verifier(tls, check).map_err(|error| chain(&error))?;
        Ok(Self { endpoint, refusal })
    }

    /// One try to connect.
    pub(super) async fn connect(&self) -> Result<Channel, String> {
        self.endpoint.connect().await.map_err(|error| match self.refusal.take() {
            Some(refusal) => format!("its certificate is refused: {refusal}"),
            None => format!("cannot connect: {}", chain(&error)),
        })
    }
}

/// One question.
pub(super) async fn serving(channel: Channel) -> Result<(), String> {
    let mut client = HealthClient::new(channel);
    for service in ASKED {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = client.check(request).await;
        let answer = answer
            .map_err(|status| format!("health of \"{service}\": {:?} {}", status.code(), status.message()))?;
        let status = answer.into_inner().status();
        if status != ServingStatus::Serving {
            return Err(format!("health of \"{service}\": {}", status.as_str_name()));
        }
    }
    Ok(())
}
