//! Somebody who can prove who they are.

use std::path::Path;

use bulkhead_identity::PeerName;
use bulkhead_plan::pki::CertificatePaths;
use bulkhead_runtime::probe::{CredentialError, Presented};

use bulkhead_plan::environment::Credential;

/// A certificate with its key, as files for your own client and in memory for the probes.
#[derive(Debug, Clone)]
pub struct Identity {
    credential: Credential,
    presented: Presented,
}

impl Identity {
    /// Reads what was written for `name` below `folder`.
    pub(crate) fn read(folder: &Path, name: &PeerName) -> Result<Self, CredentialError> {
        let paths = CertificatePaths::of_leaf(name);
        let certificate = folder.join(paths.chain.unwrap_or(paths.certificate));
        let key = folder.join(paths.key);
        let presented = Presented::from_files(name.to_string(), &certificate, &key)?;
        Ok(Self { credential: Credential { name: name.clone(), certificate, key }, presented })
    }

    /// The name in the certificate.
    pub fn name(&self) -> &PeerName {
        &self.credential.name
    }

    /// The certificate and its issuer, leaf first, PEM.
    pub fn certificate(&self) -> &Path {
        &self.credential.certificate
    }

    /// The private key, PKCS #8 PEM, with mode 0600.
    pub fn key(&self) -> &Path {
        &self.credential.key
    }

    /// For the probes.
    pub fn presented(&self) -> &Presented {
        &self.presented
    }
}
