//! The judgement of a peer's certificate.
//!
//! The path building of webpki (what rustls' stock verifiers run) on the root, with **only** the configured
//! authority whose subject equals the leaf's issuer as intermediate. What the peer sends beside its leaf is
//! discarded, so that nothing it brings can become part of a path. Then the leaf profile; then the issuer
//! decides which names it may certify; then the accepted patterns.

use std::slice;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    KeyUsage, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::authority::IssuingAuthority;
use crate::bundle::TrustBundle;
use crate::certificate::Certificate;
use crate::names::PeerName;
use crate::pattern::{PeerPattern, Role};
use crate::profile;
use crate::refusal::{Refusal, Whose};
use crate::seeded::{self, SeededFault};

/// Why a verifier could never accept anybody that it is told to accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// The list of accepted peers is empty.
    #[error("nobody is accepted: the list of accepted peers is empty")]
    NobodyAccepted,
    /// None of the configured authorities may certify these peers.
    #[error("no configured authority may certify {0}: configure its authority, or do not accept it")]
    NoAuthorityFor(PeerPattern),
}

impl VerifierError {
    /// The stable word for this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NobodyAccepted => "nobody-accepted",
            Self::NoAuthorityFor(_) => "no-authority-for-peer",
        }
    }
}

/// Judges peers' certificates for one service: whom it trusts, whom it accepts, and in which role.
///
/// webpki's path building (what rustls' stock verifiers run) on the root, with only the configured authority
/// whose subject is the leaf's issuer as intermediate; what the peer sends beside its leaf is discarded. Then
/// the leaf profile; then the issuer decides which names it may certify; then the accepted patterns. The rules
/// in their order are [`Rule::ALL`](crate::Rule::ALL).
#[derive(Clone, Debug)]
pub struct PeerVerifier {
    pub(crate) bundle: Arc<TrustBundle>,
    accepted: Arc<[PeerPattern]>,
    pub(crate) role: Role,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl PeerVerifier {
    /// A verifier for peers in `role` that match any of `accepted`.
    ///
    /// # Errors
    /// When a pattern is given that no configured authority could ever satisfy, or none at all.
    pub fn new(
        bundle: Arc<TrustBundle>,
        accepted: Vec<PeerPattern>,
        role: Role,
    ) -> Result<Self, VerifierError> {
        if accepted.is_empty() {
            return Err(VerifierError::NobodyAccepted);
        }
        let names = || bundle.authorities().iter().map(IssuingAuthority::name);
        let orphan = |pattern: &&PeerPattern| !names().any(|name| pattern.could_come_from(name));
        if let Some(pattern) = accepted.iter().find(orphan) {
            return Err(VerifierError::NoAuthorityFor(pattern.clone()));
        }
        Ok(Self {
            bundle,
            accepted: accepted.into(),
            role,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        })
    }

    /// The same verifier for peers in another role.
    pub(crate) fn in_role(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }

    /// Judges a leaf at a moment. Pure: the same bundle, leaf and moment give the same answer.
    ///
    /// # Errors
    /// The first rule that the certificate breaks, in the order of [`Rule::ALL`](crate::Rule::ALL).
    pub fn verify(&self, leaf: &CertificateDer<'_>, now: UnixTime) -> Result<PeerName, Refusal> {
        let certificate = read(leaf)?;
        let end_entity = EndEntityCert::try_from(leaf).map_err(unreadable)?;
        let issuer = self.issuer_of(&certificate)?;
        self.check_path(&end_entity, &certificate, issuer, now)?;
        self.check_names(&certificate, issuer)
    }

    /// Whom a certificate names that `issuer` has issued, if it may and if that is accepted.
    pub(crate) fn check_names(
        &self,
        certificate: &Certificate,
        issuer: &IssuingAuthority,
    ) -> Result<PeerName, Refusal> {
        let name = profile::check(certificate, self.role).map_err(Refusal::Profile)?;
        let may_mint =
            issuer.name().may_mint(&name) || seeded::is_on(SeededFault::VerifierIssuerMintsAnything);
        if !may_mint {
            return Err(Refusal::WrongAuthority { issuer: issuer.name().clone(), found: name });
        }
        self.check_accepted(name)
    }

    pub(crate) fn check_accepted(&self, name: PeerName) -> Result<PeerName, Refusal> {
        if !self.accepted.iter().any(|pattern| pattern.accepts(&name)) {
            return Err(Refusal::UnexpectedPeer { found: name, expected: self.accepted.to_vec() });
        }
        Ok(name)
    }

    pub(crate) fn issuer_of(&self, certificate: &Certificate) -> Result<&IssuingAuthority, Refusal> {
        let issuer = self.bundle.authority_with_subject(&certificate.issuer);
        issuer.ok_or_else(|| Refusal::UnknownIssuer { issuer: certificate.issuer_text().to_owned() })
    }

    pub(crate) fn check_path(
        &self,
        end_entity: &EndEntityCert<'_>,
        certificate: &Certificate,
        issuer: &IssuingAuthority,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let now =
            if seeded::is_on(SeededFault::VerifierWrongClock) { own_time(certificate, now) } else { now };
        let verify = |revocation: Option<RevocationOptions<'_>>| {
            let path = end_entity.verify_for_usage(
                self.provider.signature_verification_algorithms.all,
                slice::from_ref(self.bundle.root().anchor()),
                slice::from_ref(issuer.certificate().der()),
                now,
                Purpose(self.key_usage()),
                revocation,
                None,
            );
            match path {
                Ok(_) => Ok(()),
                Err(error) if is_overlooked(&error) => Ok(()),
                Err(error) => Err(self.refusal_of(error, certificate, issuer)),
            }
        };
        verify(None)?;
        if seeded::is_on(SeededFault::RevocationListsIgnored) {
            return Ok(());
        }
        // A second time with the lists, so that a refusal over revocation says that all else is in order.
        let lists = self.bundle.revocation_lists();
        match revocation(&lists) {
            Some(options) => verify(Some(options)),
            None => Ok(()),
        }
    }

    pub(crate) fn key_usage(&self) -> KeyUsage {
        match self.role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        }
    }

    /// The word of webpki, and whose certificate it speaks of: the path has a leaf and one authority.
    fn refusal_of(&self, error: webpki::Error, leaf: &Certificate, issuer: &IssuingAuthority) -> Refusal {
        use webpki::Error;
        match error {
            Error::CertExpired { time, .. } => expired(time, leaf, issuer),
            Error::CertNotValidYet { time, .. } => not_yet_valid(time, leaf, issuer),
            // Authorities with reversed dates are not loaded, so the leaf's are.
            Error::InvalidCertValidity => {
                Refusal::Expired { whose: Whose::Leaf, not_after: leaf.not_after() }
            }
            Error::CaUsedAsEndEntity => Refusal::AuthorityAsLeaf,
            // The lint lets no authority in whose purposes exclude a role.
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                Refusal::WrongPurpose { role: self.role }
            }
            Error::PathLenConstraintViolated => Refusal::PathLength,
            Error::InvalidSignatureForPublicKey => Refusal::BadSignature,
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Refusal::UnsupportedAlgorithm,
            Error::NameConstraintViolation
            | Error::MalformedNameConstraint
            | Error::InvalidNetworkMaskConstraint
            | Error::UnsupportedNameType
            | Error::MalformedDnsIdentifier => Refusal::NameConstraint,
            Error::CertRevoked => Refusal::Revoked,
            Error::UnknownRevocationStatus
            | Error::CrlExpired { .. }
            | Error::InvalidCrlSignatureForPublicKey
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
            | Error::IssuerNotCrlSigner => Refusal::RevocationUnknown(error.to_string()),
            Error::BadDer | Error::BadDerTime | Error::TrailingData(_) => unreadable(error),
            // Includes path building's limits, which one leaf and one authority cannot reach.
            other => Refusal::Path(other.to_string()),
        }
    }
}

/// What is asked of the lists, if there are any: each certificate of the path needs a current answer.
pub(crate) fn revocation<'a>(lists: &'a [&'a CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
    // Whoever believes authorities that nobody configured has no list of theirs either.
    let believes = [
        SeededFault::VerifierRootIsEnough,
        SeededFault::VerifierSubordinateAuthority,
        SeededFault::AnyGeneration,
    ];
    let unknown = if believes.into_iter().any(seeded::is_on) {
        UnknownStatusPolicy::Allow
    } else {
        UnknownStatusPolicy::Deny
    };
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    Some(options.with_status_policy(unknown).with_expiration_policy(ExpirationPolicy::Enforce).build())
}

/// The purpose that a path is asked for.
pub(crate) struct Purpose(pub(crate) KeyUsage);

impl ExtendedKeyUsageValidator for Purpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        if seeded::is_on(SeededFault::VerifierPurposeIgnored) {
            return Ok(());
        }
        self.0.validate(purposes)
    }
}

/// webpki asks for the dates, purposes and usages of a path first, then for its signatures, and for its names last.
fn is_overlooked(error: &webpki::Error) -> bool {
    match error {
        webpki::Error::InvalidSignatureForPublicKey => seeded::is_on(SeededFault::VerifierIssuerByName),
        webpki::Error::NameConstraintViolation => seeded::is_on(SeededFault::VerifierIssuerMintsAnything),
        _ => false,
    }
}

/// The time at which the certificate would be valid that is nearest to now.
fn own_time(certificate: &Certificate, now: UnixTime) -> UnixTime {
    let seconds = |moment: time::OffsetDateTime| u64::try_from(moment.unix_timestamp()).unwrap_or_default();
    let (first, last) = (seconds(certificate.not_before()), seconds(certificate.not_after()));
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs().max(first).min(last)))
}

pub(crate) fn read(leaf: &CertificateDer<'_>) -> Result<Certificate, Refusal> {
    Certificate::parse(leaf).map_err(|error| Refusal::Malformed(error.0))
}

/// Both parsers must be able to read a certificate: the one of the profile, and webpki, which also refuses
/// critical extensions that it does not know.
pub(crate) fn unreadable(error: webpki::Error) -> Refusal {
    match error {
        webpki::Error::UnsupportedCriticalExtension => Refusal::CriticalExtension,
        other => Refusal::Malformed(other.to_string()),
    }
}

fn expired(time: UnixTime, leaf: &Certificate, issuer: &IssuingAuthority) -> Refusal {
    let now = crate::moment::from_unix(time);
    let (whose, certificate) = if leaf.not_after() < now {
        (Whose::Leaf, leaf)
    } else {
        (Whose::Authority(issuer.name().clone()), issuer.certificate())
    };
    Refusal::Expired { whose, not_after: certificate.not_after() }
}

fn not_yet_valid(time: UnixTime, leaf: &Certificate, issuer: &IssuingAuthority) -> Refusal {
    let now = crate::moment::from_unix(time);
    let (whose, certificate) = if leaf.not_before() > now {
        (Whose::Leaf, leaf)
    } else {
        (Whose::Authority(issuer.name().clone()), issuer.certificate())
    };
    Refusal::NotYetValid { whose, not_before: certificate.not_before() }
}
