//! A probe on this machine: a process that has nothing of the developer's and does not outlive the harness.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use bulkhead_plan::access::Vantage;
use bulkhead_plan::spec::EnvironmentName;
use bulkhead_probe::post::Remote;
use tokio::net::UnixStream;
use tokio::process::Child;

use super::VantageError;
use crate::{beside, spawn};

/// The process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct ProbeProcess {
    _child: Child,
}

impl ProbeProcess {
    pub(super) fn start(
        name: &EnvironmentName,
        state_dir: &Path,
        program: &Path,
    ) -> Result<(Remote, Self), VantageError> {
        let failed = |error| VantageError::Spawn { program: program.to_owned(), error };
        let mut command = Command::new(program);
        beside::belongs_to(name, state_dir, "probe", &mut command);
        // A socket and no pipes: see the probe's `main`.
        let (ours, theirs) = StdUnixStream::pair().map_err(failed)?;
        let theirs = OwnedFd::from(theirs);
        let again = theirs.try_clone().map_err(failed)?;
        command.stdin(Stdio::from(theirs)).stdout(Stdio::from(again)).stderr(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let child = spawn::spawn(&mut command).map_err(failed)?;
        // It holds the other end of the socket, whose end would never be seen.
        drop(command);
        ours.set_nonblocking(true).map_err(failed)?;
        let (answers, orders) = UnixStream::from_std(ours).map_err(failed)?.into_split();
        let probe = Remote::over(Vantage::Host.to_string(), answers, orders);
        Ok((probe, Self { _child: child }))
    }
}
