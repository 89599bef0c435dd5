//! What tenants keep with the broker, and what others try to do with it.

use std::time::Duration;

use bulkhead_plan::access::StorageOperation;
use bulkhead_runtime::probe::{Nonce, Observation, Sight};
use cucumber::{given, then, when};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::attack::{Attack, Copying};
use super::storage::{
    Reading, bucket, configuration, count, create, keep, keep_note, key, must_create, names, note_subject,
    note_text, notes, payload, read, store,
};
use crate::scene::{Scene, Step, Unmet};
use crate::words::{Peer, Tenant};
use bulkhead_runtime::probe::verdict::between;

/// How long a copy is watched after one of the copier's own has filled. The broker sets each of them up by itself, and it was
/// seen that the later one was first: in a shared account a copy of acme's notes was still empty then, and filled soon after.
const COPY_WATCHED: Duration = Duration::from_millis(700);
/// More than a tenant may have in all (64 MiB), and less than the broker has for two of them: else its own limit would refuse
/// it, and a missing share would never show.
const MORE_THAN_A_SHARE_BYTES: u64 = 100 << 20;
/// How long a copying stream may take to hold its first message.
const COPY_DEADLINE: Duration = Duration::from_secs(5);

#[given(expr = "{peer} keeps three notes")]
#[given(expr = "{peer} keeps three notes of the same name")]
async fn keeps_three_notes(scene: &mut Scene, owner: Peer) -> Step {
    let (stream, subject) = (notes(scene), note_subject(scene, &owner)?);
    keep(scene, &owner, &configuration(&stream, &json!({ "subjects": [subject] }))).await?;
    for number in 1..=3 {
        let text = note_text(scene, &owner, number);
        keep_note(scene, &owner, &subject, &text).await?;
    }
    take_reading(scene, &owner, &stream).await
}

#[when(expr = "{peer} keeps another note")]
async fn keeps_another_note(scene: &mut Scene, owner: Peer) -> Step {
    let (subject, text) = (note_subject(scene, &owner)?, note_text(scene, &owner, 4));
    keep_note(scene, &owner, &subject, &text).await
}

#[given(expr = "{peer} keeps a value")]
async fn keeps_a_value(scene: &mut Scene, owner: Peer) -> Step {
    let (stream, key) = (bucket(scene), key(scene));
    let bucket = json!({
        "subjects": [format!("$KV.E2E{}.>", scene.nonce)], "max_msgs_per_subject": 1, "discard": "new",
        "allow_rollup_hdrs": true, "allow_direct": true,
    });
    keep(scene, &owner, &configuration(&stream, &bucket)).await?;
    let text = note_text(scene, &owner, 1);
    keep_note(scene, &owner, &key, &text).await?;
    take_reading(scene, &owner, &stream).await
}

#[when(expr = "{peer} {attack} {tenant}'s notes")]
async fn attacks_notes(scene: &mut Scene, who: Peer, attack: Attack, owner: Tenant) -> Step {
    let word = owner.0.clone();
    let subject = note_subject(scene, &Peer::Agent(owner.0))?;
    let request = attack.request(&notes(scene), &subject);
    attempt(scene, &who, request, Some((attack.in_the_model(), word))).await
}

#[when(expr = "{peer} {attack} its own notes")]
async fn treats_its_own_notes(scene: &mut Scene, who: Peer, attack: Attack) -> Step {
    let subject = note_subject(scene, &who)?;
    let request = attack.request(&notes(scene), &subject);
    attempt(scene, &who, request, None).await
}

#[when(expr = "{peer} {attack} {tenant}'s value")]
async fn attacks_value(scene: &mut Scene, who: Peer, attack: Attack, owner: Tenant) -> Step {
    let request = attack.request(&bucket(scene), &key(scene));
    attempt(scene, &who, request, Some((attack.in_the_model(), owner.0))).await
}

#[when(expr = "{peer} lists its streams")]
async fn lists_streams(scene: &mut Scene, who: Peer) -> Step {
    attempt(scene, &who, ("$JS.API.STREAM.NAMES".to_owned(), Value::Null), None).await
}

#[when(expr = "{peer} reads the platform's record of {tenant}")]
async fn reads_the_platform_s_record(scene: &mut Scene, who: Peer, tenant: Tenant) -> Step {
    let stream = format!("RESULTS_{}", scene.platform()?.slug(&tenant.0)?);
    let theirs = count(scene, &Peer::Poller, &stream).await?;
    if !matches!(theirs.sight, Sight::Answered(_)) {
        return scene.unclear(format!("the platform itself cannot read {stream}: {theirs}"));
    }
    let request = Attack::Reads.request(&stream, ">");
    attempt(scene, &who, request, None).await
}

/// CVE-2025-30215: before 2.11.1 any account could have another's streams purged by this request.
#[when(expr = "{peer} has the broker purge {tenant}'s account")]
async fn purges_an_account(scene: &mut Scene, who: Peer, tenant: Tenant) -> Step {
    let account = format!("T_{}", scene.platform()?.slug(&tenant.0)?);
    attempt(scene, &who, (format!("$JS.API.ACCOUNT.PURGE.{account}"), Value::Null), None).await
}

#[when(expr = "{peer} reserves more storage than its share")]
async fn reserves_too_much(scene: &mut Scene, who: Peer) -> Step {
    let subject = note_subject(scene, &who)?;
    let wish = json!({ "subjects": [subject], "storage": "file", "max_bytes": MORE_THAN_A_SHARE_BYTES });
    let config = configuration(&notes(scene), &wish);
    let before = works(scene, &who).await;
    let asked = create(scene, &who, &config).await?;
    let after = works(scene, &who).await;
    let judged = scene.said(&asked, "", vec![asked.to_string()]).await?;
    scene.file(&who, between(before, judged, after));
    Ok(())
}

#[when(expr = "{peer} keeps a stream that {copying} {tenant}'s notes")]
async fn keeps_a_copy(scene: &mut Scene, who: Peer, copying: Copying, owner: Tenant) -> Step {
    let origin = json!({ "name": notes(scene) });
    let source = match copying {
        Copying::Captures => json!({ "subjects": [note_subject(scene, &Peer::Agent(owner.0))?] }),
        Copying::Mirrors => json!({ "mirror": origin }),
        Copying::Sources => json!({ "sources": [origin] }),
    };
    let config = configuration(&copy(scene), &source);
    // The broker makes it, since in one's own account another's subjects and streams are only names. Where it does not,
    // nothing was attempted: that there is no copy then is no sign of a wall.
    keep(scene, &who, &config).await
}

#[then(expr = "{tenant}'s stream holds nothing of {tenant}'s")]
async fn the_copy_is_empty(scene: &mut Scene, who: Tenant, owner: Tenant) -> Step {
    let (who, owner) = (Peer::Agent(who.0), Peer::Agent(owner.0));
    // A copy of the copier's own notes fills, so that an empty one of another's is no slowness.
    if let Err(why) = own_copy_fills(scene, &who).await? {
        return scene.unclear(format!("{who} cannot copy even its own: {why}"));
    }
    let copied = copy(scene);
    let until = Instant::now() + COPY_WATCHED;
    loop {
        let holds = count(scene, &who, &copied).await?;
        match holds.sight {
            Sight::Answered(0) if Instant::now() >= until => return Ok(()),
            Sight::Answered(0) => sleep(Duration::from_millis(20)).await,
            Sight::Answered(_) => {
                let held = read(scene, &who, &copied).await?;
                return scene.violated(format!("{who} holds messages of {owner}: {held}"));
            }
            _ => return scene.unclear(format!("{who}'s copy cannot be read: {holds}")),
        }
    }
}

#[then(expr = "{tenant}'s notes are unchanged")]
async fn notes_are_unchanged(scene: &mut Scene, owner: Tenant) -> Step {
    let stream = notes(scene);
    is_unchanged(scene, &Peer::Agent(owner.0), &stream).await
}

#[then(expr = "{tenant}'s value is unchanged")]
async fn value_is_unchanged(scene: &mut Scene, owner: Tenant) -> Step {
    let stream = bucket(scene);
    is_unchanged(scene, &Peer::Agent(owner.0), &stream).await
}

#[then(expr = "{tenant}'s notes are complete")]
async fn notes_are_complete(scene: &mut Scene, owner: Tenant) -> Step {
    let (owner, stream) = (Peer::Agent(owner.0), notes(scene));
    let held = count(scene, &owner, &stream).await?;
    match held.sight {
        Sight::Answered(4) => Ok(()),
        Sight::Answered(_) => scene.violated(format!("{owner}'s four notes are not all there: {held}")),
        _ => scene.unclear(format!("{owner} cannot read its own notes: {held}")),
    }
}

#[then(expr = "{peer} finds nothing of {tenant}'s")]
#[then(expr = "{peer} has seen nothing of {tenant}'s")]
async fn has_seen_nothing(scene: &mut Scene, who: Peer, owner: Tenant) -> Step {
    let owner = Peer::Agent(owner.0);
    let name = notes(scene);
    let own = scene.kept.iter().any(|(keeper, stream)| *keeper == who && *stream == name);
    let leak =
        scene.seen.iter().find(|text| names(scene, &owner, text) || (!own && text.contains(&name))).cloned();
    match leak {
        Some(text) => scene.violated(format!("{who} has seen what is {owner}'s: {text}")),
        None if scene.seen.is_empty() => {
            scene.unclear(format!("{who} has seen nothing at all, not even its own"))
        }
        None => Ok(()),
    }
}

#[then(expr = "{peer} can still keep a note")]
async fn can_keep_a_note(scene: &mut Scene, who: Peer) -> Step {
    match works(scene, &who).await {
        Ok(what) => {
            scene.note(what);
            Ok(())
        }
        Err(why) => scene.broken(format!("{who} can no longer keep a note: {why}")),
    }
}

/// One request of the JetStream API between two of the peer's own that work.
async fn attempt(
    scene: &mut Scene,
    who: &Peer,
    (subject, body): (String, Value),
    in_the_model: Option<(StorageOperation, String)>,
) -> Step {
    let before = works(scene, who).await;
    let asked: Observation<Value> = scene.session(who).await?.api(&subject, &body).await;
    let after = works(scene, who).await;
    let mut evidence = vec![asked.to_string()];
    if let Sight::Answered(answer) = &asked.sight {
        evidence.push(format!("answered: {answer}"));
        scene.seen.push(format!("{answer} {}", payload(answer)));
    }
    let mut judged = scene.said(&asked, &subject, evidence).await?;
    if let Some((operation, owner)) = in_the_model {
        let platform = scene.platform()?;
        judged =
            judged.under(platform.expected(platform.as_itself(who)?, platform.storage(operation, &owner)?));
    }
    scene.file(who, between(before, judged, after));
    Ok(())
}

/// The peer keeps a note in a stream of its own, reads it, and removes the stream.
async fn works(scene: &mut Scene, who: &Peer) -> Result<String, String> {
    let trial = async {
        let own = format!("OWN_{}", Nonce::fresh());
        let Peer::Agent(word) = who else {
            return Err(Unmet(format!("{who} keeps no notes")));
        };
        let subject = format!("{}.own.{}", scene.platform()?.slug(word)?, Nonce::fresh());
        must_create(scene, who, &configuration(&own, &json!({ "subjects": [subject] }))).await?;
        store(scene, who, &subject, "own note").await?;
        let held = count(scene, who, &own).await?;
        let session = scene.session(who).await?;
        let removed = session.api(&format!("$JS.API.STREAM.DELETE.{own}"), &Value::Null).await;
        match (&held.sight, &removed.sight) {
            (Sight::Answered(1), Sight::Answered(_)) => {
                Ok(format!("{who} keeps and reads a note of its own"))
            }
            _ => Err(Unmet(format!("{held}; {removed}"))),
        }
    };
    trial.await.map_err(|error| error.to_string())
}

/// A second stream of the peer's sources a first one and comes to hold its note.
async fn own_copy_fills(scene: &mut Scene, who: &Peer) -> Result<Result<(), String>, Unmet> {
    let Peer::Agent(word) = who else {
        return Err(Unmet(format!("{who} keeps no notes")));
    };
    let (first, second) = (format!("OWN_{}", Nonce::fresh()), format!("OWN_{}", Nonce::fresh()));
    let subject = format!("{}.own.{}", scene.platform()?.slug(word)?, Nonce::fresh());
    must_create(scene, who, &configuration(&first, &json!({ "subjects": [subject] }))).await?;
    store(scene, who, &subject, "own note").await?;
    let source = json!({ "sources": [{ "name": first }] });
    must_create(scene, who, &configuration(&second, &source)).await?;
    let until = Instant::now() + COPY_DEADLINE;
    loop {
        let held = count(scene, who, &second).await?;
        match held.sight {
            Sight::Answered(1..) => return Ok(Ok(())),
            _ if Instant::now() >= until => return Ok(Err(held.to_string())),
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn take_reading(scene: &mut Scene, owner: &Peer, stream: &str) -> Step {
    let reading = read(scene, owner, stream).await?;
    if reading == Reading::Gone {
        return scene.unclear(format!("{owner}'s {stream} is not there to be changed"));
    }
    scene.readings.push((owner.clone(), stream.to_owned(), reading));
    Ok(())
}

async fn is_unchanged(scene: &mut Scene, owner: &Peer, stream: &str) -> Step {
    let now = read(scene, owner, stream).await?;
    let earlier = scene.readings.iter().find(|(who, name, _)| who == owner && name == stream);
    match earlier.map(|(_, _, reading)| reading.clone()) {
        Some(before) if before == now => Ok(()),
        Some(before) => scene.violated(format!("{owner}'s {stream} changed from [{before}] to [{now}]")),
        None => scene.unclear(format!("{owner}'s {stream} was not read before")),
    }
}

fn copy(scene: &Scene) -> String {
    format!("COPY_{}", scene.nonce)
}
