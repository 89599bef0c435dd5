//! Containers that end by themselves, from the engine's event stream: about 20 ms after the fact, where asking again
//! and again takes 100.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerState, EventMessage};
use bollard::query_parameters::EventsOptionsBuilder;
use bulkhead_plan::ServiceId;
use futures::StreamExt;
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedSender;

use super::{LogPart, Shared, locked, log_lines};
use crate::engine::labels::{RUN, SERVICE};
use crate::event::Death;

/// How many lines of a log a death report shows.
pub(super) const SHOWN_LINES: usize = 20;
/// How long the log of a dead container may take to come.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);
/// The event of a container that used more memory than its limit; its death follows.
const OUT_OF_MEMORY: &str = "oom";
/// Between two tries to listen to an engine that went away.
const RECONNECT: Duration = Duration::from_millis(200);

/// Reports every end that nobody asked for, until nobody listens.
pub(super) async fn watch(
    docker: Docker,
    run: String,
    shared: Arc<Mutex<Shared>>,
    deaths: UnboundedSender<Death>,
) {
    // The engine tells again what happened since this moment, so nothing is lost before the stream stands. A run's
    // name is used once, so the engine's clock may be an hour off.
    let mut since = OffsetDateTime::now_utc().unix_timestamp() - 3600;
    let mut out_of_memory = BTreeSet::new();
    while !deaths.is_closed() {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", vec!["die".to_owned(), OUT_OF_MEMORY.to_owned()]),
            ("label", vec![format!("{RUN}={run}")]),
        ]);
        let options = EventsOptionsBuilder::default().since(&since.to_string()).filters(&filters).build();
        let mut events = docker.events(Some(options)).boxed();
        while let Some(Ok(event)) = events.next().await {
            since = event.time.map_or(since, |time| time + 1);
            if event.action.as_deref() == Some(OUT_OF_MEMORY) {
                out_of_memory.extend(event.actor.and_then(|actor| actor.id));
                continue;
            }
            if let Some(death) = death(&docker, &shared, &out_of_memory, event).await {
                let _ = deaths.send(death);
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn death(
    docker: &Docker,
    shared: &Mutex<Shared>,
    out_of_memory: &BTreeSet<String>,
    event: EventMessage,
) -> Option<Death> {
    let actor = event.actor?;
    let (container, attributes) = (actor.id?, actor.attributes?);
    let id: ServiceId = attributes.get(SERVICE)?.parse().ok()?;
    if locked(shared).stopping.remove(&id) {
        return None;
    }
    let tail = locked(shared).tails.remove(&id);
    if let Some(tail) = tail {
        let state = ContainerState {
            oom_killed: Some(out_of_memory.contains(&container)),
            exit_code: attributes.get("exitCode").and_then(|code| code.parse().ok()),
            ..ContainerState::default()
        };
        return Some(Death { id, how: describe(&state), last_lines: tail.last_lines().await });
    }
    let part = LogPart { last: Some(SHOWN_LINES), follow: false };
    let lines = log_lines(docker.clone(), container.clone(), part).collect::<Vec<_>>();
    let (facts, lines) =
        tokio::join!(docker.inspect_container(&container, None), tokio::time::timeout(LOG_TIMEOUT, lines));
    let how = match facts.ok().and_then(|facts| facts.state) {
        Some(state) => describe(&state),
        None => format!("exit code {}", attributes.get("exitCode").map_or("unknown", String::as_str)),
    };
    Some(Death { id, how, last_lines: lines.unwrap_or_default() })
}

/// How a container ended, for people.
pub(super) fn describe(state: &ContainerState) -> String {
    let error = state.error.as_deref().filter(|error| !error.is_empty());
    match (state.oom_killed, state.exit_code, error) {
        (Some(true), ..) => "a kill for using more memory than its limit".to_owned(),
        (_, Some(code), Some(error)) => format!("exit code {code} ({error})"),
        (_, Some(137), None) => "exit code 137 (SIGKILL)".to_owned(),
        (_, Some(code), None) => format!("exit code {code}"),
        (_, None, _) => "an unknown status".to_owned(),
    }
}
