//! Streams that an interrupted run left with a tenant, whose quota they would eat.

use bulkhead_runtime::probe::nats::{Login, Session, login};
use bulkhead_runtime::probe::{Nonce, Sight};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::platform::Platform;
use crate::words::Peer;

/// What the scenarios' streams are called, before the scenario's nonce.
const PREFIXES: [&str; 4] = ["E2E_", "OWN_", "COPY_", "KV_E2E"];
/// Younger streams may belong to a run that is under way.
const AGE: Duration = Duration::minutes(10);

/// What a sweep came to.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) removed: Vec<String>,
    /// What could not be removed, and why.
    pub(crate) left: Vec<String>,
}

/// Removes them.
pub(crate) async fn sweep(platform: &Platform) -> Swept {
    let mut swept = Swept::default();
    for tenant in &platform.record.tenants {
        let peer = Peer::tenant(tenant.slug.as_str());
        let (Ok(Some(credential)), Ok(broker)) = (platform.credential(&peer), platform.target(&Peer::Broker))
        else {
            continue;
        };
        // A broker that lets nobody in is the scenarios' business.
        let (_, session) = login(&broker.address, &Login::with(&credential)).await.split();
        if let Some(mut session) = session {
            sweep_account(&mut session, &peer, &mut swept).await;
        }
    }
    swept
}

async fn sweep_account(session: &mut Session, peer: &Peer, swept: &mut Swept) {
    let listed = session.api("$JS.API.STREAM.LIST", &Value::Null).await;
    let streams = listed.sight.answer().and_then(|answer| answer["streams"].as_array().cloned());
    for stream in streams.unwrap_or_default().iter().filter(|stream| is_abandoned(stream)) {
        let name = stream["config"]["name"].as_str().unwrap_or_default();
        let removed = session.api(&format!("$JS.API.STREAM.DELETE.{name}"), &json!(null)).await;
        match &removed.sight {
            Sight::Answered(_) => swept.removed.push(format!("stream {name} of {peer}")),
            _ => swept.left.push(format!("stream {name}: {removed} of {peer}")),
        }
    }
}

/// A developer may well have an `OWN_orders`.
fn is_of_a_scenario(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(Nonce::is_one))
}

fn is_abandoned(stream: &Value) -> bool {
    let ours = stream["config"]["name"].as_str().is_some_and(is_of_a_scenario);
    let created = stream["created"].as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    ours && created.is_some_and(|created| OffsetDateTime::now_utc() - created > AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, age: Duration) -> Value {
        let created = (OffsetDateTime::now_utc() - age).format(&Rfc3339).unwrap();
        json!({ "config": { "name": name }, "created": created })
    }

    #[test]
    fn only_old_streams_of_scenarios_are_abandoned() {
        for prefix in PREFIXES {
            let name = format!("{prefix}{}", Nonce::fresh());
            assert!(is_abandoned(&stream(&name, Duration::hours(1))), "{name}");
            assert!(!is_abandoned(&stream(&name, Duration::minutes(1))), "{name}");
            assert!(!is_abandoned(&json!({ "config": { "name": name } })));
        }
        for name in ["ORDERS", "OWN_orders", "COPY_of_x", "E2E_0011", "KV_E2E", "COPY_0123456789ABCDEF"] {
            assert!(!is_abandoned(&stream(name, Duration::hours(1))), "{name}");
        }
    }
}
