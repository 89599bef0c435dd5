//! A certificate hierarchy for one test, in files of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulkhead_identity::{AuthorityName, PeerName, TrustBundle};
use bulkhead_kit::config::{IdentityFiles, TrustFiles};
use bulkhead_kit::credential::Credential;
use bulkhead_kit::trust;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose,
    NameConstraints, RevokedCertParams, SanType, SerialNumber,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// Makes a root, the platform's CA and a CA for each tenant, and issues leaves from them.
pub struct Forge {
    directory: TempDir,
    root: Issuer,
    authorities: BTreeMap<AuthorityName, Issuer>,
    issued: AtomicUsize,
}

impl Forge {
    /// A hierarchy with these tenants.
    #[must_use]
    pub fn with_tenants(slugs: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root =
            CertifiedIssuer::self_signed(authority_params("root.ca.serviceradar", None), key()).unwrap();
        let mut authorities = BTreeMap::new();
        let tenants = slugs.iter().map(|slug| AuthorityName::Tenant(slug.parse().unwrap()));
        for name in tenants.chain([AuthorityName::Platform]) {
            let params = authority_params(&name.common_name(), Some(&name));
            let issuer = CertifiedIssuer::signed_by(params, key(), &root).unwrap();
            std::fs::write(authority_file(directory.path(), &name), issuer.pem()).unwrap();
            authorities.insert(name, issuer);
        }
        std::fs::write(directory.path().join("root.pem"), root.pem()).unwrap();
        Self { directory, root, authorities, issued: AtomicUsize::new(0) }
    }

    /// Where all the files are; it is removed with the forge.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The root and platform CA, and the CAs of these tenants.
    #[must_use]
    pub fn trust_files(&self, slugs: &[&str]) -> TrustFiles {
        let file = |name: AuthorityName| authority_file(self.directory(), &name);
        TrustFiles {
            root: self.directory().join("root.pem"),
            tenant: slugs.iter().map(|slug| file(AuthorityName::Tenant(slug.parse().unwrap()))).collect(),
            platform: vec![file(AuthorityName::Platform)],
            revocation_lists: Vec::new(),
        }
    }

    /// The same, read.
    #[must_use]
    pub fn trust(&self, slugs: &[&str]) -> Arc<TrustBundle> {
        trust::load(&self.trust_files(slugs)).unwrap()
    }

    /// A revocation list of an authority, in a file: with these serial numbers, until this moment.
    #[must_use]
    pub fn revocation_list(
        &self,
        name: &AuthorityName,
        serials: &[SerialNumber],
        until: OffsetDateTime,
    ) -> PathBuf {
        let revoked = |serial: &SerialNumber| RevokedCertParams {
            serial_number: serial.clone(),
            revocation_time: until - Duration::days(1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: until - Duration::days(1),
            next_update: until,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(self.authorities.get(name).unwrap_or(&self.root)).unwrap();
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let path = self.directory().join(format!("list-{number}.pem"));
        std::fs::write(&path, list.pem().unwrap()).unwrap();
        path
    }

    /// A leaf of the right profile from the right CA.
    #[must_use]
    pub fn issue(&self, name: &str) -> IdentityFiles {
        self.issue_with(name, |_| {})
    }

    /// A leaf from the right CA after `change`, which makes one thing wrong in it.
    #[must_use]
    pub fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> IdentityFiles {
        let name: PeerName = name.parse().unwrap();
        let authority = AuthorityName::responsible_for(&name);
        let issuer = &self.authorities[&authority];
        let mut params = leaf_params(&name);
        change(&mut params);
        let key = key();
        let leaf = params.signed_by(&key, issuer).unwrap();
        // Numbered, since a test may issue one name twice.
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let certificate = self.directory().join(format!("leaf-{number}.pem"));
        let key_file = self.directory().join(format!("leaf-{number}-key.pem"));
        std::fs::write(&certificate, leaf.pem() + &issuer.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        IdentityFiles { certificate, key: key_file }
    }

    /// A leaf of the right profile, read.
    #[must_use]
    pub fn credential(&self, name: &str) -> Credential {
        Credential::load(&self.issue(name)).unwrap()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn authority_file(directory: &Path, name: &AuthorityName) -> PathBuf {
    directory.join(format!("{}.pem", name.common_name()))
}

fn common_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::minutes(10);
    params.not_after = now + Duration::hours(1);
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// The root has no name of an issuing authority.
fn authority_params(common_name: &str, name: Option<&AuthorityName>) -> CertificateParams {
    let mut params = common_params(common_name);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "G1");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.is_ca = match name {
        Some(_) => IsCa::Ca(BasicConstraints::Constrained(0)),
        None => IsCa::Ca(BasicConstraints::Constrained(1)),
    };
    if let Some(AuthorityName::Tenant(slug)) = name {
        let permitted = GeneralSubtree::DnsName(format!("{slug}.serviceradar"));
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: vec![permitted], excluded_subtrees: Vec::new() });
    }
    params
}

fn leaf_params(name: &PeerName) -> CertificateParams {
    let mut params = common_params(&name.common_name());
    params.subject_alt_names = vec![
        SanType::DnsName(name.common_name().try_into().unwrap()),
        SanType::URI(name.spiffe_id().to_string().try_into().unwrap()),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
