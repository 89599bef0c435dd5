//! Commands that are made of other commands.
//!
//! Each child leads a process group of its own, so that Ctrl-C on a terminal reaches this program alone, which asks the
//! child to end, once: a second request would end it in the middle of its teardown.

use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio_util::sync::CancellationToken;

/// Runs a program to its end. When `cancel` is cancelled it is asked to end, with all that it started, and waited for.
pub(crate) async fn ended(command: Command, cancel: &CancellationToken) -> std::io::Result<Output> {
    let mut command = tokio::process::Command::from(command);
    let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
    let group = child.id();
    let end = child.wait_with_output();
    tokio::pin!(end);
    tokio::select! {
        output = &mut end => return output,
        () = cancel.cancelled() => ask_to_end(group),
    }
    end.await
}

fn ask_to_end(group: Option<u32>) {
    let group = group.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // It has ended already when this fails.
        let _ = kill_process_group(group, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_child_started_is_asked_as_well() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let began = std::time::Instant::now();
        // The pipe is open for as long as the grandchild lives.
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & wait"]).stdout(Stdio::piped());
        ended(shell, &cancel).await.unwrap();
        assert!(began.elapsed() < std::time::Duration::from_secs(30));
    }
}
