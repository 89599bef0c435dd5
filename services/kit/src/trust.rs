//! Whom the service believes: the root and the issuing CAs that it was configured with.

use std::path::Path;
use std::sync::Arc;

use bulkhead_identity::{AuthorityName, IssuingAuthority, TrustBundle, TrustRoot};

use crate::config::{ConfigError, TrustFiles, read_bounded};

/// Reads root, platform CAs and tenant CAs. A CA in the wrong list is an error, since the list is what the
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
    bundle(&files.root, authorities)
}

/// One CA from a PEM file.
///
/// # Errors
/// [`ConfigError`], when it cannot be read or is not a CA of the platform's profile.
pub fn authority(path: &Path) -> Result<IssuingAuthority, ConfigError> {
    let pem = read_bounded("CA certificate", path)?;
    IssuingAuthority::from_pem(&pem).map_err(|error| unusable("CA certificate", path, &error, error.advice()))
}

/// The root and what it has signed.
///
/// # Errors
/// [`ConfigError`], when the root is none, or an authority was not signed by it.
pub fn bundle(root: &Path, authorities: Vec<IssuingAuthority>) -> Result<Arc<TrustBundle>, ConfigError> {
    let pem = read_bounded("root certificate", root)?;
    let anchor = TrustRoot::from_pem(&pem)
        .map_err(|error| unusable("root certificate", root, &error, error.advice()))?;
    TrustBundle::new(anchor, authorities)
        .map(Arc::new)
        .map_err(|error| unusable("root certificate", root, &error, error.advice()))
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
