//! Starts other programs, one at a time in the whole process.
//!
//! Between the fork and the exec of a child, the child has a copy of every open file of this process, held ports
//! included. A port that is given up in that moment stays bound until the child's exec, and the service that was to
//! have it finds it in use. So whoever gives up a port and starts its service does both while nobody else starts
//! anything.

use std::io;
use std::process::Output;
use std::sync::{Mutex, PoisonError};

use tokio::process::{Child, Command};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Starts the program. What `before` does happens while no other program is being started.
pub(crate) fn spawn_after(before: impl FnOnce(), command: &mut Command) -> io::Result<Child> {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    before();
    command.spawn()
}

/// Starts the program.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    spawn_after(|| {}, command)
}

/// Runs the program to its end; it does not outlive whoever waits here.
///
/// # Errors
/// It cannot be started.
pub async fn output(command: &mut Command) -> io::Result<Output> {
    use std::process::Stdio;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    spawn(command)?.wait_with_output().await
}
