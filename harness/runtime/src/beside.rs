//! Programs that somebody starts beside an environment, which must not outlive it or whoever started them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use bulkhead_plan::spec::EnvironmentName;
use time::OffsetDateTime;

use crate::backend::process::apart;
use crate::engine::labels::{Lease, Stamp, checkout_id};
use crate::owner::Owner;

/// Labels the program that `command` starts as a service of the environment is labelled, with this process as its owner: should
/// this one be killed, a sweep finds it. It gets no variable of the developer's, and no Ctrl-C from the terminal.
pub fn belongs_to(name: &EnvironmentName, state_folder: &Path, what: &str, command: &mut Command) {
    let labels: serde_json::Map<String, serde_json::Value> =
        labels(name, state_folder, what).into_iter().map(|(label, value)| (label, value.into())).collect();
    apart::set(command, serde_json::Value::Object(labels).to_string());
}

/// The labels of something that stands beside an environment, with this process as its owner.
pub(crate) fn labels(name: &EnvironmentName, state_folder: &Path, what: &str) -> HashMap<String, String> {
    let stamp = Stamp {
        environment: name.to_string(),
        checkout: checkout_id(state_folder.parent().unwrap_or(state_folder)),
        run: "beside".to_owned(),
        owner: Owner::current(),
        lease: Lease::owned(OffsetDateTime::now_utc()),
    };
    stamp.labels(Some(what), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::process::sweep;
    use crate::backend::process::sweep::Manner;
    use crate::engine::labels::Scope;

    /// They are there a moment after the program is.
    async fn variables_of(pid: u32) -> String {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let variables = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
            if !variables.is_empty() || std::time::Instant::now() > deadline {
                return variables;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_sweep_of_the_environment_finds_it_and_it_knows_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let name: EnvironmentName = "one".parse().unwrap();
        let mut command = Command::new("/bin/sleep");
        command.arg("60").env("BULKHEAD_AGENT_TENANT", "globex");
        belongs_to(&name, &root.path().join("one"), "a stand-in", &mut command);
        let mut child = command.spawn().unwrap();
        let variables = variables_of(child.id()).await;
        assert_eq!(variables.split_terminator('\0').count(), 2, "{variables}");
        let scope = Scope::Environment { checkout: checkout_id(root.path()), name: name.to_string() };
        let sweep = sweep::sweep(&scope, None, Manner::Kill);
        // Somebody has to take note of the end, or it stays as a zombie; which counts as ended.
        let ended = sweep.await;
        assert_eq!(ended.processes, [format!("process a stand-in (pid {})", child.id())]);
        child.wait().unwrap();
    }
}
