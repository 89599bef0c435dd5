//! What a report of somebody else's platform rests on: its description, and what that names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bulkhead_identity::AuthorityName;
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_plan::pki::CertificatePaths;

use super::{BundleError, Material, names};
use crate::report::Hidden;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

impl Material {
    /// Reads what a description names. `description` is as it was read, with paths as they are to be told; `logs` are the
    /// lines of each service that could be read.
    ///
    /// A certificate that cannot be read is no error here: it was one of the run's findings, and is in the report.
    ///
    /// # Errors
    /// The description does not turn into JSON.
    pub fn of_described(
        platform: &JudgedPlatform,
        description: &PlatformDescription,
        logs: &BTreeMap<String, Vec<String>>,
        hidden: &Hidden,
    ) -> Result<Self, BundleError> {
        // Written anew, from what was understood of it: a comment in the file may be anything.
        let text = serde_json::to_string_pretty(description)
            .map_err(|error| BundleError::Json(names::DESCRIPTION, error))?;
        let mut files = BTreeMap::from([(names::DESCRIPTION.to_owned(), hidden.hide(&text).into_bytes())]);
        for (path, of) in certificates(platform) {
            let text = fs::read_to_string(of).unwrap_or_default();
            let certificates = certificates_in(&text);
            if !certificates.is_empty() {
                files.insert(path.to_string_lossy().into_owned(), certificates.into_bytes());
            }
        }
        super::material::add_logs(&mut files, logs, hidden);
        Ok(Self::of(files))
    }
}

/// Where each certificate is to stand in the evidence, and where it is: the same places as of our own platform.
fn certificates(platform: &JudgedPlatform) -> Vec<(PathBuf, PathBuf)> {
    let root = platform.authorities.get(&AuthorityName::Root).map(|files| &files.certificate);
    let authorities = platform
        .authorities
        .iter()
        // Whoever has no authority of its own has the root's, which is there once.
        .filter(|(name, files)| **name == AuthorityName::Root || Some(&files.certificate) != root)
        .map(|(name, files)| (CertificatePaths::of_authority(name).certificate, files.certificate.clone()));
    let leaves = platform.credentials.iter().map(|(name, credential)| {
        let CertificatePaths { certificate, chain, .. } = CertificatePaths::of_leaf(name);
        (chain.unwrap_or(certificate), credential.certificate.clone())
    });
    authorities.chain(leaves).collect()
}

/// The certificates of a PEM file and nothing else of it: many keep a key in the same file.
fn certificates_in(text: &str) -> String {
    let mut certificates = String::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        is_inside |= line == BEGIN;
        if is_inside {
            certificates.push_str(line);
            certificates.push('\n');
        }
        is_inside &= line != END;
    }
    certificates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_file_with_a_key_in_it_the_certificates_are_taken() {
        let key = "-----BEGIN PRIVATE KEY-----\r\nBBBB\r\n-----END PRIVATE KEY-----\r\n";
        let one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = format!("subject=acme\n{one}{key}{one}");
        assert_eq!(certificates_in(&text), format!("{one}{one}"));
        assert_eq!(certificates_in(key), "");
    }
}
