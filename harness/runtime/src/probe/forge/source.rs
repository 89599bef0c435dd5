//! What hostile certificates are made from: authorities, real certificates, and the names that stand in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_plan::environment::Credential;
use bulkhead_plan::foreign::{AuthorityFiles, Conventions, JudgedPlatform};
use bulkhead_plan::pki::{CertificatePaths, revocation_list_path};
use rcgen::SerialNumber;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::super::{CredentialError, Presented};
use super::Authority;

/// Where everything is that hostile certificates are made from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// All of it in the state directory of an environment of this project's.
    Folder(PathBuf),
    /// What the description of a platform names, and nothing else.
    Named {
        authorities: BTreeMap<AuthorityName, AuthorityFiles>,
        credentials: BTreeMap<PeerName, Credential>,
        conventions: Box<Conventions>,
    },
}

fn missing(label: &dyn std::fmt::Display, why: &str) -> CredentialError {
    CredentialError::Unavailable { label: label.to_string(), why: why.to_owned() }
}

impl Source {
    pub(super) fn of(platform: &JudgedPlatform) -> Self {
        Self::Named {
            authorities: platform.authorities.clone(),
            credentials: platform.credentials.clone(),
            conventions: Box::new(platform.conventions.clone()),
        }
    }

    fn authority_files(&self, name: &AuthorityName) -> Option<AuthorityFiles> {
        match self {
            Self::Folder(state) => {
                let paths = CertificatePaths::of_authority(name);
                let (certificate, key) = (state.join(paths.certificate), Some(state.join(paths.key)));
                let revocation_list = Some(state.join(revocation_list_path(name)));
                Some(AuthorityFiles { certificate, key, revocation_list })
            }
            Self::Named { authorities, .. } => authorities.get(name).cloned(),
        }
    }

    /// An authority with its key.
    pub(super) fn authority(&self, name: &AuthorityName) -> Result<Authority, CredentialError> {
        let files = self.authority_files(name).ok_or_else(|| missing(name, "it is not known here"))?;
        let key = files.key.ok_or_else(|| missing(name, "its key was not given"))?;
        Authority::open(name.to_string(), &files.certificate, &key)
    }

    /// One with an authority's name and a key of its own: its certificate, which is public, is enough.
    pub(super) fn copied(&self, name: &AuthorityName) -> Result<Authority, CredentialError> {
        let files = self.authority_files(name).ok_or_else(|| missing(name, "it is not known here"))?;
        Authority::copy_of(name.to_string(), &read(&files.certificate)?)
    }

    /// Whether an authority's key is at hand.
    pub(super) fn has_key(&self, name: &AuthorityName) -> bool {
        self.authority_files(name).is_some_and(|files| files.key.is_some())
    }

    /// A serial number that an authority has revoked.
    pub(super) fn revoked_serial(&self, name: &AuthorityName) -> Result<SerialNumber, CredentialError> {
        let list = self.authority_files(name).and_then(|files| files.revocation_list);
        let path = list.ok_or_else(|| missing(name, "its revocation list is not known here"))?;
        let unusable = |why: String| {
            let advice = "start the environment again, which makes one";
            missing(name, &format!("its revocation list {} {why}; {advice}", path.display()))
        };
        let der = CertificateRevocationListDer::from_pem_file(&path)
            .map_err(|error| unusable(format!("cannot be read: {error}")))?;
        let (_, parsed) = CertificateRevocationList::from_der(&der)
            .map_err(|error| unusable(format!("cannot be read: {error}")))?;
        let first = parsed.iter_revoked_certificates().next();
        first
            .map(|revoked| SerialNumber::from_slice(revoked.raw_serial()))
            .ok_or_else(|| unusable("has nobody on it".to_owned()))
    }

    /// The real certificate of a peer, without its key.
    pub(super) fn certificate(&self, name: &PeerName) -> Result<CertificateDer<'static>, CredentialError> {
        match self {
            Self::Folder(state) => read(&state.join(CertificatePaths::of_leaf(name).certificate)),
            Self::Named { credentials, .. } => {
                let known =
                    credentials.get(name).ok_or_else(|| missing(name, "its certificate was not given"))?;
                read(&known.certificate)
            }
        }
    }

    /// The real credential of a peer.
    pub(super) fn real(&self, name: &PeerName) -> Result<Presented, CredentialError> {
        match self {
            Self::Named { credentials, .. } => {
                let known =
                    credentials.get(name).ok_or_else(|| missing(name, "its credential was not given"))?;
                Presented::from_files(name.to_string(), &known.certificate, &known.key)
            }
            Self::Folder(_) => Err(missing(name, "it is never needed where every authority's key is")),
        }
    }

    /// The DNS name that stands in a peer's certificate.
    pub(super) fn dns_name(&self, name: &PeerName) -> String {
        match self {
            Self::Folder(_) => name.common_name(),
            Self::Named { conventions, .. } => conventions.certificate_name(name),
        }
    }

    /// The URI that stands in a peer's certificate, where there is one.
    pub(super) fn uri(&self, name: &PeerName) -> Option<String> {
        match self {
            Self::Folder(_) => Some(name.spiffe_id().to_string()),
            Self::Named { conventions, .. } => conventions.certificate_uri(name),
        }
    }
}

fn read(path: &Path) -> Result<CertificateDer<'static>, CredentialError> {
    CertificateDer::from_pem_file(path)
        .map_err(|source| CredentialError::File { path: path.to_owned(), source })
}
