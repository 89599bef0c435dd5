//! What `compose` leaves for somebody who brings the environment up by hand: how to do it, and what to look for then.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use bulkhead_plan::topology::Subnet;
use bulkhead_plan::{PlannedFile, guide};
use serde::{Deserialize, Serialize};

use crate::backend::compose::ComposeFiles;
use crate::workdir::{Workdir, WorkdirError};

/// The file in the state folder: there from the moment when everything is written until `down`.
pub(crate) const HANDOVER: &str = "handover.json";

/// An environment that is written, and that somebody brings up with a Compose of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Which Compose was found, and the two files that it is given.
    pub files: ComposeFiles,
    /// The project's name, of which there is one on a machine.
    pub project: String,
    /// What the containers that belong to these files are labelled with.
    pub run: String,
    /// What the networks in the override are carved from.
    pub subnets: Subnet,
}

impl Handover {
    /// The line to type, in any directory.
    pub fn bring_up(&self) -> impl fmt::Display {
        let ComposeFiles { program, base, rendered } = &self.files;
        let [program, base, rendered] = [program, base, rendered].map(|path| guide::quoted(path));
        format!("{program} -p {} -f {base} -f {rendered} up -d", self.project)
    }

    /// What was left in the state folder, if anything was.
    pub(crate) fn read(workdir: &Workdir) -> Result<Option<Self>, WorkdirError> {
        let path = workdir.path().join(HANDOVER);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(WorkdirError::Io { attempt: "read", path, error }),
            Ok(bytes) => bytes,
        };
        let read = serde_json::from_slice(&bytes);
        read.map_err(|error| WorkdirError::CorruptRecord { path, reason: error.to_string() })
    }

    pub(crate) fn write(&self, workdir: &Workdir) -> Result<(), WorkdirError> {
        let unwritable = |error: serde_json::Error| WorkdirError::Io {
            attempt: "describe the environment in",
            path: workdir.path().join(HANDOVER),
            error: error.into(),
        };
        let text = serde_json::to_vec_pretty(self).map_err(unwritable)?;
        workdir.write(&[PlannedFile::public(HANDOVER, text)]).map(|_| ())
    }
}

/// Whether something was left there, be it damaged.
pub(crate) fn is_there(workdir: &Workdir) -> bool {
    workdir.path().join(Path::new(HANDOVER)).exists()
}
