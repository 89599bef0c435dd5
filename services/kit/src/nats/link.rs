//! One connection to NATS that comes back by itself.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerError};
use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{PeerName, PlatformName, RefusalSlot, TrustBundle};
use tokio::sync::{mpsc, watch};

use crate::audit::{Layer, Record};
use crate::config::{HostPort, NatsSettings};
use crate::credential::Credential;
use crate::tls;
use crate::trace::TraceId;

/// How long one attempt to connect may take, name resolution and handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How soon a dead connection is noticed when nothing is sent on it.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Why a link could not be set up. That NATS is away is no error: the link retries for as long as it lives.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The TLS side cannot be configured.
    #[error("cannot configure TLS for NATS at {address}: {problem}")]
    Tls {
        /// Where NATS was to be reached.
        address: HostPort,
        /// What is wrong.
        problem: String,
    },
    /// The client refuses its settings.
    #[error("cannot set up the NATS client for {address}: {source}")]
    Client {
        /// Where NATS was to be reached.
        address: HostPort,
        /// What the client said.
        source: async_nats::ConnectError,
    },
}

/// A connection to NATS in the background. Cloning it gives another handle on the same connection.
#[derive(Debug, Clone)]
pub struct Link {
    client: Client,
    connected: watch::Receiver<bool>,
}

impl Link {
    /// Starts connecting and returns at once. The server is accepted as `nats.serviceradar` of the
    /// platform's CA only, whatever the address says; TLS is required, so that no one on the way can ask
    /// for plain text.
    ///
    /// # Errors
    /// [`LinkError`], for settings that can never work.
    pub async fn start(
        settings: &NatsSettings,
        credential: &Credential,
        trust: &Arc<TrustBundle>,
    ) -> Result<Self, LinkError> {
        let server = PeerName::Platform(PlatformName::Nats);
        let (config, refusal) = tls::client_config(credential, trust, &server, &[]).map_err(|error| {
            LinkError::Tls { address: settings.address.clone(), problem: error.to_string() }
        })?;
        let (events, received) = mpsc::unbounded_channel();
        let (state, connected) = watch::channel(false);
        tokio::spawn(observe(received, state, refusal, settings.address.clone()));
        warn_of_system_certificates();
        let retry = settings.retry();
        let client = ConnectOptions::new()
            .name(credential.name())
            .require_tls(!seeded::is_on(SeededFault::NatsPlainTextAllowed))
            .tls_client_config(config)
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .ignore_discovered_servers()
            .retry_on_initial_connect()
            // Fixed and short: a service that backs off exponentially makes readiness bimodal.
            .reconnect_delay_callback(move |attempts| if attempts <= 1 { Duration::ZERO } else { retry })
            .event_callback(move |event| {
                let _ = events.send(event);
                std::future::ready(())
            })
            .connect(settings.address.to_string())
            .await
            .map_err(|source| LinkError::Client { address: settings.address.clone(), source })?;
        Ok(Self { client, connected })
    }

    /// The client, for subscriptions and requests. What must not be lost goes through an
    /// [`Outbox`](super::Outbox) instead.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the link is up, to be watched.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Whether the link is up now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// How many connections there have been. It grows before the first byte goes out on a new connection,
    /// which is what lets an outbox tell that a barrier did not cross a reconnect.
    pub(super) fn connection_count(&self) -> u64 {
        self.client.statistics().connects.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// async-nats 0.51 reads the system's certificates even when it is given a TLS configuration of its own, and
/// fails every connection with a bare "TLS error" when `SSL_CERT_FILE` names a file that is not there. They are
/// not used: `SSL_CERT_FILE=/dev/null` is well, and saves reading them on each connection.
fn warn_of_system_certificates() {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| std::fs::File::open(file).is_err()) {
        tracing::warn!(file = %file.display(), "SSL_CERT_FILE cannot be read, so NATS will not connect: unset it");
    }
}

/// Turns the client's events into the watched state, log lines and audit records. An attempt that fails
/// like the one before it is not told again: ten a second would bury everything else.
async fn observe(
    mut events: mpsc::UnboundedReceiver<Event>,
    state: watch::Sender<bool>,
    refusal: RefusalSlot,
    address: HostPort,
) {
    let mut told = None;
    // Of one connection, or of one attempt that came to none.
    let mut trace = TraceId::random();
    while let Some(event) = events.recv().await {
        match event {
            Event::Connected => {
                told = None;
                state.send_replace(true);
                record(Record::accepted(Layer::Nats), &address, trace);
                tracing::info!(nats = %address, "connected to NATS");
            }
            Event::Disconnected | Event::Closed => {
                state.send_replace(false);
                trace = TraceId::random();
                tracing::warn!(nats = %address, "disconnected from NATS, retrying");
            }
            Event::ServerError(error) => server_error(&error, &address, trace),
            other => {
                let refused = refusal.take();
                let reason = refused.as_ref().map_or_else(|| other.to_string(), ToString::to_string);
                if told.as_ref() == Some(&reason) {
                    continue;
                }
                if let Some(refused) = refused {
                    record(Record::refused(Layer::Nats, refused.code()).detail(&refused), &address, trace);
                    trace = TraceId::random();
                }
                tracing::warn!(nats = %address, reason, "NATS is not reachable, retrying");
                told = Some(reason);
            }
        }
    }
}

/// The server refused an operation of ours: a violation of permissions arrives here and nowhere else.
fn server_error(error: &ServerError, address: &HostPort, trace: TraceId) {
    let text = error.to_string();
    let lower = text.to_ascii_lowercase();
    let reason = if lower.contains("permissions violation") {
        "permissions-violation"
    } else if lower.contains("authorization") {
        "authorization-violation"
    } else {
        tracing::warn!(nats = %address, error = text, "NATS reported an error");
        return;
    };
    record(Record::refused(Layer::Nats, reason).detail(&text), address, trace);
}

fn record(record: Record, address: &HostPort, trace: TraceId) {
    record.identity(PlatformName::Nats.common_name()).peer(address).trace_id(trace).write();
}
