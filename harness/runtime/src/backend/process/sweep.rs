//! Ends processes: those of one run, and those that killed runs left behind.
//!
//! Each process carries its labels in its environment, as a container carries its own, so that it is found even when
//! the harness was killed before it could write down the pid. Where the system does not show a process's environment,
//! the files below `run/` are what there is. A process is ended only while its pid still belongs to the very process
//! that was found.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use time::OffsetDateTime;

use super::run_file::{self, RunFile};
use crate::engine::labels::{SERVICE, Scope};
use crate::owner::{Liveness, Owner};

/// In the environment of each process: its labels, as a JSON object.
pub(crate) const LABELS_VARIABLE: &str = "BULKHEAD_LABELS";

/// How long a process may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long a killed process may take to be gone.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the process table is asked.
const POLL: Duration = Duration::from_millis(2);

/// Whether processes are asked to end before they are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// SIGTERM first: for services that somebody still uses.
    Gentle,
    /// SIGKILL: for what nobody owns.
    Kill,
}

/// What was ended and what would not end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// One text for each process: the service and the pid.
    pub processes: Vec<String>,
    /// What is still there, each with the reason.
    pub stuck: Vec<String>,
}

/// Ends what `scope` covers, as far as this system shows it or it is written below `state_root`.
pub async fn sweep(scope: &Scope, state_root: Option<&Path>, manner: Manner) -> Ended {
    let now = OffsetDateTime::now_utc();
    let mut found = labelled_processes();
    found.extend(state_root.map(written_processes).unwrap_or_default());
    found.retain(|_, labels| scope.covers(labels, now));
    let ends = found
        .into_iter()
        .map(|(process, labels)| async move { (named(&process, &labels), end(&process, manner).await) });
    let mut ended = Ended::default();
    for (name, result) in join_all(ends).await {
        match result {
            Ok(()) => ended.processes.push(name),
            Err(reason) => ended.stuck.push(format!("{name}: {reason}")),
        }
    }
    ended
}

/// What a sweep would end, as far as this system shows it.
pub fn covered(scope: &Scope) -> Vec<String> {
    let now = OffsetDateTime::now_utc();
    let found = labelled_processes().into_iter().filter(|(_, labels)| scope.covers(labels, now));
    found.map(|(process, labels)| named(&process, &labels)).collect()
}

fn named(process: &Owner, labels: &HashMap<String, String>) -> String {
    let service = labels.get(SERVICE).map(String::as_str).unwrap_or_default();
    format!("process {service} (pid {})", process.pid())
}

/// Ends one process: asks it first when `manner` says so, and kills it when it does not listen.
pub(super) async fn end(process: &Owner, manner: Manner) -> Result<(), String> {
    if manner == Manner::Gentle {
        signal(process, Signal::TERM)?;
        if gone_within(process, GRACE).await {
            return Ok(());
        }
    }
    signal(process, Signal::KILL)?;
    if gone_within(process, KILL_TIMEOUT).await {
        return Ok(());
    }
    Err(format!("it is still there {} s after SIGKILL", KILL_TIMEOUT.as_secs()))
}

/// Asks one process to end, and does not wait.
pub(crate) fn ask_to_end(process: &Owner) {
    // One that cannot be asked is noticed by whoever waits for its end.
    let _ = signal(process, Signal::TERM);
}

fn signal(process: &Owner, signal: Signal) -> Result<(), String> {
    let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|_| process.liveness() == Liveness::Alive) else { return Ok(()) };
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(format!("cannot signal it: {error}")),
    }
}

async fn gone_within(process: &Owner, time: Duration) -> bool {
    let deadline = Instant::now() + time;
    while process.liveness() == Liveness::Alive {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}

fn written_processes(state_root: &Path) -> HashMap<Owner, HashMap<String, String>> {
    let environments = std::fs::read_dir(state_root).into_iter().flatten().flatten();
    let files = environments.flat_map(|environment| run_file::all_in(&environment.path()));
    let alive = |file: RunFile| Some((file.owner()?, file.labels));
    files.filter_map(alive).filter(|(process, _)| process.liveness() == Liveness::Alive).collect()
}

/// Reads `/proc`; elsewhere than on Linux there is none, and nothing is found.
fn labelled_processes() -> HashMap<Owner, HashMap<String, String>> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        // The identity first: should the pid change hands in between, the labels are of the younger process, and
        // the older identity is dead.
        let process = Owner::of_pid(pid)?;
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        Some((process, labels_in(&environment)?))
    })
    .collect()
}

fn labels_in(environment: &[u8]) -> Option<HashMap<String, String>> {
    let prefix = format!("{LABELS_VARIABLE}=");
    let value =
        environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()))?;
    serde_json::from_slice(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::labels::{Lease, Stamp};

    fn stamp(run: &str, owner: Owner) -> Stamp {
        Stamp {
            environment: "sweep".to_owned(),
            checkout: "sweep-test".to_owned(),
            run: run.to_owned(),
            owner,
            lease: Lease::owned(OffsetDateTime::now_utc()),
        }
    }

    fn sleeper(stamp: &Stamp) -> std::process::Child {
        let labels = serde_json::to_string(&stamp.labels(Some("nats"), None)).unwrap();
        std::process::Command::new("sleep").arg("600").env(LABELS_VARIABLE, labels).spawn().unwrap()
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn ends_the_processes_of_one_run_and_no_other() {
        let run = |name: &str| format!("{name}-{}", std::process::id());
        let mut ours = sleeper(&stamp(&run("ours"), Owner::current()));
        let mut other = sleeper(&stamp(&run("other"), Owner::current()));
        let ended = sweep(&Scope::Run(run("ours")), None, Manner::Gentle).await;
        assert_eq!(ended.processes, [format!("process nats (pid {})", ours.id())]);
        assert!(other.try_wait().unwrap().is_none(), "the other run's process must still be there");
        other.kill().unwrap();
        other.wait().unwrap();
        ours.wait().unwrap();
    }

    #[tokio::test]
    async fn never_signals_a_process_that_only_has_the_pid() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let owner = Owner::of_pid(child.id()).unwrap().to_string();
        let (place, _start) = owner.rsplit_once(':').unwrap();
        let older: Owner = format!("{place}:1").parse().unwrap();
        end(&older, Manner::Kill).await.unwrap();
        assert!(child.try_wait().unwrap().is_none(), "the younger process must still be there");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn finds_labels_among_other_variables() {
        let environment = b"PATH=/bin\0BULKHEAD_LABELS={\"a\":\"b\"}\0HOME=/\0";
        assert_eq!(labels_in(environment).unwrap()["a"], "b");
        assert_eq!(labels_in(b"PATH=/bin\0"), None);
    }
}
