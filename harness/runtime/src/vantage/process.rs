//! A probe on this machine: a process that has nothing of the developer's and does not outlive the harness.

use std::path::Path;
use std::process::{Command, Stdio};

use bulkhead_plan::access::Vantage;
use bulkhead_plan::spec::EnvironmentName;
use bulkhead_probe::post::Remote;
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
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let mut child = spawn::spawn(&mut command).map_err(failed)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(std::io::Error::other("its input and output are not connected")));
        };
        let probe = Remote::over(Vantage::Host.to_string(), answers, orders);
        Ok((probe, Self { _child: child }))
    }
}
