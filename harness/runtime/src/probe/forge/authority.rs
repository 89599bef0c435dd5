//! An authority that signs anything.

use std::path::Path;

use bulkhead_identity::AuthorityName;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};

use super::super::{CredentialError, Presented};

/// A certificate authority, real or invented, and the certificates to send along with what it signs.
#[derive(Debug)]
pub struct Authority {
    label: String,
    issuer: Issuer<'static, KeyPair>,
    path: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// A real one from its PEM files.
    pub(super) fn open(label: String, certificate: &Path, key: &Path) -> Result<Self, CredentialError> {
        let unavailable = |path: &Path, why: String| CredentialError::Unavailable {
            label: label.clone(),
            why: format!("cannot read {}: {why}", path.display()),
        };
        let pem = std::fs::read_to_string(key).map_err(|error| unavailable(key, error.to_string()))?;
        let key_pair = KeyPair::from_pem(&pem).map_err(|error| unavailable(key, error.to_string()))?;
        let der = CertificateDer::from_pem_file(certificate)
            .map_err(|error| unavailable(certificate, error.to_string()))?;
        let issuer = Issuer::from_ca_cert_der(&der, key_pair).map_err(|source: rcgen::Error| {
            CredentialError::Forge { label: label.clone(), source: source.into() }
        })?;
        Ok(Self { label, issuer, path: vec![der] })
    }

    /// One that nobody knows.
    pub(super) fn invented(common_name: &str) -> Result<Self, CredentialError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, common_name);
        Self::with_name(common_name, name)
    }

    /// One with the name of this certificate's owner and a key of its own.
    pub(super) fn copy_of(
        label: String,
        certificate: &CertificateDer<'static>,
    ) -> Result<Self, CredentialError> {
        Self::with_name(&label, subject_of(certificate))
    }

    /// A peer that signs with its own key, as if it were an authority.
    pub(super) fn with_leaf(real: &Presented) -> Result<Self, CredentialError> {
        let label = real.label().to_owned();
        let failed =
            |source: rcgen::Error| CredentialError::Forge { label: label.clone(), source: source.into() };
        let key = KeyPair::try_from(real.key()).map_err(failed)?;
        let leaf = real.chain().first().ok_or_else(|| CredentialError::Unavailable {
            label: label.clone(),
            why: "it has no certificate".to_owned(),
        })?;
        let issuer = Issuer::from_ca_cert_der(leaf, key).map_err(failed)?;
        Ok(Self { path: real.chain().to_vec(), issuer, label })
    }

    /// One with the key of this one and the name and certificate of another: what it signs does not verify, unless both have
    /// one key.
    pub(super) fn in_the_name_of(self, other: &Self) -> Result<Self, CredentialError> {
        let Self { label, issuer, .. } = self;
        let certificate = other.path.first().ok_or_else(|| CredentialError::Unavailable {
            label: label.clone(),
            why: format!("{} has no certificate", other.label),
        })?;
        let key = KeyPair::try_from(issuer.key().serialize_der()).map_err(|source: rcgen::Error| {
            CredentialError::Forge { label: label.clone(), source: source.into() }
        })?;
        let issuer = Issuer::from_ca_cert_der(certificate, key).map_err(|source: rcgen::Error| {
            CredentialError::Forge { label: label.clone(), source: source.into() }
        })?;
        let label = format!("{label} in the name of {}", other.label);
        Ok(Self { label, issuer, path: other.path.clone() })
    }

    /// One that this one signs, as an ordinary leaf.
    pub(super) fn leaf_as_authority(&self) -> Result<Self, CredentialError> {
        self.below("a-leaf.serviceradar", |params| {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        })
    }

    /// One that this one signs, as an authority.
    pub(super) fn subordinate(&self) -> Result<Self, CredentialError> {
        self.below("subordinate.ca.serviceradar", |_| {})
    }

    /// A generation of the authority `name` that is younger than any that is configured; this one is the root. It has all
    /// that the real ones have: the customary unit in its name, the path length, the constraint.
    pub(super) fn generation_of(&self, name: &AuthorityName) -> Result<Self, CredentialError> {
        let common_name = name.common_name();
        self.below(&common_name, |params| {
            params.distinguished_name.push(DnType::OrganizationalUnitName, "G999");
            if let AuthorityName::Tenant(slug) = name {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName(format!("{slug}.serviceradar"))],
                    excluded_subtrees: Vec::new(),
                });
            }
        })
        .map(|mut authority| {
            // The root is the trust anchor, and is not sent along.
            authority.path.truncate(1);
            authority
        })
    }

    /// Signs, and returns the chain to present.
    pub(super) fn issue(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
        let leaf = params.signed_by(key, &self.issuer).map_err(|source: rcgen::Error| {
            CredentialError::Forge { label: self.label.clone(), source: source.into() }
        })?;
        Ok(std::iter::once(leaf.der().clone()).chain(self.path.iter().cloned()).collect())
    }

    fn with_name(label: &str, name: DistinguishedName) -> Result<Self, CredentialError> {
        let failed =
            |source: rcgen::Error| CredentialError::Forge { label: label.to_owned(), source: source.into() };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = authority_params();
        params.distinguished_name = name;
        let certificate = params.self_signed(&key).map_err(failed)?;
        let path = vec![certificate.der().clone()];
        Ok(Self { label: label.to_owned(), issuer: Issuer::new(params, key), path })
    }

    fn below(
        &self,
        common_name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self, CredentialError> {
        let failed = |source: rcgen::Error| CredentialError::Forge {
            label: common_name.to_owned(),
            source: source.into(),
        };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = authority_params();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let mut path = self.issue(&params, &key)?;
        // The issuing side must sign whatever the certificate says it may not: that is the attack.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let label = format!("{common_name} below {}", self.label);
        Ok(Self { label, issuer: Issuer::new(params, key), path: std::mem::take(&mut path) })
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::minutes(10);
    params.not_after = now + Duration::days(1);
    params
}

/// The subject, attribute by attribute in its own order: a copy must match byte for byte.
fn subject_of(certificate: &CertificateDer<'static>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) {
        for attribute in parsed.subject().iter_attributes() {
            let kind = attribute.attr_type().iter().map(|arcs| DnType::from_oid(&arcs.collect::<Vec<_>>()));
            if let (Some(kind), Ok(value)) = (kind, attribute.as_str()) {
                name.push(kind, value);
            }
        }
    }
    name
}
