//! Streams with the broker, as their owners keep and read them.

use std::fmt;
use std::sync::Arc;

use bulkhead_runtime::probe::{Observation, Refusal, Sight};
use serde_json::{Value, json};

use crate::platform::{Platform, PlatformError};
use crate::report::Conclusion;
use crate::scene::{Scene, Step, Unmet};
use crate::words::Peer;

/// The reservation of one stream. Tenants have a megabyte of memory for streams in all.
const STREAM_BYTES_MAX: u64 = 16 * 1024;

/// The name of this scenario's notes; tenants may well have the same.
pub(super) fn notes(scene: &Scene) -> String {
    format!("E2E_{}", scene.nonce)
}

/// The stream behind this scenario's bucket.
pub(super) fn bucket(scene: &Scene) -> String {
    format!("KV_E2E{}", scene.nonce)
}

/// The subject of the bucket's one key.
pub(super) fn key(scene: &Scene) -> String {
    format!("$KV.E2E{}.colour", scene.nonce)
}

/// Where a tenant's notes are published.
pub(super) fn note_subject(scene: &Scene, owner: &Peer) -> Result<String, Unmet> {
    let Peer::Agent(word) = owner else {
        return Err(Unmet(format!("{owner} keeps no notes")));
    };
    Ok(format!("{}.notes.{}", scene.platform()?.slug(word)?, scene.nonce))
}

/// What a note says: whose it is, of which scenario.
pub(super) fn note_text(scene: &Scene, owner: &Peer, number: u32) -> String {
    format!("note {number} of {owner} in {}", scene.nonce)
}

/// A configuration with bounds: the accounts require them.
pub(super) fn configuration(name: &str, rest: &Value) -> Value {
    let mut config = json!({
        "name": name, "storage": "memory", "retention": "limits", "num_replicas": 1,
        "max_bytes": STREAM_BYTES_MAX, "discard": "old",
    });
    if let (Some(config), Some(rest)) = (config.as_object_mut(), rest.as_object()) {
        config.extend(rest.clone());
    }
    config
}

/// Creates a stream that the scenario removes when it ends.
pub(super) async fn create(
    scene: &mut Scene,
    owner: &Peer,
    config: &Value,
) -> Result<Observation<Value>, Unmet> {
    let name = config["name"].as_str().unwrap_or_default().to_owned();
    hold_place(scene).await?;
    scene.kept.push((owner.clone(), name.clone()));
    let created = scene.session(owner).await?.api(&format!("$JS.API.STREAM.CREATE.{name}"), config).await;
    scene.note(&created);
    Ok(created)
}

/// The same, where it must succeed.
pub(super) async fn must_create(scene: &mut Scene, owner: &Peer, config: &Value) -> Result<(), Unmet> {
    let created = create(scene, owner, config).await?;
    match created.sight {
        Sight::Answered(_) => Ok(()),
        _ => Err(Unmet(format!("{owner} cannot keep a stream of its own: {created}"))),
    }
}

/// The same for what a tenant keeps in a scenario. It is refused that by nobody's right: where its own names or subjects are
/// taken, which nobody else's scenario has, another tenant's stand in its way.
pub(super) async fn keep(scene: &mut Scene, owner: &Peer, config: &Value) -> Step {
    let created = create(scene, owner, config).await?;
    let why = format!("{owner} cannot keep a stream of its own: {created}");
    match created.sight {
        Sight::Answered(_) => Ok(()),
        Sight::Refused(refusal) => match without_its_own(&refusal) {
            Conclusion::Violated => scene.violated(why),
            Conclusion::Broken => scene.broken(why),
            Conclusion::Passed | Conclusion::Inconclusive => scene.unclear(why),
        },
        _ => scene.unclear(why),
    }
}

/// What it says of the platform that a tenant is refused what is its own to keep. A share that is spent says nothing: that may
/// be by somebody's right.
fn without_its_own(refusal: &Refusal) -> Conclusion {
    match refusal {
        // The name is taken (10058), or the subjects are (10065).
        Refusal::JetStream { error: 10058 | 10065, .. } => Conclusion::Violated,
        Refusal::Broker(_) | Refusal::NoResponders => Conclusion::Broken,
        _ => Conclusion::Inconclusive,
    }
}

/// Stores a note that the scenario keeps, which the owner may.
pub(super) async fn keep_note(scene: &mut Scene, owner: &Peer, subject: &str, text: &str) -> Step {
    let stored = scene.session(owner).await?.store(subject, text).await;
    let why = format!("{owner} cannot store a message of its own: {stored}");
    match stored.sight {
        Sight::Answered(_) => Ok(()),
        Sight::Refused(refusal) if without_its_own(&refusal) == Conclusion::Broken => scene.broken(why),
        _ => scene.unclear(why),
    }
}

/// Stores a message and waits for the broker's receipt.
pub(super) async fn store(scene: &mut Scene, owner: &Peer, subject: &str, text: &str) -> Result<(), Unmet> {
    let stored = scene.session(owner).await?.store(subject, text).await;
    match stored.sight {
        Sight::Answered(_) => Ok(()),
        _ => Err(Unmet(format!("{owner} cannot store a message of its own: {stored}"))),
    }
}

/// A stream as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Its shape and every message in it.
    Holds(Vec<String>),
    /// The broker knows no such stream.
    Gone,
}

impl fmt::Display for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(lines) => formatter.write_str(&lines.join("; ")),
            Self::Gone => formatter.write_str("no such stream"),
        }
    }
}

/// What the broker says of a stream. A broker that says nothing leaves open what is in it: that is no reading.
pub(super) async fn read(scene: &mut Scene, owner: &Peer, stream: &str) -> Result<Reading, Unmet> {
    let unreadable = |seen: String| Unmet(format!("{owner} cannot read its {stream}: {seen}"));
    let session = scene.session(owner).await?;
    let info = session.api(&format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await;
    let Some(info) = shape(&info.sight).map_err(unreadable)? else { return Ok(Reading::Gone) };
    let state = &info["state"];
    let (first, last) = (state["first_seq"].as_u64().unwrap_or(0), state["last_seq"].as_u64().unwrap_or(0));
    let mut lines = vec![
        format!("subjects {} of at most {} bytes", info["config"]["subjects"], info["config"]["max_bytes"]),
        format!("{} messages from {first} to {last}", state["messages"]),
    ];
    for sequence in first.max(1)..=last {
        let get = format!("$JS.API.STREAM.MSG.GET.{stream}");
        let message = session.api(&get, &json!({ "seq": sequence })).await;
        lines.push(format!("{sequence}: {}", stored(&message.sight).map_err(unreadable)?));
    }
    Ok(Reading::Holds(lines))
}

/// The stream's description; `None` when there is no such stream.
fn shape(info: &Sight<Value>) -> Result<Option<&Value>, String> {
    match info {
        Sight::Answered(info) => Ok(Some(info)),
        Sight::Refused(refusal) if refusal.is_stream_not_found() => Ok(None),
        seen => Err(seen.to_string()),
    }
}

/// A message's payload, or what JetStream says of a place where there is none.
fn stored(message: &Sight<Value>) -> Result<String, String> {
    match message {
        Sight::Answered(found) => Ok(found["message"]["data"].to_string()),
        Sight::Refused(refusal @ Refusal::JetStream { .. }) => Ok(refusal.to_string()),
        seen => Err(seen.to_string()),
    }
}

/// How many messages a stream holds.
pub(super) async fn count(scene: &mut Scene, owner: &Peer, stream: &str) -> Result<Observation<u64>, Unmet> {
    let session = scene.session(owner).await?;
    let info = session.api(&format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await;
    Ok(info.map(|info| info["state"]["messages"].as_u64().unwrap_or(0)))
}

/// Tenants may have ten streams each, so few scenarios may keep any at the same time.
async fn hold_place(scene: &mut Scene) -> Result<(), Unmet> {
    if scene.place.is_none() {
        let platform: Arc<Platform> = scene.platform()?;
        let place = Arc::clone(&platform.stream_places).acquire_owned().await;
        scene.place = Some(place.map_err(|error| PlatformError::Impossible(error.to_string()))?);
    }
    Ok(())
}

/// Removes what the scenario kept. Says what could not be removed.
pub(crate) async fn clean_up(scene: &mut Scene) -> Vec<String> {
    let mut left = Vec::new();
    for (owner, stream) in std::mem::take(&mut scene.kept) {
        let removed = match scene.session(&owner).await {
            Ok(session) => session.api(&format!("$JS.API.STREAM.DELETE.{stream}"), &Value::Null).await,
            Err(error) => {
                left.push(format!("stream {stream} of {owner}: {error}"));
                continue;
            }
        };
        let gone = match &removed.sight {
            Sight::Answered(_) => true,
            Sight::Refused(refusal) => refusal.is_stream_not_found(),
            _ => false,
        };
        if !gone {
            left.push(format!("stream {stream} of {owner}: {removed}"));
        }
    }
    scene.place = None;
    left
}

/// Whether a message belongs to this scenario's notes of that owner.
pub(super) fn names(scene: &Scene, owner: &Peer, text: &str) -> bool {
    text.contains(&format!("of {owner} in {}", scene.nonce))
}

/// The stored payload of a `MSG.GET` answer, decoded.
pub(super) fn payload(answer: &Value) -> String {
    answer["message"]["data"].as_str().map_or_else(String::new, decode_base64)
}

/// Standard base64 (RFC 4648, section 4), which is how the JetStream API carries payloads in JSON.
fn decode_base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().filter_map(|byte| ALPHABET.iter().position(|known| *known == byte)) {
        bits = (bits << 6) | u32::try_from(digit).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_no_reading() {
        let error = |error| {
            Sight::Refused(Refusal::JetStream { code: 404, error, description: "not found".to_owned() })
        };
        assert_eq!(shape(&error(10059)), Ok(None));
        assert!(shape(&Sight::Answered(json!({}))).is_ok_and(|shape| shape.is_some()));
        assert_eq!(stored(&error(10037)).unwrap(), "JetStream error 404/10037: not found");
        let nothing = [
            Sight::Silence(std::time::Duration::from_secs(3)),
            Sight::Closed(String::new()),
            Sight::Unreachable(String::new()),
            Sight::NotMade(String::new()),
            Sight::Refused(Refusal::Broker("Permissions Violation".to_owned())),
        ];
        for seen in nothing {
            assert!(shape(&seen).is_err() && stored(&seen).is_err(), "{seen}");
        }
    }

    #[test]
    fn who_cannot_keep_its_own_is_in_anothers_way_or_shut_out_or_has_spent_its_share() {
        let jetstream = |error| Refusal::JetStream { code: 400, error, description: String::new() };
        for (refusal, said) in [
            (jetstream(10058), Conclusion::Violated),
            (jetstream(10065), Conclusion::Violated),
            (jetstream(10027), Conclusion::Inconclusive),
            (jetstream(10047), Conclusion::Inconclusive),
            (Refusal::Broker("Permissions Violation".to_owned()), Conclusion::Broken),
            (Refusal::NoResponders, Conclusion::Broken),
        ] {
            assert_eq!(without_its_own(&refusal), said, "{refusal}");
        }
    }

    #[test]
    fn payloads_are_decoded() {
        assert_eq!(decode_base64("bm90ZSAx"), "note 1");
        assert_eq!(decode_base64("bm90ZQ=="), "note");
        assert_eq!(decode_base64(""), "");
    }

    #[test]
    fn a_configuration_is_bounded_whatever_is_added() {
        let config = configuration("S", &json!({ "subjects": ["a.>"] }));
        assert_eq!(config["max_bytes"], STREAM_BYTES_MAX);
        assert_eq!(config["subjects"], json!(["a.>"]));
    }
}
