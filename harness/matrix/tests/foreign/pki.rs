//! A certificate hierarchy that follows other conventions than this project's.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The authorities, and a folder with everybody's files.
pub(crate) struct Pki {
    folder: tempfile::TempDir,
    hub: Issuer,
    tenants: Vec<(String, Issuer)>,
}

fn dates(params: &mut CertificateParams) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::minutes(10);
    params.not_after = now + Duration::hours(2);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example Monitoring");
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    dates(&mut params);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    dates(&mut params);
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

impl Pki {
    /// With these tenants, and one component for each; beside them the hub and the broker.
    pub(crate) fn of(tenants: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("Example Root"), key()).unwrap();
        let below = |name: &str| CertifiedIssuer::signed_by(authority(name), key(), &root).unwrap();
        let hub = below("Example Hub CA");
        let tenants = tenants.iter().map(|tenant| ((*tenant).to_owned(), below(&format!("CA of {tenant}"))));
        let pki = Self { folder, hub, tenants: tenants.collect() };
        pki.write("root.pem", &root.pem());
        pki.write("hub-ca.pem", &pki.hub.pem());
        for (tenant, issuer) in &pki.tenants {
            pki.write(&format!("{tenant}-ca.pem"), &issuer.pem());
            pki.issue(&format!("{tenant}-collector.example.test"), issuer);
        }
        pki.issue("hub.example.test", &pki.hub);
        pki.issue("broker.example.test", &pki.hub);
        pki
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// A leaf with its issuer behind it.
    fn issue(&self, name: &str, issuer: &Issuer) {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf(name).signed_by(&key, issuer).unwrap();
        self.write(&format!("{name}.pem"), &format!("{}{}", certificate.pem(), issuer.pem()));
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }
}
