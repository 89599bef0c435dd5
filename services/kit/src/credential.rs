//! Who the service is: its own leaf certificate and key.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bulkhead_identity::{
    PeerName, PeerPattern, PeerVerifier, Role, TrustBundle, certificates_from_pem, identity_of_verified_leaf,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::config::{ConfigError, IdentityFiles, read_bounded};

/// Read, write or execute for users who are neither the owner nor of the group.
const OTHERS: u32 = 0o007;

/// The service's own certificate chain and signing key. The key is held by ring alone; it is never
/// printed, and the bytes that it was read from are wiped.
#[derive(Debug, Clone)]
pub struct Credential {
    name: PeerName,
    certified: Arc<CertifiedKey>,
    files: IdentityFiles,
}

impl Credential {
    /// Reads certificate and key, and checks that they belong together.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and what to do.
    pub fn load(files: &IdentityFiles) -> Result<Self, ConfigError> {
        let path = &files.certificate;
        let chain = certificates_from_pem(&read_bounded("certificate", path)?).map_err(|error| {
            unusable("certificate", path, &error, "give a PEM file: the leaf, then its CA")
        })?;
        let leaf = chain.first().ok_or_else(|| {
            unusable(
                "certificate",
                path,
                &"there is no certificate in it",
                "give a PEM file: the leaf, then its CA",
            )
        })?;
        let name = identity_of_verified_leaf(leaf)
            .map_err(|error| unusable("certificate", path, &error, error.advice()))?;
        let mut key = read_key(&files.key)?;
        let signing = any_supported_type(&key);
        key.zeroize();
        let signing = signing
            .map_err(|error| unusable("private key", &files.key, &error, "give a PKCS#8 ECDSA P-256 key"))?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|_| {
            let problem = format!("it is not the key of {}", path.display());
            unusable("private key", &files.key, &problem, "give the key that this certificate was made for")
        })?;
        Ok(Self { name, certified: Arc::new(certified), files: files.clone() })
    }

    /// The name in the certificate: who the service is.
    #[must_use]
    pub fn name(&self) -> &PeerName {
        &self.name
    }

    /// The file that the certificate came from, for messages.
    #[must_use]
    pub fn certificate_file(&self) -> &Path {
        &self.files.certificate
    }

    /// Judges the own certificate as every peer will, so that an expired or foreign one is told at start
    /// and not by the silence of everybody else.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] with the refusal that peers would give.
    pub fn check(&self, trust: &Arc<TrustBundle>) -> Result<(), ConfigError> {
        let path = &self.files.certificate;
        for role in [Role::Client, Role::Server] {
            let own = vec![PeerPattern::Exactly(self.name.clone())];
            let verifier = PeerVerifier::new(trust.clone(), own, role)
                .map_err(|error| unusable("certificate", path, &error, "check the trust files"))?;
            verifier.verify(&self.certified.cert[0], UnixTime::now()).map_err(|refusal| {
                let problem = format!("every peer would refuse it: {refusal} ({})", refusal.code());
                unusable("certificate", path, &problem, refusal.advice())
            })?;
        }
        Ok(())
    }

    /// What rustls presents to a peer, as client and as server alike.
    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.certified.clone()))
    }
}

fn unusable(
    what: &'static str,
    path: &Path,
    problem: &dyn std::fmt::Display,
    advice: impl ToString,
) -> ConfigError {
    ConfigError::Unusable {
        what,
        path: path.to_owned(),
        problem: problem.to_string(),
        advice: advice.to_string(),
    }
}

/// Reads the key from the file whose mode was checked, not from a path that may have changed since.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { what: "private key", path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & OTHERS != 0 {
        return Err(unusable("private key", path, &"every user of this machine can read it", "chmod 600 it"));
    }
    // Its size is known beforehand, so that no half of the key stays behind in a buffer that was outgrown.
    let size = usize::try_from(metadata.len().min(64 * 1024)).unwrap_or_default();
    let mut text = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(size as u64).read_to_end(&mut text).map_err(unreadable)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| unusable("private key", path, &error, "give a PEM private key"))
}
