//! Streams that an interrupted run left with a tenant, whose quota they would eat.

use bulkhead_runtime::probe::Sight;
use bulkhead_runtime::probe::nats::{Login, Session, login};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::platform::Platform;
use crate::words::Peer;

/// What the scenarios' streams are called.
const PREFIXES: [&str; 4] = ["E2E_", "OWN_", "COPY_", "KV_E2E"];
/// Younger streams may belong to a run that is under way.
const AGE: Duration = Duration::minutes(10);

/// Removes them. Says what could not be removed.
pub(crate) async fn sweep(platform: &Platform) -> Vec<String> {
    let mut left = Vec::new();
    for tenant in &platform.record.tenants {
        let peer = Peer::tenant(tenant.slug.as_str());
        let (Ok(Some(credential)), Ok(broker)) = (platform.credential(&peer), platform.target(&Peer::Broker))
        else {
            continue;
        };
        // A broker that lets nobody in is the scenarios' business.
        let (_, session) = login(&broker.address, &Login::with(&credential)).await.split();
        if let Some(mut session) = session {
            left.extend(
                sweep_account(&mut session).await.into_iter().map(|left| format!("{left} of {peer}")),
            );
        }
    }
    left
}

async fn sweep_account(session: &mut Session) -> Vec<String> {
    let mut left = Vec::new();
    let listed = session.api("$JS.API.STREAM.LIST", &Value::Null).await;
    let streams = listed.sight.answer().and_then(|answer| answer["streams"].as_array().cloned());
    for stream in streams.unwrap_or_default().iter().filter(|stream| is_abandoned(stream)) {
        let name = stream["config"]["name"].as_str().unwrap_or_default();
        let removed = session.api(&format!("$JS.API.STREAM.DELETE.{name}"), &json!(null)).await;
        if !matches!(removed.sight, Sight::Answered(_)) {
            left.push(format!("stream {name}: {removed}"));
        }
    }
    left
}

fn is_abandoned(stream: &Value) -> bool {
    let ours = stream["config"]["name"]
        .as_str()
        .is_some_and(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
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
        assert!(is_abandoned(&stream("E2E_0011", Duration::hours(1))));
        assert!(!is_abandoned(&stream("E2E_0011", Duration::minutes(1))));
        assert!(!is_abandoned(&stream("ORDERS", Duration::hours(1))));
        assert!(!is_abandoned(&json!({ "config": { "name": "E2E_0011" } })));
    }
}
