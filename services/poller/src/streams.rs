//! One JetStream stream per tenant, in the platform's account.
//!
//! Never one stream for several tenants: in a shared stream one tenant's roll-up header wipes another's
//! messages, its message id makes another's vanish as a duplicate, and its flood evicts another's.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::context::CreateStreamError;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use bulkhead_identity::TenantSlug;
use bulkhead_identity::seeded::{self, SeededFault};

/// How much one tenant's stream keeps, in bytes; the oldest messages go first. The account that holds the
/// streams reserves this much for each tenant.
pub const STREAM_MAXIMUM_BYTES: i64 = 8 * 1024 * 1024;
/// How many messages one tenant's stream keeps.
pub const STREAM_MAXIMUM_MESSAGES: i64 = 100_000;
/// How long a message is kept.
pub const STREAM_MAXIMUM_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The pause before a stream that was refused is asked for again: the server is busy or full, and says so to
/// every tenant.
const RETRY: Duration = Duration::from_millis(400);

/// How long the server may take to answer one request: a request that a dying connection has swallowed is not
/// waited for any longer.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);

/// Name of a tenant's stream: `RESULTS_<slug>`.
#[must_use]
pub fn name(tenant: &TenantSlug) -> String {
    if seeded::is_on(SeededFault::OneStreamForAll) {
        return "RESULTS".to_owned();
    }
    format!("RESULTS_{tenant}")
}

/// What a tenant's stream is.
///
/// `no_ack` is a wall, not a saving: a message that comes over a stream import keeps the *reply subject* that
/// its tenant wrote on it, and the stream's acknowledgement would be sent there, inside the platform's
/// account: into another tenant's stream, to another tenant's agent (through the import of its jobs), or to the
/// poller itself. Measured on nats-server 2.15.1.
#[must_use]
pub fn config(tenant: &TenantSlug) -> Config {
    Config {
        name: name(tenant),
        subjects: ["agents", "pollers", "events"].map(|channel| format!("{tenant}.{channel}.>")).into(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_bytes: STREAM_MAXIMUM_BYTES,
        max_messages: STREAM_MAXIMUM_MESSAGES,
        max_age: STREAM_MAXIMUM_AGE,
        num_replicas: 1,
        no_ack: !seeded::is_on(SeededFault::StreamAcknowledges),
        allow_rollup: seeded::is_on(SeededFault::StreamRollupAllowed),
        deny_delete: true,
        deny_purge: !seeded::is_on(SeededFault::StreamRollupAllowed),
        ..Config::default()
    }
}

/// Makes the tenant's stream what [`config`] says, whether it is there already or not. Says whether it is; a
/// refusal is logged, and is one tenant's alone.
pub async fn prepare(client: Client, tenant: TenantSlug) -> bool {
    let made = match seeded::is_on(SeededFault::OneStreamForAll) {
        true => common(&client, &tenant).await,
        false => context(&client).create_or_update_stream(config(&tenant)).await.map(drop),
    };
    match made {
        Ok(()) => {
            tracing::info!(%tenant, stream = name(&tenant), "stream is ready");
            true
        }
        Err(error) => {
            tracing::warn!(%tenant, stream = name(&tenant), %error, "stream cannot be made, trying again");
            tokio::time::sleep(RETRY).await;
            false
        }
    }
}

/// The one stream of all tenants, with what this one says in it as well: a mistake, which only a build made for it makes.
async fn common(client: &Client, tenant: &TenantSlug) -> Result<(), CreateStreamError> {
    /// Tenants are prepared at once, and each adds to what is there. Held until the stream has it: what another made
    /// earlier and sent later would undo it.
    static ONE_AT_A_TIME: tokio::sync::Mutex<Vec<String>> = tokio::sync::Mutex::const_new(Vec::new());
    let mut subjects = ONE_AT_A_TIME.lock().await;
    let mut wanted = config(tenant);
    wanted.subjects.retain(|subject| !subjects.contains(subject));
    subjects.append(&mut wanted.subjects);
    wanted.subjects.clone_from(&subjects);
    context(client).create_or_update_stream(wanted).await.map(drop)
}

/// The JetStream interface of the platform's account.
#[must_use]
pub fn context(client: &Client) -> Context {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(REQUEST_LIMIT);
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_one_tenant_s_and_nobody_can_rewrite_it() {
        let config = config(&"acme".parse().unwrap());
        assert_eq!(config.name, "RESULTS_acme");
        assert_eq!(config.subjects, ["acme.agents.>", "acme.pollers.>", "acme.events.>"]);
        assert!(config.no_ack && config.deny_delete && config.deny_purge);
        assert!(!config.allow_rollup && !config.allow_message_ttl && !config.allow_direct);
        assert!(config.max_bytes > 0 && config.max_messages > 0);
        assert!(config.republish.is_none() && config.mirror.is_none() && config.sources.is_none());
    }
}
