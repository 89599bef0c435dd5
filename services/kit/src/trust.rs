//! Whom the service believes: the root and the issuing CAs that it was configured with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulkhead_identity::{AuthorityName, IssuingAuthority, RevocationList, TrustBundle, TrustRoot};
use rustls::pki_types::UnixTime;

use crate::config::{ConfigError, TrustFiles, read_bounded};

/// Reads root, platform CAs, tenant CAs and their revocation lists. A CA in the wrong list is an error, since the list is what the
/// operator believes about it.
///
/// # Errors
/// [`ConfigError`], naming the file and what is wrong with it.
pub fn load(files: &TrustFiles) -> Result<Arc<TrustBundle>, ConfigError> {
    let mut authorities = Vec::new();
    for path in &files.platform {
        let authority = authority(path)?;
        if *authority.name() != AuthorityName::Platform {
            return Err(misplaced(path, &authority, "trust.platform"));
        }
        authorities.push(authority);
    }
    for path in &files.tenant {
        let authority = authority(path)?;
        if !matches!(authority.name(), AuthorityName::Tenant(_)) {
            return Err(misplaced(path, &authority, "trust.tenant"));
        }
        authorities.push(authority);
    }
    bundle(&files.root, authorities, &revocation_lists(&files.revocation_lists)?)
}

/// One CA from a PEM file.
///
/// # Errors
/// [`ConfigError`], when it cannot be read or is not a CA of the platform's profile.
pub fn authority(path: &Path) -> Result<IssuingAuthority, ConfigError> {
    let pem = read_bounded("CA certificate", path)?;
    IssuingAuthority::from_pem(&pem).map_err(|error| unusable("CA certificate", path, &error, error.advice()))
}

/// A revocation list and where it came from, for messages.
#[derive(Clone, Debug)]
pub struct ListFile {
    path: PathBuf,
    list: RevocationList,
}

impl ListFile {
    /// Whether it is the root's, which answers for authorities.
    #[must_use]
    pub fn is_of_root(&self, root: &TrustRoot) -> bool {
        self.list.is_of(root.certificate())
    }
}

/// Revocation lists from PEM files, one in each.
///
/// # Errors
/// [`ConfigError`], when one cannot be read or is none. Whose they are is judged with the bundle.
pub fn revocation_lists(paths: &[PathBuf]) -> Result<Vec<ListFile>, ConfigError> {
    let read = |path: &PathBuf| {
        let pem = read_bounded("revocation list", path)?;
        let list = RevocationList::from_pem(&pem)
            .map_err(|error| unusable("revocation list", path, &error, error.advice()))?;
        Ok(ListFile { path: path.clone(), list })
    };
    paths.iter().map(read).collect()
}

/// The root's certificate from a PEM file.
///
/// # Errors
/// [`ConfigError`], when it cannot be read or is no root.
pub fn root(path: &Path) -> Result<TrustRoot, ConfigError> {
    let pem = read_bounded("root certificate", path)?;
    TrustRoot::from_pem(&pem).map_err(|error| unusable("root certificate", path, &error, error.advice()))
}

/// The root, what it has signed, and what they have revoked.
///
/// # Errors
/// [`ConfigError`], when the root is none, an authority was not signed by it, or a list is of nobody here, not signed by its
/// issuer, out of date, or the only one that is missing.
pub fn bundle(
    root_file: &Path,
    authorities: Vec<IssuingAuthority>,
    lists: &[ListFile],
) -> Result<Arc<TrustBundle>, ConfigError> {
    let bundle = TrustBundle::new(root(root_file)?, authorities)
        .map_err(|error| unusable("root certificate", root_file, &error, error.advice()))?;
    let found: Vec<&RevocationList> = lists.iter().map(|file| &file.list).collect();
    let bundle = bundle.with_current_lists(&found, UnixTime::now()).map_err(|(place, error)| {
        let path = lists.get(place).map_or(root_file, |file| &file.path);
        unusable("revocation list", path, &error, error.advice())
    })?;
    Ok(Arc::new(bundle))
}

fn unusable(what: &'static str, path: &Path, problem: &dyn std::fmt::Display, advice: String) -> ConfigError {
    ConfigError::Unusable { what, path: path.to_owned(), problem: problem.to_string(), advice }
}

fn misplaced(path: &Path, authority: &IssuingAuthority, list: &str) -> ConfigError {
    ConfigError::Unusable {
        what: "CA certificate",
        path: path.to_owned(),
        problem: format!("it is {} and stands in {list}", authority.name()),
        advice: "move it to the list where it belongs, or take it out".to_owned(),
    }
}
