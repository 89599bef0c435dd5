//! What a peer shows in a handshake: a certificate chain and the key to it, well-made or hostile.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, SignatureScheme};

/// A certificate chain with its private key, and a word for people that says what it is.
#[derive(Clone)]
pub struct Presented {
    label: String,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

/// A credential that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file is missing, unreadable or not PEM.
    #[error("cannot read the credential file {}: {source}; is the environment still there? (cargo xtask status)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// It cannot be encoded or signed.
    #[error("cannot make the certificate '{label}': {source}")]
    Forge {
        /// What was to be made.
        label: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Some part of the request is missing.
    #[error("cannot make the certificate '{label}': {why}")]
    Unavailable {
        /// What was to be made.
        label: String,
        /// Why not.
        why: String,
    },
}

impl Presented {
    /// From DER.
    pub fn new(
        label: impl Into<String>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        Self { label: label.into(), chain, key: Arc::new(key) }
    }

    /// From a PEM chain (leaf first) and a PEM key.
    ///
    /// # Errors
    /// [`CredentialError::File`] names the file that could not be read.
    pub fn from_files(label: impl Into<String>, chain: &Path, key: &Path) -> Result<Self, CredentialError> {
        let certificates = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|source| CredentialError::File { path: chain.to_owned(), source })?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| CredentialError::File { path: key.to_owned(), source })?;
        Ok(Self::new(label, certificates, private))
    }

    /// What this credential is, for people.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The certificates, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// Presents this whatever the peer asks for: rustls' own resolvers withhold a certificate that does
    /// not suit the peer's hints, and then the peer refuses for want of a certificate, not for the flaw.
    ///
    /// # Errors
    /// The key is of a kind that ring does not know.
    pub(crate) fn resolver(&self) -> Result<Arc<Always>, TlsError> {
        let signer = rustls::crypto::ring::sign::any_supported_type(&self.key)?;
        Ok(Arc::new(Always(Arc::new(CertifiedKey::new(self.chain.clone(), signer)))))
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key stays out of every log.
        formatter
            .debug_struct("Presented")
            .field("label", &self.label)
            .field("chain", &self.chain.len())
            .finish()
    }
}

/// Hands out one certificate, always.
#[derive(Debug)]
pub(crate) struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
