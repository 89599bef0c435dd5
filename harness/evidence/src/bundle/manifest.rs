//! `MANIFEST.json`: every file of the evidence with its size and hash. The signature is over its very bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::report::Tool;
use crate::sign::{KeyOrigin, SigningKey, hex};

/// The version of the format. A reader refuses any other.
pub const SCHEMA_VERSION: u32 = 1;
/// Says what a signature is for: one over another document of the same key's is none over evidence.
const FORMAT: &str = "bulkhead-evidence";

/// Every file of the evidence but this one and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `bulkhead-evidence`.
    pub format: String,
    /// The version of this format: 1.
    pub schema_version: u32,
    /// What made it.
    pub tool: Tool,
    /// What it is signed with.
    pub signing: Signing,
    /// The files, in the order of their paths.
    pub files: Vec<FileEntry>,
}

/// What the evidence is signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// `ed25519`.
    pub algorithm: String,
    /// Where the key came from, as whoever signed says.
    pub key: KeyOrigin,
    /// The SHA-256 of the public key's DER form, in hexadecimal.
    pub fingerprint: String,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path in the evidence, with `/` between folders.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Of these files.
    pub(super) fn of(files: &BTreeMap<String, Vec<u8>>, tool: Tool, key: &SigningKey) -> Self {
        let files = files.iter().map(|(path, bytes)| FileEntry {
            path: path.clone(),
            size: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
        });
        Self {
            format: FORMAT.to_owned(),
            schema_version: SCHEMA_VERSION,
            tool,
            signing: Signing {
                algorithm: "ed25519".to_owned(),
                key: key.origin(),
                fingerprint: key.public().fingerprint(),
            },
            files: files.collect(),
        }
    }

    /// As it is written and signed.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads one that somebody gave.
    ///
    /// # Errors
    /// It is none, or one of another version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT || manifest.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "it is {} of version {}, and this program reads {FORMAT} of version {SCHEMA_VERSION}",
                manifest.format, manifest.schema_version
            ));
        }
        if manifest.signing.algorithm != "ed25519" {
            return Err(format!(
                "it is signed with {}, and this program knows ed25519",
                manifest.signing.algorithm
            ));
        }
        Ok(manifest)
    }
}
