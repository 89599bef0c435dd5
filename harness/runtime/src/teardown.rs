//! Takes environments down: one by name, all of a checkout, and what killed runs left behind.

use std::path::Path;
use std::time::{Duration, Instant};

use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::spec::EnvironmentName;

use crate::backend::process::sweep::{self as processes, Manner};
use crate::engine::labels::{Scope, checkout_id};
use crate::engine::sweep as containers;
use crate::engine::{Engine, EngineError, chain};
use crate::environment::scope_of;
use crate::error::{Failure, exit_code};
use crate::event::{Event, Events};
use crate::handover::{self, HANDOVER};
use crate::owner::{Liveness, Owner};
use crate::starter::Chosen;
use crate::workdir::{Lock, Workdir, WorkdirError};

/// How long the owner of an environment may take to take it down when it is asked to.
const OWNER_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at what the owner does.
const POLL: Duration = Duration::from_millis(20);

/// What is in the state folder only while an environment runs. Certificates, configurations and logs stay.
const TRANSIENT: [&str; 5] = ["environment.json", HANDOVER, "data", "run", "lease"];

/// Something is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownError {
    /// The state folder is not as it must be, or its owner will not let go.
    #[error(transparent)]
    Workdir(#[from] WorkdirError),
    /// Containers cannot be taken down without their engine.
    #[error("its containers cannot be taken down: {0}")]
    Engine(#[from] EngineError),
    /// The engine or the system would not give something up.
    #[error("still there: {}", .0.join("; "))]
    Stuck(Vec<String>),
    /// Some environments resisted; everything else was taken down.
    #[error("{}", .0.iter().map(|(name, error)| format!("{name}: {error}")).collect::<Vec<_>>().join("\n"))]
    Several(Vec<(String, DownError)>),
}

impl DownError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Workdir(error) => error.advice(),
            Self::Engine(_) => {
                "start the engine that they run in, or set DOCKER_HOST to it, and do it again".to_owned()
            }
            Self::Stuck(_) => {
                "do it again; a network with endpoints of no container goes when the engine is \
                               restarted, and is in nobody's way until then"
                    .to_owned()
            }
            Self::Several(resisting) => {
                let advice = resisting.iter().map(|(name, error)| format!("{name}: {}", error.advice()));
                advice.collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// See [`exit_code`].
    pub fn exit_code(&self) -> u8 {
        exit_code::NOT_STARTED
    }
}

/// What was taken away, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers, networks and processes.
    pub things: Vec<String>,
    /// What could not be looked at, and why.
    pub notices: Vec<String>,
}

/// Takes down the environment `name`, whatever state it is in: an owner that still lives is asked to, and what has no
/// owner is swept.
///
/// # Errors
/// What is still there.
pub async fn down(state_root: &Path, name: &EnvironmentName, events: &Events) -> Result<Removed, DownError> {
    let workdir = Workdir::new(state_root, name)?;
    let began = Instant::now();
    events.emit(Event::Stopping);
    let lock = match workdir.path().exists() {
        true => Some(lock_from_owner(&workdir).await?),
        false => None,
    };
    let scope = Scope::Environment { checkout: checkout_id(state_root), name: name.to_string() };
    // A damaged description is no reason to leave things running: labels say what belongs to the environment.
    let in_engine =
        workdir.read_record().ok().flatten().is_some_and(|record| record.backend != BackendKind::Process)
            || handover::is_there(&workdir);
    let (removed, stuck) = take_away(&scope, state_root, in_engine).await?;
    if lock.is_some() {
        clear(&workdir)?;
    }
    events.emit(Event::Stopped { after: began.elapsed(), stuck: stuck.clone() });
    unless_stuck(stuck).map(|()| removed)
}

/// Takes down every environment of the checkout, and whatever belongs to nobody any more, of any checkout. One that resists
/// is in no other's way: says what was taken away, and what is still there.
pub async fn down_all(state_root: &Path, events: &Events) -> (Removed, Result<(), DownError>) {
    let (mut all, mut resisting) = (Removed::default(), Vec::new());
    let mut keep = |whose: String, result: Result<Removed, DownError>| match result {
        Ok(removed) => {
            all.things.extend(removed.things);
            all.notices.extend(
                removed
                    .notices
                    .into_iter()
                    .filter(|notice| !all.notices.contains(notice))
                    .collect::<Vec<_>>(),
            );
        }
        Err(error) => resisting.push((whose, error)),
    };
    for name in names_in(state_root) {
        keep(name.to_string(), down(state_root, &name, events).await);
    }
    let scope = Scope::Checkout(checkout_id(state_root));
    let rest = take_away(&scope, state_root, false).await;
    keep("the rest".to_owned(), rest.and_then(|(removed, stuck)| unless_stuck(stuck).map(|()| removed)));
    let result = if resisting.is_empty() { Ok(()) } else { Err(DownError::Several(resisting)) };
    (all, result)
}

/// The names of the environments that have a state folder.
pub fn names_in(state_root: &Path) -> Vec<EnvironmentName> {
    let entries = std::fs::read_dir(state_root).into_iter().flatten().flatten();
    let mut names: Vec<EnvironmentName> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    names.sort();
    names
}

async fn lock_from_owner(workdir: &Workdir) -> Result<Lock, WorkdirError> {
    let deadline = Instant::now() + OWNER_TIMEOUT;
    let mut asked = false;
    loop {
        let busy = match workdir.lock() {
            Err(busy @ WorkdirError::Busy { .. }) => busy,
            other => return other,
        };
        // One of another machine or container has a pid that is somebody else's here.
        let owner = match &busy {
            WorkdirError::Busy { owner: Some(owner), .. } => Some(owner)
                .filter(|owner| **owner != Owner::current() && owner.liveness() != Liveness::Unknown),
            _ => None,
        };
        let Some(owner) = owner.filter(|_| Instant::now() < deadline) else { return Err(busy) };
        if !asked {
            processes::ask_to_end(owner);
            asked = true;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn take_away(
    scope: &Scope,
    state_root: &Path,
    engine_needed: bool,
) -> Result<(Removed, Vec<String>), DownError> {
    let mut removed = Removed::default();
    let mut stuck = Vec::new();
    let ended = processes::sweep(scope, Some(state_root), Manner::Gentle).await;
    removed.things.extend(ended.processes);
    stuck.extend(ended.stuck);
    match Engine::connect().await {
        Ok(engine) => match containers::sweep(engine.docker(), scope).await {
            Ok(swept) => {
                removed.things.extend(swept.containers.into_iter().map(|name| format!("container {name}")));
                removed.things.extend(swept.networks.into_iter().map(|name| format!("network {name}")));
                stuck.extend(swept.stuck);
            }
            Err(error) => stuck.push(format!("what is in the engine: {}", chain(&error))),
        },
        Err(error) if engine_needed => return Err(error.into()),
        Err(error) => removed.notices.push(format!("no containers were looked for: {error}")),
    }
    Ok((removed, stuck))
}

pub(crate) fn unless_stuck(stuck: Vec<String>) -> Result<(), DownError> {
    if stuck.is_empty() { Ok(()) } else { Err(DownError::Stuck(stuck)) }
}

/// Deletes what is in the state folder only while an environment runs.
pub(crate) fn clear(workdir: &Workdir) -> Result<(), WorkdirError> {
    TRANSIENT.iter().try_for_each(|path| workdir.remove(Path::new(path)))
}

/// Before a start: what earlier runs of this environment left, and what any run left whose owner is dead.
pub(crate) async fn leftovers(
    chosen: &Chosen,
    own: &Scope,
    state_root: &Path,
    events: &Events,
) -> Result<(), Failure> {
    let (mut removed, mut stuck) = (Vec::new(), Vec::new());
    for scope in [own, &Scope::Dead] {
        let ended = processes::sweep(scope, Some(state_root), Manner::Kill).await;
        removed.extend(ended.processes);
        stuck.extend(ended.stuck);
    }
    if let Some(engine) = chosen.engine() {
        for scope in [own, &Scope::Dead] {
            let swept = containers::sweep(engine.docker(), scope).await;
            let swept = swept.map_err(|error| Failure::Refused {
                attempt: "list what earlier runs left behind".to_owned(),
                reason: chain(&error),
            })?;
            removed.extend(swept.containers);
            removed.extend(swept.networks);
            // In nobody's way: every run has names of its own.
            stuck.extend(swept.stuck);
        }
    }
    if !removed.is_empty() || !stuck.is_empty() {
        events.emit(Event::Swept { removed, stuck });
    }
    Ok(())
}

/// For an environment that was dropped without being taken down. It has a runtime of its own, and reports to nobody.
pub(crate) fn in_a_hurry(workdir: &Workdir, record: &EnvironmentRecord) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let scope = scope_of(workdir, record);
    let root = workdir.path().parent().unwrap_or(workdir.path());
    let in_engine = record.backend != BackendKind::Process;
    if runtime.block_on(take_away(&scope, root, in_engine)).is_ok() {
        let _ = clear(workdir);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Child, Command};

    use super::*;

    /// An environment whose lock somebody holds who says that he is `host:pid:start`.
    fn held(root: &Path, name: &str, owner: &str) -> File {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("lock"), owner).unwrap();
        let file = File::open(folder.join("lock")).unwrap();
        file.lock().unwrap();
        file
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn is_alive(child: &mut Child) -> bool {
        child.try_wait().unwrap().is_none()
    }

    #[tokio::test]
    async fn a_pid_of_another_machine_is_nobody_here() {
        let root = tempfile::tempdir().unwrap();
        let mut innocent = sleeper();
        let elsewhere = format!("0123456789ab-1:{}:77", innocent.id());
        let _lock = held(root.path(), "one", &elsewhere);
        let error = down(root.path(), &"one".parse().unwrap(), &Events::none()).await.unwrap_err();
        let alive = is_alive(&mut innocent);
        innocent.kill().unwrap();
        innocent.wait().unwrap();
        assert!(alive, "it was ended: {error}");
        assert!(error.to_string().contains("another machine or container"), "{error}");
        assert!(!error.advice().contains("kill"), "{}", error.advice());
    }

    #[tokio::test]
    async fn one_that_resists_is_in_no_other_s_way() {
        let root = tempfile::tempdir().unwrap();
        let _lock = held(root.path(), "busy", "0123456789ab-1:1:77");
        let other = root.path().join("other");
        std::fs::create_dir_all(other.join("data")).unwrap();
        std::fs::write(other.join("environment.json"), "{").unwrap();
        let (_, result) = down_all(root.path(), &Events::none()).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains("busy: another process") && !error.contains("other:"), "{error}");
        assert!(!other.join("environment.json").exists() && !other.join("data").exists());
    }
}
