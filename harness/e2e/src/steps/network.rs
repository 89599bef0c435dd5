//! Who reaches whom on the network, asked from inside.

use bulkhead_plan::access::{Operation, Outcome};
use bulkhead_runtime::probe::Sight;
use cucumber::when;
use serde_json::{Value, json};

use super::listening::job_subject;
use crate::scene::{Scene, Step, Unmet};
use crate::words::Peer;
use bulkhead_runtime::probe::verdict::{Judged, between};

/// For one connection; a wall drops packets, so an attempt at one lasts this long.
const CONNECT_LIMIT_MS: u64 = 700;

/// The prober's own agent opens the connection, as a job. In the same moment it reaches the broker, and the
/// target's port answers on the target's own network: else the silence of the target would say nothing.
#[when(expr = "{peer} tries to reach {peer}")]
async fn tries_to_reach(scene: &mut Scene, who: Peer, target: Peer) -> Step {
    let before = control(scene, &who, &target).await;
    let (outcome, told) = reach(scene, &who, &target).await?;
    let after = control(scene, &who, &target).await;
    let platform = scene.platform()?;
    let operation = Operation::Reach { target: platform.name(&target)? };
    let model = platform.expected(platform.as_itself(&who)?, operation);
    scene.file(&target, between(before, Judged::new(outcome, vec![told]).under(model), after));
    Ok(())
}

async fn control(scene: &mut Scene, who: &Peer, target: &Peer) -> Result<String, String> {
    let from_inside = match target {
        Peer::Agent(_) => target,
        _ => who,
    };
    let (own, own_told) = reach(scene, from_inside, target).await.map_err(|error| error.to_string())?;
    let (way, way_told) = reach(scene, who, &Peer::Broker).await.map_err(|error| error.to_string())?;
    match (own, way) {
        (Outcome::Allowed, Outcome::Allowed) => Ok(format!("{own_told}; {way_told}")),
        _ => Err(format!("{own_told}; {way_told}")),
    }
}

/// One port check as a job of the tenant's own agent.
async fn reach(scene: &mut Scene, from: &Peer, to: &Peer) -> Result<(Outcome, String), Unmet> {
    let platform = scene.platform()?;
    let Peer::Agent(word) = from else {
        return Err(Unmet(format!("{from} makes no port checks")));
    };
    let address = platform.network_address(to)?;
    let job = json!({
        "name": "e2e-reach", "type": "port", "details": address, "timeout_ms": CONNECT_LIMIT_MS,
        "nonce": scene.nonce.as_str(),
    });
    let subject = job_subject(&platform, word)?;
    let asked = scene.session(from).await?.request(&subject, &job.to_string()).await;
    let Sight::Answered(reply) = &asked.sight else {
        return Ok((Outcome::Inconclusive(asked.to_string()), asked.to_string()));
    };
    let answer: Value = serde_json::from_slice(&reply.payload).unwrap_or(Value::Null);
    let told = format!("{from} to {address}: {:.200}", reply.text());
    let outcome = match answer["available"].as_bool() {
        Some(true) => Outcome::Allowed,
        Some(false) => Outcome::Unreachable,
        None => Outcome::Inconclusive(told.clone()),
    };
    Ok((outcome, told))
}
