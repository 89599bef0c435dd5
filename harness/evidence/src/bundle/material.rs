//! What a report rests on: the specification, the environment's description, the certificates, the servers' logs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bulkhead_plan::environment::{Credential, EnvironmentRecord};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use super::{BundleError, names, secrets};
use crate::report::Hidden;

/// The folders of the environment that have certificates and nothing else.
const CERTIFICATES: &str = "certs";

/// What a report rests on, by its path in the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    files: BTreeMap<String, Vec<u8>>,
}

impl Material {
    /// Reads what belongs to an environment. `logs` are the lines of each service, by its name, as it wrote them; paths of
    /// this machine are hidden in them, and nothing else is changed.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(
        record: &EnvironmentRecord,
        logs: &BTreeMap<String, Vec<String>>,
        hidden: &Hidden,
    ) -> Result<Self, BundleError> {
        let mut files = BTreeMap::new();
        let specification = record.state_dir.join(names::SPECIFICATION);
        // What was adopted from a Compose that somebody ran elsewhere may have none.
        if specification.exists() {
            files.insert(names::SPECIFICATION.to_owned(), read(&specification)?);
        }
        let described = serde_json::to_string_pretty(&relative(record))
            .map_err(|error| BundleError::Json(names::ENVIRONMENT, error))?;
        files.insert(names::ENVIRONMENT.to_owned(), (hidden.hide(&described) + "\n").into_bytes());
        certificates(&record.state_dir, Path::new(CERTIFICATES), &mut files)?;
        add_logs(&mut files, logs, hidden);
        Ok(Self { files })
    }

    /// These files, for tests and for whoever has them already.
    pub fn of(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files }
    }

    pub(super) fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files
    }
}

/// The lines of each service, by its name.
pub(super) fn add_logs(
    files: &mut BTreeMap<String, Vec<u8>>,
    logs: &BTreeMap<String, Vec<String>>,
    hidden: &Hidden,
) {
    for (service, lines) in logs {
        let lines: String = lines.iter().map(|line| hidden.hide(line) + "\n").collect();
        files.insert(format!("logs/{service}.log"), lines.into_bytes());
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BundleError> {
    fs::read(path).map_err(|error| BundleError::Io { attempt: "read", path: path.to_owned(), error })
}

/// Every PEM file below `folder` that has no private key in it: told apart by what is in them, not by what they are called.
fn certificates(
    state: &Path,
    folder: &Path,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), BundleError> {
    let path = state.join(folder);
    let failed = |error| BundleError::Io { attempt: "read the folder", path: path.clone(), error };
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let below = folder.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            certificates(state, &below, files)?;
            continue;
        }
        let bytes = read(&state.join(&below))?;
        let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes).flatten().peekable();
        let is_there = sections.peek().is_some();
        if is_there && sections.all(|(kind, _)| !secrets::is_private(kind)) {
            files.insert(below.to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(())
}

/// The same description with paths as they are in the evidence. The keys that it names are not there.
fn relative(record: &EnvironmentRecord) -> EnvironmentRecord {
    let mut record = record.clone();
    let state = std::mem::replace(&mut record.state_dir, PathBuf::from("."));
    let shorten = |path: &mut PathBuf| {
        if let Ok(below) = path.strip_prefix(&state) {
            *path = below.to_owned();
        }
    };
    let credential = |credential: &mut Credential| {
        shorten(&mut credential.certificate);
        shorten(&mut credential.key);
    };
    shorten(&mut record.root);
    shorten(&mut record.platform_authority);
    let platform = &mut record.platform;
    for own in [&mut platform.nats_credential, &mut platform.poller_credential, &mut platform.admin] {
        credential(own);
    }
    for tenant in &mut record.tenants {
        shorten(&mut tenant.authority);
        tenant.agents.iter_mut().for_each(|agent| credential(&mut agent.credential));
    }
    for service in &mut record.services {
        let mut logs = PathBuf::from(&service.logs);
        shorten(&mut logs);
        service.logs = logs.to_string_lossy().into_owned();
    }
    record
}
