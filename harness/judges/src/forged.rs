//! Certificates with one thing wrong, in files that a judge can read. Made anew for each run, and gone with it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::probe::forge::{Flaw, Forger};
use bulkhead_runtime::probe::{CredentialError, Presented};
use serde::Serialize;

/// Why there are no forged certificates.
#[derive(Debug, thiserror::Error)]
pub enum ForgedError {
    /// An authority's files cannot be read, or a certificate not be made.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A file cannot be written.
    #[error("cannot write the forged certificates: {0}")]
    File(#[from] io::Error),
}

/// The files, in a folder that goes with this value.
#[derive(Debug)]
pub struct Forged {
    folder: tempfile::TempDir,
    /// Whom each names, and the word for what is wrong with it.
    pub names: Vec<(PeerName, String)>,
}

#[derive(Serialize)]
struct Entry {
    name: PeerName,
    flaw: String,
    certificate: PathBuf,
    key: PathBuf,
}

impl Forged {
    /// For the first agent of each tenant: one that signed itself, one of a stranger, one of a stranger with its
    /// authority's name, and one of each other tenant's authority.
    ///
    /// # Errors
    /// The environment's authorities cannot be read, or the files not be written.
    pub fn of(record: &EnvironmentRecord) -> Result<Self, ForgedError> {
        let folder = tempfile::tempdir()?;
        let forger = Forger::of_environment(&record.state_dir);
        let (mut names, mut entries) = (Vec::new(), Vec::new());
        for tenant in &record.tenants {
            let Some(agent) = tenant.agents.first() else { continue };
            let others = record.tenants.iter().filter(|other| other.slug != tenant.slug);
            let others = others.map(|other| {
                let flaw = Flaw::IssuedBy(AuthorityName::Tenant(other.slug.clone()));
                (flaw, format!("issued-by-{}", other.slug))
            });
            let strangers = [
                (Flaw::SelfSigned, "self-signed".to_owned()),
                (Flaw::UnknownAuthority, "unknown-authority".to_owned()),
                (Flaw::CopiedAuthority, "copied-authority".to_owned()),
            ];
            for (flaw, word) in strangers.into_iter().chain(others) {
                let presented = forger.make(&agent.name, &flaw)?;
                let own = folder.path().join(format!("{} {word}", agent.name));
                let (certificate, key) = write(&own, &presented)?;
                entries.push(Entry { name: agent.name.clone(), flaw: word.clone(), certificate, key });
                names.push((agent.name.clone(), word));
            }
        }
        std::fs::write(list_in(folder.path()), serde_json::to_vec(&entries).map_err(io::Error::from)?)?;
        Ok(Self { folder, names })
    }

    /// The list of them, for a judge to read.
    #[must_use]
    pub fn list(&self) -> PathBuf {
        list_in(self.folder.path())
    }
}

fn list_in(folder: &Path) -> PathBuf {
    folder.join("forged.json")
}

fn write(folder: &Path, presented: &Presented) -> io::Result<(PathBuf, PathBuf)> {
    std::fs::create_dir(folder)?;
    let (certificate, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let chain = presented.chain().iter().map(|der| pem::Pem::new("CERTIFICATE", der.to_vec()));
    std::fs::write(&certificate, pem::encode_many(&chain.collect::<Vec<_>>()))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key)?;
    let text = pem::encode(&pem::Pem::new("PRIVATE KEY", presented.key().secret_der()));
    file.write_all(text.as_bytes())?;
    Ok((certificate, key))
}
