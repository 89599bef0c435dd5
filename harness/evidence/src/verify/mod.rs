//! Checks evidence that somebody gave: nothing in it is believed, and everything that can be is computed again.
//!
//! What this cannot show: that the attempts were made as the report says. That rests on who signed it, and on the server
//! logs and certificates inside, which a person can compare with it.

mod contents;
mod findings;
mod judge;
mod platform;

use std::io;
use std::path::{Path, PathBuf};

use crate::bundle::{ARCHIVE, BESIDE, Manifest, names};
use crate::report::{Report, Tool, Verdict};
use crate::sign::{KeyOrigin, PublicKey, SIGNATURE_BYTES};
pub use contents::Limits;
use contents::{Contents, Refused, digest};
pub use findings::Verification;

/// Who is known to have signed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// Whoever holds the key whose public half the verifier gave.
    GivenKey {
        /// The key's fingerprint.
        fingerprint: String,
    },
    /// Whoever made the evidence: the key was found in it. That shows that nothing was changed since, and not by whom it was
    /// made.
    KeyInside {
        /// The key's fingerprint.
        fingerprint: String,
        /// Where the key came from, as the evidence itself says.
        origin: KeyOrigin,
    },
}

/// There is nothing to verify: bad usage, and no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not there, or cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// What was given.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// A folder without evidence.
    #[error("there is no evidence in {0}: neither {ARCHIVE} nor {manifest}", manifest = names::MANIFEST)]
    Nothing(PathBuf),
}

/// Checks an archive, a folder that has one, or a folder that one was unpacked into.
///
/// # Errors
/// There is nothing to check. What does not hold is a finding, and no error.
pub fn verify(
    path: &Path,
    given: Option<&PublicKey>,
    this: &Tool,
    limits: Limits,
) -> Result<Verification, VerifyError> {
    let unreadable = |error| VerifyError::Unreadable { path: path.to_owned(), error };
    let facts = std::fs::metadata(path).map_err(unreadable)?;
    let inside = path.join(ARCHIVE);
    let (archive, beside) = match facts.is_dir() {
        true if inside.exists() => (Some(inside), true),
        true if path.join(names::MANIFEST).exists() => (None, false),
        true => return Err(VerifyError::Nothing(path.to_owned())),
        false => (Some(path.to_owned()), false),
    };
    let contents = match &archive {
        Some(archive) => {
            let file = std::fs::File::open(archive).map_err(unreadable)?;
            Contents::of_archive(file, limits)
        }
        None => Contents::of_folder(path, limits),
    };
    let mut verification = Verification::default();
    match contents {
        Ok(contents) => check(&mut verification, &contents, given, this),
        Err(Refused(why)) => verification.problem(why),
    }
    if beside {
        check_beside(&mut verification, path);
    }
    Ok(verification)
}

fn check(found: &mut Verification, contents: &Contents, given: Option<&PublicKey>, this: &Tool) {
    let Some(text) = contents.kept(names::MANIFEST) else {
        return found.problem(format!("there is no {}", names::MANIFEST));
    };
    let manifest = match Manifest::from_json(text) {
        Ok(manifest) => manifest,
        Err(why) => return found.problem(format!("{} cannot be read: {why}", names::MANIFEST)),
    };
    check_signature(found, contents, &manifest, given);
    check_files(found, contents, &manifest);
    for (name, file) in contents.files() {
        found.hashes.insert(name.to_owned(), file.sha256.clone());
    }
    let Some(text) = contents.kept(names::REPORT) else {
        return found.problem(format!("there is no {}", names::REPORT));
    };
    match read_report(text) {
        Ok(report) => {
            judge::check(found, contents, &report, this);
            found.verdict = Some(Verdict::of(&report));
        }
        Err(why) => found.problem(format!("{} cannot be read: {why}", names::REPORT)),
    }
}

fn read_report(text: &[u8]) -> Result<Report, String> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let Version { schema_version } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if schema_version != crate::report::SCHEMA_VERSION {
        let mine = crate::report::SCHEMA_VERSION;
        return Err(format!("it has schema version {schema_version}, and this program reads {mine}"));
    }
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

fn check_signature(
    found: &mut Verification,
    contents: &Contents,
    manifest: &Manifest,
    given: Option<&PublicKey>,
) {
    let inside = contents.kept(names::PUBLIC_KEY).and_then(PublicKey::from_pem);
    let Some(key) = given.or(inside.as_ref()) else {
        return found.problem(format!("{} is no Ed25519 public key", names::PUBLIC_KEY));
    };
    let signature = contents.kept(names::SIGNATURE).unwrap_or_default();
    let text = contents.kept(names::MANIFEST).unwrap_or_default();
    if signature.len() != SIGNATURE_BYTES || !key.verifies(text, signature) {
        return found.problem(match given {
            Some(_) => format!("{} is not signed with the key that was given", names::MANIFEST),
            None => format!("the signature over {} is not that of {}", names::MANIFEST, names::PUBLIC_KEY),
        });
    }
    if manifest.signing.fingerprint != key.fingerprint() || inside.as_ref() != Some(key) {
        return found.problem(format!(
            "{} names another key than the one that signed, or {} is another one",
            names::MANIFEST,
            names::PUBLIC_KEY
        ));
    }
    let fingerprint = key.fingerprint();
    found.passed(format!("the manifest is signed, with the key {fingerprint}"));
    found.signer = Some(match given {
        Some(_) => Signer::GivenKey { fingerprint },
        None => Signer::KeyInside { fingerprint, origin: manifest.signing.key },
    });
}

fn check_files(found: &mut Verification, contents: &Contents, manifest: &Manifest) {
    let before = found.problems.len();
    let mut listed = std::collections::BTreeSet::new();
    for entry in &manifest.files {
        if !listed.insert(entry.path.as_str()) {
            found.problem(format!("{} is in the manifest twice", entry.path));
        }
        match contents.file(&entry.path) {
            None => found.problem(format!("{} is in the manifest, and missing", entry.path)),
            Some(file) if file.size != entry.size => found.problem(format!(
                "{} was changed: it has {} bytes, and the manifest says {}",
                entry.path, file.size, entry.size
            )),
            Some(file) if file.sha256 != entry.sha256 => {
                found.problem(format!("{} was changed: its SHA-256 is not that of the manifest", entry.path));
            }
            Some(_) => {}
        }
    }
    for (path, _) in contents.files() {
        let signs = path == names::MANIFEST || path == names::SIGNATURE;
        if !signs && !listed.contains(path) {
            found.problem(format!("{path} is not in the manifest"));
        }
    }
    if found.problems.len() == before {
        found.passed(format!(
            "all {} files are as the manifest has them, and no other is there",
            listed.len()
        ));
    }
}

/// What stands beside an archive for convenience must be what is in it: it is what people look at.
fn check_beside(found: &mut Verification, folder: &Path) {
    let mut same = 0;
    for name in BESIDE {
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        match (digest(&path), found.hashes.get(name)) {
            (Ok(beside), Some(inside)) if beside == *inside => same += 1,
            (Ok(_), _) => found.problem(format!("{name} beside the archive is not the one that is in it")),
            (Err(error), _) => found.problem(format!("{name} beside the archive cannot be read: {error}")),
        }
    }
    if same > 0 {
        found.passed(format!("the {same} files beside the archive are those in it"));
    }
}
