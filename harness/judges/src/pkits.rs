//! NIST's suite of certification paths (PKITS), as the package `cryptography_vectors` has it.

use std::io;
use std::path::{Path, PathBuf};

use bulkhead_runtime::wheel::{Wheel, WheelError};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

/// The package, of which the suite's folder is kept.
pub const WHEEL: Wheel = Wheel {
    package: "cryptography-vectors",
    version: "50.0.2",
    platform: None,
    sha256: "51641f03a3eb4edbe9fb68e3a3574d25f86aa502d06391fffa886330d02778a0",
    folder: "cryptography_vectors/x509/PKITS_data",
    program: None,
};

/// Why the suite is not there.
#[derive(Debug, thiserror::Error)]
pub enum PkitsError {
    /// The package could not be had.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// A file of it cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A file of the suite: its name without the ending, and what is in it.
#[derive(Debug, Clone)]
pub struct Named<T> {
    /// For example `GoodCACert`, `InvalidEESignatureTest3EE`.
    pub name: String,
    /// What it holds.
    pub der: T,
}

/// The suite's files, each kind in the order of their names.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The one trust anchor.
    pub root: CertificateDer<'static>,
    /// The end entities' certificates: each is a case.
    pub cases: Vec<Named<CertificateDer<'static>>>,
    /// Every other certificate below the root.
    pub authorities: Vec<Named<CertificateDer<'static>>>,
    /// The revocation lists.
    pub lists: Vec<Named<CertificateRevocationListDer<'static>>>,
}

const ROOT: &str = "TrustAnchorRootCertificate";

impl Suite {
    /// From the cache, or from the package index.
    ///
    /// # Errors
    /// It cannot be had, or not be read.
    pub async fn obtain() -> Result<Self, PkitsError> {
        let folder = WHEEL.unpacked().await?;
        let (mut cases, mut authorities, mut root) = (Vec::new(), Vec::new(), None);
        for Named { name, der } in read(&folder.join("certs"), "crt")? {
            let der = CertificateDer::from(der);
            match name.as_str() {
                ROOT => root = Some(der),
                _ if name.ends_with("EE") => cases.push(Named { name, der }),
                _ => authorities.push(Named { name, der }),
            }
        }
        let no_root =
            || PkitsError::File { path: folder.join("certs"), source: io::ErrorKind::NotFound.into() };
        let lists = read(&folder.join("crls"), "crl")?.into_iter();
        let lists = lists.map(|Named { name, der }| Named { name, der: der.into() }).collect();
        Ok(Self { root: root.ok_or_else(no_root)?, cases, authorities, lists })
    }
}

fn read(folder: &Path, ending: &str) -> Result<Vec<Named<Vec<u8>>>, PkitsError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| PkitsError::File { path, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == ending)
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            files.push(Named { name: name.to_owned(), der: std::fs::read(&path).map_err(at(&path))? });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}
