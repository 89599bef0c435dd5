//! A tenant that uses up its share of JetStream.

use std::time::Duration;

use bulkhead_probe::nats::Session;
use serde_json::{Value, json};

use super::broker::Member;
use super::{Done, Ground};
use crate::stage::answered;

/// Of one stored message: a little less than an account may send.
const BYTES: usize = 200 * 1024;
/// More than any share holds.
const STORED_AT_MOST: usize = 1000;
/// Between two tries when nothing fits any more.
const AGAIN: Duration = Duration::from_millis(20);

/// Reserves all that is left on disk and in memory, fills it, and goes on trying.
pub(super) async fn fill(ground: &mut Ground<'_>) -> Result<Done, String> {
    let member = Member::of(ground)?;
    let mut session = answered(member.log_in().await)?;
    let shares = [("file", "storage"), ("memory", "memory")];
    let mut done = Done::default();
    for (kind, share) in shares {
        let reserved = reserve(ground, &mut session, kind, share).await?;
        done.said.push(format!("the last {} KiB of its {kind} are reserved", reserved / 1024));
    }
    let (stored, refusal) = fill_up(ground, &mut session).await?;
    let mut refused = 0_usize;
    loop {
        let again = session.store(&subject(ground, "file"), &"x".repeat(BYTES)).await;
        let more = session.api(&create(ground, "more"), &config(ground, "more", "file", 1024 * 1024)).await;
        for tried in [answered(again), answered(more)] {
            match tried {
                Ok(_) => done.wrong.push("something was stored although its share was full".to_owned()),
                Err(_) => refused += 1,
            }
        }
        if !ground.pause(AGAIN).await {
            break;
        }
    }
    done.said.push(format!(
        "{stored} messages of {} KiB stored, then {refused} tries refused: {refusal}",
        BYTES / 1024
    ));
    for kind in ["file", "memory", "more"] {
        let _gone_or_never_there =
            session.api(&format!("$JS.API.STREAM.DELETE.{}", name(ground, kind)), &Value::Null).await;
    }
    Ok(done)
}

fn name(ground: &Ground<'_>, kind: &str) -> String {
    format!("FILL_{kind}_{}", ground.stage.run)
}

fn subject(ground: &Ground<'_>, kind: &str) -> String {
    format!("{}.fill.{kind}", ground.tenant)
}

fn create(ground: &Ground<'_>, kind: &str) -> String {
    format!("$JS.API.STREAM.CREATE.{}", name(ground, kind))
}

fn config(ground: &Ground<'_>, kind: &str, storage: &str, bytes: u64) -> Value {
    json!({
        "name": name(ground, kind), "subjects": [subject(ground, kind)], "storage": storage, "retention": "limits",
        "num_replicas": 1, "max_bytes": bytes, "discard": "new",
    })
}

async fn reserve(ground: &Ground<'_>, session: &mut Session, kind: &str, share: &str) -> Result<u64, String> {
    let info = answered(session.api("$JS.API.INFO", &Value::Null).await)?;
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let left = number(&info["limits"][format!("max_{share}")])
        .saturating_sub(number(&info[format!("reserved_{share}")]));
    if left == 0 {
        return Ok(0);
    }
    let made = session.api(&create(ground, kind), &config(ground, kind, kind, left)).await;
    answered(made)
        .map(|_| left)
        .map_err(|why| format!("its last {left} bytes of {kind} cannot be reserved: {why}"))
}

/// Stores until the stream takes no more.
async fn fill_up(ground: &Ground<'_>, session: &mut Session) -> Result<(usize, String), String> {
    let (subject, payload) = (subject(ground, "file"), "x".repeat(BYTES));
    for stored in 0..STORED_AT_MOST {
        let receipt = session.store(&subject, &payload).await;
        if let Err(why) = answered(receipt) {
            return Ok((stored, why));
        }
    }
    Err(format!("{STORED_AT_MOST} messages were stored, and its share is still not full"))
}
