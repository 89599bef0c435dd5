//! The evidence: what a run found and what it rests on, each file hashed, the hashes signed, all in one archive.
//!
//! What is in it, and how it is checked without this program, is said in `docs/evidence.md`.

mod archive;
mod described;
mod manifest;
mod material;
mod secrets;
mod write;

use std::collections::BTreeMap;

use crate::report::Report;
use crate::sign::{PublicKey, SigningKey};
use crate::{html, junit};

pub(crate) use archive::FOLDER;
pub use manifest::{FileEntry, Manifest, SCHEMA_VERSION};
pub use material::Material;
pub use secrets::{Searched, Secrets, SecretsError};
pub(crate) use write::BESIDE;
pub use write::{ARCHIVE, Written, check_writable, write};

/// The names of files in the evidence that have a meaning of their own.
pub mod names {
    /// Every other file with its hash.
    pub const MANIFEST: &str = "MANIFEST.json";
    /// The signature over the manifest, 64 bytes.
    pub const SIGNATURE: &str = "evidence.sig";
    /// The public half of the key that signed, PEM.
    pub const PUBLIC_KEY: &str = "evidence.pub";
    /// Everything that was found, for programs.
    pub const REPORT: &str = "report.json";
    /// The same for people.
    pub const PAGE: &str = "report.html";
    /// The same for whatever shows test results.
    pub const JUNIT: &str = "junit.xml";
    /// What was asked for.
    pub const SPECIFICATION: &str = "spec.yaml";
    /// What is known of a platform that somebody else started, in place of what was asked for and what ran.
    pub const DESCRIPTION: &str = "platform.json";
    /// What ran, where, and with which certificates.
    pub const ENVIRONMENT: &str = "environment.json";
    /// The versions of everything that took part.
    pub const VERSIONS: &str = "versions.json";
}

/// Evidence that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Something does not turn into JSON.
    #[error("cannot write {0} as JSON: {1}")]
    Json(&'static str, serde_json::Error),
    /// The archive's writer refused.
    #[error("cannot pack the evidence: {0}")]
    Pack(std::io::Error),
    /// A file would have carried a private key. Nothing was written.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// The file system refused.
    #[error("cannot {attempt} {path}: {error}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On which path.
        path: std::path::PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
}

/// Evidence, ready to be written.
#[derive(Debug)]
pub struct Bundle {
    /// The archive.
    pub archive: Vec<u8>,
    /// What was packed, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The public half of the key that signed.
    pub public_key: PublicKey,
}

impl Bundle {
    /// Renders, hashes, signs and packs. The same report, material and key make the same bytes.
    ///
    /// # Errors
    /// A file would carry one of the secrets or the key that signs, or the archive cannot be made.
    pub fn make(
        report: &Report,
        material: Material,
        secrets: &Secrets,
        key: &SigningKey,
    ) -> Result<Self, BundleError> {
        let public_key = key.public();
        let mut files = material.into_files();
        let mut add = |name: &str, text: String| files.insert(name.to_owned(), text.into_bytes());
        add(names::REPORT, report.to_json().map_err(|error| BundleError::Json(names::REPORT, error))?);
        add(names::PAGE, html::render(report));
        add(names::JUNIT, junit::render(report));
        add(names::VERSIONS, versions(report).map_err(|error| BundleError::Json(names::VERSIONS, error))?);
        add(names::PUBLIC_KEY, public_key.to_pem());
        // Whoever signs lets this program read a key that the platform never had, and that no folder of a run has.
        let signing = Secrets::of_key("the key that signs", key.pkcs8())?;
        for (path, bytes) in &files {
            secrets::none_of_them_is_in(&[secrets, &signing], path, bytes)?;
        }
        let manifest = Manifest::of(&files, report.run.tool.clone(), key);
        let manifest = manifest.to_json().map_err(|error| BundleError::Json(names::MANIFEST, error))?;
        files.insert(names::SIGNATURE.to_owned(), key.sign(manifest.as_bytes()));
        files.insert(names::MANIFEST.to_owned(), manifest.into_bytes());
        let archive = archive::pack(&files).map_err(BundleError::Pack)?;
        Ok(Self { archive, files, public_key })
    }
}

fn versions(report: &Report) -> serde_json::Result<String> {
    let versions = serde_json::json!({ "tool": report.run.tool, "components": report.run.components });
    serde_json::to_string_pretty(&versions).map(|text| text + "\n")
}
