//! `run/<service>.json`: as which process a service runs, so that another command can find, stop and start it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bulkhead_plan::{PlannedFile, ServiceId};
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::owner::Owner;
use crate::workdir::Workdir;

/// Where these files are, below the state folder.
pub(super) const FOLDER: &str = "run";

/// How one service is run, and as which process it runs now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunFile {
    pub(super) id: ServiceId,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) port: u16,
    pub(super) labels: HashMap<String, String>,
    /// An [`Owner`]; absent before the first start.
    pub(super) process: Option<String>,
}

impl RunFile {
    /// The process, when it was started.
    pub(super) fn owner(&self) -> Option<Owner> {
        self.process.as_ref()?.parse().ok()
    }

    /// The labels as the process carries them.
    pub(super) fn labels_text(&self) -> String {
        serde_json::to_string(&self.labels).unwrap_or_default()
    }

    /// Writes it into the state folder.
    pub(super) fn write(&self, state_folder: &Path) -> Result<(), Failure> {
        let path = Path::new(FOLDER).join(format!("{}.json", self.id.dotted()));
        let text = serde_json::to_vec(self).unwrap_or_default();
        Workdir::at(state_folder).write(&[PlannedFile::public(path, text)])?;
        Ok(())
    }
}

/// The readable ones of one environment. A damaged file is as good as none: the process carries its labels itself.
pub(super) fn all_in(state_folder: &Path) -> Vec<RunFile> {
    let entries = std::fs::read_dir(state_folder.join(FOLDER)).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| std::fs::read(entry.path()).ok());
    texts.filter_map(|text| serde_json::from_slice(&text).ok()).collect()
}
