//! A real NATS server with the platform's accounts, and what tests read from it.

use bulkhead_kit::config::NatsSettings;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::nats::Link;
use bulkhead_poller::streams;
use bulkhead_test_support::{Forge, NatsServer, eventually, server_binary};
use serde_json::Value;

use super::agent_of;

/// The account of a tenant, as the platform gives it.
fn tenant_account(slug: &str) -> String {
    format!(
        "T_{slug} {{
    users: [ {{ user: \"{agent}\", permissions: {{
      publish: {{ allow: [\"{slug}.>\", \"_INBOX.>\"], deny: [\"{slug}.pollers.>\", \"{slug}.events.poller.>\"] }}, subscribe: {{ allow: [\"{slug}.>\", \"_INBOX.>\"] }}, allow_responses: {{ max: 1, expires: \"5s\" }} }} }} ]
    exports: [ {{ stream: \"{slug}.agents.>\", accounts: [PLATFORM] }}, {{ stream: \"{slug}.events.syslog.>\", accounts: [PLATFORM] }}, {{ service: \"{slug}.jobs.>\", accounts: [PLATFORM] }} ]
  }}\n",
        agent = agent_of(slug),
    )
}

fn accounts(forge: &Forge) -> String {
    let slugs = ["acme", "acme2", "globex"];
    let tenants: String = slugs.map(tenant_account).concat();
    let imports: String = slugs
        .map(|slug| {
            format!(
                "{{ stream: {{ account: T_{slug}, subject: \"{slug}.agents.>\" }} }}, \
                 {{ stream: {{ account: T_{slug}, subject: \"{slug}.events.syslog.>\" }} }}, \
                 {{ service: {{ account: T_{slug}, subject: \"{slug}.jobs.>\" }} }}, "
            )
        })
        .concat();
    format!(
        "jetstream {{ store_dir: {store:?}, max_mem: 16M, max_file: 64M }}
system_account: SYS
accounts {{
  SYS {{ }}
  {tenants}
  PLATFORM {{
    jetstream {{ max_mem: 4M, max_file: 32M, max_streams: 8, max_consumers: 8, max_bytes_required: true }}
    users: [ {{ user: \"poller.serviceradar\" }} ]
    exports: [ {{ service: \"admin.>\", accounts: [ADMIN] }} ]
    imports: [ {imports} ]
  }}
  ADMIN {{
    users: [ {{ user: \"admin.platform.serviceradar\", permissions: {{ publish: {{ allow: [\"admin.>\"] }}, subscribe: {{ allow: [\"_INBOX.>\"] }} }} }} ]
    imports: [ {{ service: {{ account: PLATFORM, subject: \"admin.>\" }}, share: true }} ]
  }}
}}\n",
        store = forge.directory().join("jetstream"),
    )
}

/// The server; `None` where there is none and this is not CI.
pub fn start(forge: &Forge) -> Option<NatsServer> {
    Some(NatsServer::start(&server_binary()?, forge, &accounts(forge)))
}

/// A link of its own, as `name`.
pub async fn link_as(forge: &Forge, settings: &NatsSettings, name: &str) -> Link {
    let credential: Credential = forge.credential(name);
    let link = Link::start(settings, &credential, &forge.trust(&[])).await.unwrap();
    link.connected().wait_for(|connected| *connected).await.unwrap();
    link
}

/// One message of a tenant's stream.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    pub subject: String,
    pub data: Value,
}

/// Everything in a tenant's stream, oldest first, once `enough` holds of it.
pub async fn stored(
    link: &Link,
    slug: &str,
    enough: impl Fn(&[StoredMessage]) -> bool,
) -> Vec<StoredMessage> {
    eventually(&format!("messages in the stream of {slug}"), async || {
        let messages = read(link, slug).await?;
        if enough(&messages) {
            Ok(messages)
        } else {
            Err(format!("{} messages: {messages:?}", messages.len()))
        }
    })
    .await
}

async fn read(link: &Link, slug: &str) -> Result<Vec<StoredMessage>, String> {
    let name = streams::name(&slug.parse().unwrap());
    let stream = streams::context(link.client()).get_stream(name).await.map_err(|error| error.to_string())?;
    let mut messages = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.map_err(|error| error.to_string())?;
        messages.push(StoredMessage {
            subject: message.subject.to_string(),
            data: serde_json::from_slice(&message.payload).unwrap_or(Value::Null),
        });
    }
    Ok(messages)
}

/// The numbers of the results that a stream holds, in its order.
pub fn numbers(messages: &[StoredMessage]) -> Vec<u64> {
    let results = messages.iter().filter_map(|message| message.data["results"].as_array());
    results.flatten().filter_map(|item| item["n"].as_u64()).collect()
}
