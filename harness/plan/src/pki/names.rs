//! Which certificates an environment has, and where each stands in the state directory.

use std::path::PathBuf;

use bulkhead_identity::{AuthorityName, PeerName};

/// Every file of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePaths {
    /// The certificate alone.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate and what leads to its issuer: for a leaf, the leaf and its authority (the root is left out, the
    /// peer has it or trusts nothing); for an authority, the authority and the root. The root has none.
    pub chain: Option<PathBuf>,
}

/// Where an authority's revocation list is, relative to the state directory. The dot keeps it apart from whatever a name
/// of a service or tenant could be.
pub fn revocation_list_path(name: &AuthorityName) -> PathBuf {
    CertificatePaths::of_authority(name).certificate.with_extension("crl.pem")
}

impl CertificatePaths {
    /// Where a certificate authority's files are, relative to the state directory.
    pub fn of_authority(name: &AuthorityName) -> Self {
        match name {
            AuthorityName::Root => Self {
                certificate: PathBuf::from("certs/root.pem"),
                key: PathBuf::from("certs/root-key.pem"),
                chain: None,
            },
            AuthorityName::Platform => Self::with_stem("certs/platform/ca"),
            AuthorityName::Tenant(slug) => Self::with_stem(&format!("certs/tenants/{slug}/ca")),
        }
    }

    /// Where a leaf's files are, relative to the state directory.
    pub fn of_leaf(name: &PeerName) -> Self {
        match name {
            PeerName::Platform(name) => Self::with_stem(&format!("certs/platform/{}", name.service())),
            PeerName::Tenant(name) => {
                let agent = name.agent_id();
                Self::with_stem(&format!("certs/tenants/{}/components/{agent}", name.tenant))
            }
        }
    }

    // Appended, never `with_extension`: the stem of an agent has a dot in it.
    fn with_stem(stem: &str) -> Self {
        Self {
            certificate: PathBuf::from(format!("{stem}.pem")),
            key: PathBuf::from(format!("{stem}-key.pem")),
            chain: Some(PathBuf::from(format!("{stem}-chain.pem"))),
        }
    }
}
