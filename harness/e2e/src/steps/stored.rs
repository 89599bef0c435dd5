//! What the platform keeps of its tenants, as the administrator finds it.

use std::time::Duration;

use bulkhead_runtime::probe::grpc::call;
use bulkhead_runtime::probe::{Nonce, Sight};
use cucumber::then;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::agents::report;
use crate::engage;
use crate::scene::{Scene, Step, Unmet};
use crate::words::{Peer, Tenant};

/// How long a message may take into its tenant's stream.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many of a tenant's last messages are looked at: all that one request may ask for.
const LAST: u64 = 100;

#[then(expr = "the administrator finds it among the stored results of {tenant}")]
async fn finds_it(scene: &mut Scene, tenant: Tenant) -> Step {
    let nonce = scene.nonce.clone();
    match stored_with(scene, &tenant.0, &nonce).await? {
        Some(_) => Ok(()),
        None => scene.unclear(format!("nothing of it is kept for {}, where it belongs", tenant.0)),
    }
}

/// What the tenant reports itself now is found, and with it whatever was kept before.
#[then(expr = "the administrator finds nothing of it among the stored results of {tenant}")]
async fn finds_nothing(scene: &mut Scene, tenant: Tenant) -> Step {
    let own = Nonce::fresh();
    let (platform, agent) = (scene.platform()?, Peer::Agent(tenant.0.clone()));
    let caller = engage::caller(scene, &agent, &Peer::Poller)?;
    let reported = call(&platform.target(&Peer::Poller)?.address, &caller, report(&own)).await;
    scene.note(&reported);
    let Some(stored) = stored_with(scene, &tenant.0, &own).await? else {
        return scene.unclear(format!("not even {agent}'s own report is kept: {reported}"));
    };
    let nonce = scene.nonce.clone();
    match stored.messages.iter().find(|message| says(message, &nonce)) {
        Some(message) => scene.violated(format!("it is kept among what is {}'s: {message}", tenant.0)),
        None => Ok(()),
    }
}

/// What is kept of a tenant.
pub(super) struct Stored {
    /// The last messages, oldest first.
    pub(super) messages: Vec<Value>,
    /// The place of the message that was looked for.
    pub(super) sequence: u64,
}

/// The last of what is kept of a tenant, as soon as it has a message that says this (in its subject or its body).
pub(super) async fn stored_with(
    scene: &mut Scene,
    tenant: &str,
    nonce: &Nonce,
) -> Result<Option<Stored>, Unmet> {
    let subject = format!("admin.results.{}", scene.platform()?.slug(tenant)?);
    let request = json!({ "count": LAST }).to_string();
    let until = Instant::now() + DEADLINE;
    loop {
        let session = scene.session(&Peer::Administrator).await?;
        let asked = session.request(&subject, &request).await;
        let Sight::Answered(reply) = &asked.sight else {
            return Err(Unmet(format!("the administrator cannot read what is kept: {asked}")));
        };
        let answer: Value = serde_json::from_slice(&reply.payload).unwrap_or(Value::Null);
        let Some(messages) = answer["messages"].as_array() else {
            return Err(Unmet(format!("the administrator is not told what is kept: {:.300}", reply.text())));
        };
        if let Some(message) = messages.iter().find(|message| says(message, nonce)) {
            scene.note(format!("kept for {tenant}: {message}"));
            let sequence = message["sequence"].as_u64().unwrap_or(0);
            return Ok(Some(Stored { messages: messages.clone(), sequence }));
        }
        if Instant::now() >= until {
            scene.note(format!("{} messages are kept for {tenant}, none with {nonce}", messages.len()));
            return Ok(None);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn says(message: &Value, nonce: &Nonce) -> bool {
    message.to_string().contains(nonce.as_str())
}
