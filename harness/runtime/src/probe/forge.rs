//! Hostile credentials, made at run time from the environment's own authorities: one thing wrong in each.
//!
//! The authorities' keys lie in a development environment's state directory, so an insider's certificate
//! (globex's authority signs acme's name) can be made for real. rcgen signs whatever it is told to
//! (`signed_by` checks nothing), which is what makes it good for this.

mod authority;
mod source;

use std::path::Path;

use bulkhead_identity::{AuthorityName, PeerName};
pub use bulkhead_plan::access::CertificateFlaw as Flaw;
use bulkhead_plan::foreign::JudgedPlatform;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

pub use authority::Authority;
use source::Source;

use super::{CredentialError, Presented};

/// Makes credentials from a platform's own authorities; and from its real certificates what needs no authority's key.
#[derive(Debug, Clone)]
pub struct Forger {
    source: Source,
}

impl Forger {
    /// For the environment with this state directory.
    #[must_use]
    pub fn of_environment(state_dir: &Path) -> Self {
        Self { source: Source::Folder(state_dir.to_owned()) }
    }

    /// For a platform with whatever its description names.
    #[must_use]
    pub fn of_platform(platform: &JudgedPlatform) -> Self {
        Self { source: Source::of(platform) }
    }

    /// Opens the real authority of a name.
    ///
    /// # Errors
    /// The authority's files cannot be read: the environment was made elsewhere, or is gone; or its key was not given.
    pub fn authority(&self, name: &AuthorityName) -> Result<Authority, CredentialError> {
        self.source.authority(name)
    }

    /// Another generation of a tenant's or the platform's authority: the root has signed it, with the same constraint, and
    /// nobody was told of it.
    fn another_generation(&self, name: &AuthorityName) -> Result<Authority, CredentialError> {
        self.authority(&AuthorityName::Root)?.generation_of(name)
    }

    /// A certificate for `name` in which exactly `flaw` is wrong.
    ///
    /// # Errors
    /// An authority that is needed cannot be read, or rcgen refuses.
    pub fn make(&self, name: &PeerName, flaw: &Flaw) -> Result<Presented, CredentialError> {
        let label = format!("{name} ({flaw})");
        let forged =
            |source: rcgen::Error| CredentialError::Forge { label: label.clone(), source: source.into() };
        let key = KeyPair::generate().map_err(forged)?;
        if is_made_of_a_real_one(flaw) && !self.source.has_key(&AuthorityName::responsible_for(name)) {
            return self.make_of_a_real_one(label, name, flaw, &key);
        }
        let revoked = match flaw {
            Flaw::Revoked => Some(self.source.revoked_serial(&AuthorityName::responsible_for(name))?),
            _ => None,
        };
        let params = self.leaf(name, flaw, revoked).map_err(forged)?;
        let chain = self.chain(name, flaw, &params, &key)?;
        let key = match flaw {
            Flaw::KeyNotHeld => KeyPair::generate().map_err(forged)?,
            _ => key,
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Presented::new(label, chain, key))
    }

    /// The signed leaf and whatever of its issuers an attacker would send along.
    fn chain(
        &self,
        name: &PeerName,
        flaw: &Flaw,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
        let responsible = AuthorityName::responsible_for(name);
        let failed =
            |source: rcgen::Error| CredentialError::Forge { label: name.to_string(), source: source.into() };
        match flaw {
            Flaw::SelfSigned => Ok(vec![params.self_signed(key).map_err(failed)?.der().clone()]),
            Flaw::UnknownAuthority => {
                Authority::invented("tenant-nobody.ca.serviceradar")?.issue(params, key)
            }
            Flaw::CopiedAuthority => self.source.copied(&responsible)?.issue(params, key),
            Flaw::IssuedBy(other) => self.authority(other)?.issue(params, key),
            Flaw::UnderLeaf => self.authority(&responsible)?.leaf_as_authority()?.issue(params, key),
            Flaw::UnderSubordinate => self.authority(&responsible)?.subordinate()?.issue(params, key),
            Flaw::StaleGeneration => self.another_generation(&responsible)?.issue(params, key),
            Flaw::BorrowedIssuerName(other) => {
                self.authority(other)?.in_the_name_of(&self.authority(&responsible)?)?.issue(params, key)
            }
            Flaw::TrailingCertificate(other) => {
                let mut chain = self.authority(&responsible)?.issue(params, key)?;
                chain.push(self.source.certificate(other)?);
                Ok(chain)
            }
            Flaw::AlteredSignature => {
                let mut chain = self.authority(&responsible)?.issue(params, key)?;
                flip_last_bit(&mut chain);
                Ok(chain)
            }
            _ => self.authority(&responsible)?.issue(params, key),
        }
    }

    /// The leaf of the platform's profile, with the flaws that lie in its own fields.
    fn leaf(
        &self,
        name: &PeerName,
        flaw: &Flaw,
        revoked: Option<SerialNumber>,
    ) -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.source.dns_name(name));
        params.subject_alt_names = self.alternative_names(name)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let now = OffsetDateTime::now_utc();
        params.not_before = now - Duration::minutes(10);
        params.not_after = now + Duration::hours(1);
        self.spoil(&mut params, flaw, now, revoked)?;
        Ok(params)
    }

    fn dns(&self, name: &PeerName) -> Result<SanType, rcgen::Error> {
        Ok(SanType::DnsName(self.source.dns_name(name).as_str().try_into()?))
    }

    fn alternative_names(&self, name: &PeerName) -> Result<Vec<SanType>, rcgen::Error> {
        let mut names = vec![self.dns(name)?];
        if let Some(uri) = self.source.uri(name) {
            names.push(SanType::URI(uri.as_str().try_into()?));
        }
        Ok(names)
    }

    /// What needs no authority's key, since a real certificate is at hand.
    fn make_of_a_real_one(
        &self,
        label: String,
        name: &PeerName,
        flaw: &Flaw,
        fresh: &KeyPair,
    ) -> Result<Presented, CredentialError> {
        let real = self.source.real(name)?;
        let (mut chain, mut key) = (real.chain().to_vec(), real.key().clone_key());
        match flaw {
            Flaw::AlteredSignature => flip_last_bit(&mut chain),
            Flaw::KeyNotHeld => key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(fresh.serialize_der())),
            Flaw::TrailingCertificate(other) => chain.push(self.source.certificate(other)?),
            _ => {
                let params = self.leaf(name, flaw, None).map_err(|source| CredentialError::Forge {
                    label: label.clone(),
                    source: source.into(),
                })?;
                chain = Authority::with_leaf(&real)?.issue(&params, fresh)?;
                key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(fresh.serialize_der()));
            }
        }
        Ok(Presented::new(label, chain, key))
    }

    fn spoil(
        &self,
        params: &mut CertificateParams,
        flaw: &Flaw,
        now: OffsetDateTime,
        revoked: Option<SerialNumber>,
    ) -> Result<(), rcgen::Error> {
        match flaw {
            Flaw::Expired => {
                params.not_before = now - Duration::days(2);
                params.not_after = now - Duration::minutes(1);
            }
            Flaw::NotYetValid => params.not_before = now + Duration::minutes(30),
            Flaw::Revoked => params.serial_number = revoked,
            Flaw::ExtraName(name) => params.subject_alt_names.push(self.dns(name)?),
            Flaw::TwoCommonNames(name) => {
                // Under a type of its own: rcgen keeps one value of each.
                let common_name = DnType::CustomDnType(COMMON_NAME_OID.to_vec());
                params.distinguished_name.push(common_name, self.source.dns_name(name));
            }
            Flaw::OtherCommonName(name) => {
                params.distinguished_name = rcgen::DistinguishedName::new();
                params.distinguished_name.push(DnType::CommonName, self.source.dns_name(name));
            }
            Flaw::OtherAlternativeName(name) => params.subject_alt_names = self.alternative_names(name)?,
            Flaw::LocalhostName => params.subject_alt_names.push(SanType::DnsName("localhost".try_into()?)),
            Flaw::CommonNameOnly => params.subject_alt_names.clear(),
            Flaw::NoPurpose => params.extended_key_usages.clear(),
            Flaw::OnlyForServers => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Flaw::OnlyForClients => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            Flaw::None
            | Flaw::SelfSigned
            | Flaw::UnknownAuthority
            | Flaw::CopiedAuthority
            | Flaw::IssuedBy(_)
            | Flaw::UnderLeaf
            | Flaw::UnderSubordinate
            | Flaw::StaleGeneration
            | Flaw::BorrowedIssuerName(_)
            | Flaw::KeyNotHeld
            | Flaw::TrailingCertificate(_)
            | Flaw::AlteredSignature => {}
        }
        Ok(())
    }
}

/// Flaws that a real certificate can be given by anybody who has it.
fn is_made_of_a_real_one(flaw: &Flaw) -> bool {
    matches!(flaw, Flaw::AlteredSignature | Flaw::KeyNotHeld | Flaw::TrailingCertificate(_) | Flaw::UnderLeaf)
}

/// X.520, and RFC 5280 appendix A.1.
const COMMON_NAME_OID: [u64; 4] = [2, 5, 4, 3];

/// The signature is the certificate's last field, so its last bit is in the certificate's last byte.
fn flip_last_bit(chain: &mut [CertificateDer<'static>]) {
    if let Some(leaf) = chain.first_mut() {
        let mut bytes = leaf.to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        *leaf = CertificateDer::from(bytes);
    }
}
