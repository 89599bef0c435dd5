//! Certificate authorities, judged when they are loaded.
//!
//! A webpki trust anchor keeps a subject, a key and name constraints: path length, dates and usages of a
//! certificate that is taken as an anchor are silently dropped. So only the root is one, and every issuing
//! authority stays a certificate in the path. What webpki does not check in an intermediate (key usage), or
//! checks only at a handshake (CA, path length), is checked here.

use rustls::DistinguishedName;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority_name::AuthorityName;
use crate::certificate::{
    Certificate, CertificateError, KeyUsage, PemError, PublicKey, certificates_from_pem,
};
use crate::name_error::NameError;
use crate::names::PeerName;
use crate::profile::{ProfileViolation, sole_common_name};

/// Why a certificate is not taken as an authority's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The text is not PEM.
    #[error("the authority cannot be read: {0}")]
    Pem(#[from] PemError),
    /// The text holds more than one certificate, and it is not said which one is meant.
    #[error("there are {0} certificates in it instead of the authority's one")]
    NotOneCertificate(usize),
    /// The bytes are not a certificate.
    #[error(transparent)]
    Malformed(#[from] CertificateError),
    /// There is not exactly one common name.
    #[error("the authority's name is unusable: {0}")]
    Subject(ProfileViolation),
    /// The common name is not an authority's.
    #[error("the authority's common name {0}")]
    Name(NameError),
    /// It is another authority than the one that was to be loaded.
    #[error("this is {found}, and {expected} is expected")]
    Unexpected {
        /// The authority that was to be loaded.
        expected: AuthorityName,
        /// The authority that is in the file.
        found: AuthorityName,
    },
    /// The name of an issuing authority or of a peer stands in the root, or the root's in an issuing one.
    #[error("`{0}` cannot be used here: the root and the issuing authorities have names of their own")]
    WrongPlace(String),
    /// Basic constraints do not say CA:TRUE.
    #[error("{0} is not a certificate authority: CA:TRUE is missing")]
    NotAnAuthority(String),
    /// It may have other authorities below it.
    #[error("{authority} has path length {} instead of 0", found.map_or("unlimited".to_owned(), |n| n.to_string()))]
    PathLength {
        /// Which authority.
        authority: AuthorityName,
        /// What its certificate says, if it says anything.
        found: Option<u32>,
    },
    /// Key usage is missing or lacks keyCertSign, which webpki does not check.
    #[error("{0} may not sign certificates: its key usage lacks keyCertSign")]
    NoCertificateSigning(String),
    /// An extended key usage excludes one of the roles of its peers.
    #[error("{0} has an extended key usage without both clientAuth and serverAuth")]
    Purpose(AuthorityName),
    /// Constraints on URIs or directory names: webpki refuses every leaf below them.
    #[error("{0} constrains URIs or directory names, below which no certificate is ever accepted")]
    UnusableConstraint(AuthorityName),
    /// Its key is too weak, or of an unknown kind.
    #[error("{authority} has {key}")]
    PublicKey {
        /// Which authority.
        authority: String,
        /// Its key, for people.
        key: String,
    },
    /// It is never valid.
    #[error("{0} ends before it begins")]
    Dates(String),
    /// The root is not signed by itself.
    #[error("`{0}` is not a root: it is not signed by its own key")]
    NotSelfSigned(String),
}

impl AuthorityError {
    /// The stable word for this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pem(_) => "authority-pem",
            Self::NotOneCertificate(_) => "authority-not-one-certificate",
            Self::Malformed(_) => "authority-malformed",
            Self::Subject(_) | Self::Name(_) => "authority-name",
            Self::Unexpected { .. } => "authority-unexpected",
            Self::WrongPlace(_) => "authority-wrong-place",
            Self::NotAnAuthority(_) => "authority-not-a-ca",
            Self::PathLength { .. } => "authority-path-length",
            Self::NoCertificateSigning(_) => "authority-key-usage",
            Self::Purpose(_) => "authority-purpose",
            Self::UnusableConstraint(_) => "authority-name-constraint",
            Self::PublicKey { .. } => "authority-public-key",
            Self::Dates(_) => "authority-dates",
            Self::NotSelfSigned(_) => "authority-not-self-signed",
        }
    }

    /// What to change.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Pem(_) | Self::Malformed(_) => "give a file with the authority's certificate in PEM form",
            Self::NotOneCertificate(_) => {
                "give the authority's own certificate (ca.pem), not its chain (ca-chain.pem)"
            }
            Self::Subject(_) | Self::Name(_) => {
                "issue it with one common name: tenant-<slug>.ca.serviceradar or platform.ca.serviceradar"
            }
            Self::Unexpected { .. } => {
                "give the certificate of the expected authority; check whose directory the file was taken from"
            }
            Self::WrongPlace(_) => {
                "give the root where the root is asked for, and issuing authorities where those are"
            }
            Self::NotAnAuthority(_) => "issue it with critical basic constraints CA:TRUE, pathlen:0",
            Self::PathLength { .. } => "issue it with basic constraints CA:TRUE, pathlen:0",
            Self::NoCertificateSigning(_) => "issue it with the key usage keyCertSign (and cRLSign)",
            Self::Purpose(_) => "issue it without extended key usage, or with clientAuth and serverAuth",
            Self::UnusableConstraint(_) => "constrain DNS names only: permitted DNS:<slug>.serviceradar",
            Self::PublicKey { .. } => {
                "make a new authority with ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits"
            }
            Self::Dates(_) => "issue it again with a first day before its last",
            Self::NotSelfSigned(_) => "give the self-signed root of the hierarchy",
        };
        advice.to_owned()
    }
}

/// The root of the hierarchy: the one trust anchor of every verifier.
///
/// Its name carries no meaning, except that it is not an issuing authority's or a peer's: a tenant's
/// authority as anchor would lose its path length and its dates. The root's own dates are not judged, as in
/// RFC 5280 section 6.1.1 (d): it is trusted because it is configured.
#[derive(Clone, Debug)]
pub struct TrustRoot {
    certificate: Certificate,
    anchor: TrustAnchor<'static>,
}

impl TrustRoot {
    /// Loads the root from a PEM text that holds it and no other certificate.
    ///
    /// # Errors
    /// When it is not a self-signed authority that may sign certificates.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthorityError> {
        Self::from_der(&sole_certificate(pem)?)
    }

    /// Loads the root from its DER.
    ///
    /// # Errors
    /// As [`TrustRoot::from_pem`].
    pub fn from_der(der: &CertificateDer<'_>) -> Result<Self, AuthorityError> {
        let certificate = Certificate::parse(der)?;
        let name = sole_common_name(&certificate.subject_attributes).map_err(AuthorityError::Subject)?;
        let issuing = matches!(name.parse(), Ok(AuthorityName::Platform | AuthorityName::Tenant(_)));
        if issuing || name.parse::<PeerName>().is_ok() {
            return Err(AuthorityError::WrongPlace(name));
        }
        lint_signing(&certificate, &name)?;
        if certificate.issuer != certificate.subject || !is_signed_by(&certificate, &certificate) {
            return Err(AuthorityError::NotSelfSigned(name));
        }
        let anchor = webpki::anchor_from_trusted_cert(certificate.der())
            .map_err(|error| CertificateError(error.to_string()))?
            .to_owned();
        Ok(Self { certificate, anchor })
    }

    /// The root's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn anchor(&self) -> &TrustAnchor<'static> {
        &self.anchor
    }
}

/// An authority that issues peers' certificates: the platform's, or one generation of a tenant's.
#[derive(Clone, Debug)]
pub struct IssuingAuthority {
    name: AuthorityName,
    certificate: Certificate,
}

impl IssuingAuthority {
    /// Loads an authority from a PEM text that holds it and no other certificate.
    ///
    /// # Errors
    /// When the certificate is not what this platform accepts as an issuing authority: see
    /// [`AuthorityError`]. Its dates are judged at each handshake, not here.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthorityError> {
        Self::from_der(&sole_certificate(pem)?)
    }

    /// Loads an authority from its DER.
    ///
    /// # Errors
    /// As [`IssuingAuthority::from_pem`].
    pub fn from_der(der: &CertificateDer<'_>) -> Result<Self, AuthorityError> {
        let certificate = Certificate::parse(der)?;
        let text = sole_common_name(&certificate.subject_attributes).map_err(AuthorityError::Subject)?;
        let name = text.parse::<AuthorityName>().map_err(AuthorityError::Name)?;
        if name == AuthorityName::Root {
            return Err(AuthorityError::WrongPlace(text));
        }
        check_readable(der)?;
        lint_signing(&certificate, &text)?;
        lint_path_length(&certificate, &name)?;
        lint_purpose_and_constraints(&certificate, &name)?;
        Ok(Self { name, certificate })
    }

    /// Loads an authority of a suite of certificates that nobody here wrote, under a name that stands in for its own.
    /// It is judged as [`IssuingAuthority::from_der`] does, but for the two things that no foreign authority has: a
    /// name of this platform's, and `pathlen:0`. So what such a suite says of paths can be compared with what
    /// [`PeerVerifier`](crate::PeerVerifier) says up to the leaf's profile. For tests, and for nothing else.
    ///
    /// # Errors
    /// As [`IssuingAuthority::from_der`], but for those two.
    #[doc(hidden)]
    pub fn of_foreign_suite(
        der: &CertificateDer<'_>,
        stand_in: AuthorityName,
    ) -> Result<Self, AuthorityError> {
        let certificate = Certificate::parse(der)?;
        check_readable(der)?;
        lint_signing(&certificate, certificate.subject_text())?;
        lint_purpose_and_constraints(&certificate, &stand_in)?;
        Ok(Self { name: stand_in, certificate })
    }

    /// Demands that this is the authority that was to be loaded.
    ///
    /// # Errors
    /// When it is another one.
    pub fn expect(self, expected: &AuthorityName) -> Result<Self, AuthorityError> {
        if self.name == *expected {
            return Ok(self);
        }
        Err(AuthorityError::Unexpected { expected: expected.clone(), found: self.name })
    }

    /// Which authority it is.
    pub fn name(&self) -> &AuthorityName {
        &self.name
    }

    /// Its generation: `2` when its subject has `OU=G2`. Each generation has a key and a name of its own.
    pub fn generation(&self) -> Option<u32> {
        const ORGANIZATIONAL_UNIT_OID: &str = "2.5.4.11";
        let attributes = self.certificate.subject_attributes.iter();
        let mut units = attributes.filter(|a| a.oid == ORGANIZATIONAL_UNIT_OID);
        let text = std::str::from_utf8(&units.next()?.value).ok()?;
        text.strip_prefix('G')?.parse().ok()
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its subject, as rustls would send it.
    pub(crate) fn distinguished_name(&self) -> DistinguishedName {
        self.certificate.subject.clone().into()
    }

    pub(crate) fn is_signed_by(&self, root: &TrustRoot) -> bool {
        self.certificate.issuer == root.certificate.subject
            && is_signed_by(&self.certificate, &root.certificate)
    }
}

fn sole_certificate(pem: &[u8]) -> Result<CertificateDer<'static>, AuthorityError> {
    let mut certificates = certificates_from_pem(pem)?.into_iter();
    let count = certificates.len();
    match (certificates.next(), certificates.next()) {
        (Some(certificate), None) => Ok(certificate),
        _ => Err(AuthorityError::NotOneCertificate(count)),
    }
}

/// What every authority must be, the root included.
fn lint_signing(certificate: &Certificate, name: &str) -> Result<(), AuthorityError> {
    let name = || name.to_owned();
    if !certificate.is_authority() {
        return Err(AuthorityError::NotAnAuthority(name()));
    }
    let usage = certificate.key_usage;
    if !usage.is_some_and(|usage| usage.has(KeyUsage::KEY_CERT_SIGN)) {
        return Err(AuthorityError::NoCertificateSigning(name()));
    }
    if let PublicKey::Unusable(key) = &certificate.public_key {
        return Err(AuthorityError::PublicKey { authority: name(), key: key.clone() });
    }
    if certificate.not_before() > certificate.not_after() {
        return Err(AuthorityError::Dates(name()));
    }
    Ok(())
}

/// What webpki cannot read, such as an unknown critical extension, would refuse every leaf later on.
fn check_readable(der: &CertificateDer<'_>) -> Result<(), CertificateError> {
    webpki::EndEntityCert::try_from(der).map(|_| ()).map_err(|error| CertificateError(error.to_string()))
}

/// What an issuing authority must be besides: it has no other authority below it,
fn lint_path_length(certificate: &Certificate, name: &AuthorityName) -> Result<(), AuthorityError> {
    let constraints = certificate.basic_constraints;
    let path_length = constraints.and_then(|constraints| constraints.path_length);
    if path_length != Some(0) {
        return Err(AuthorityError::PathLength { authority: name.clone(), found: path_length });
    }
    Ok(())
}

/// and leaves below it can be accepted, in both roles.
fn lint_purpose_and_constraints(
    certificate: &Certificate,
    name: &AuthorityName,
) -> Result<(), AuthorityError> {
    let purposes = certificate.purposes.as_ref();
    if purposes.is_some_and(|purposes| !purposes.client || !purposes.server) {
        return Err(AuthorityError::Purpose(name.clone()));
    }
    if certificate.name_constraints.is_some_and(|constraints| constraints.uri_or_directory) {
        return Err(AuthorityError::UnusableConstraint(name.clone()));
    }
    Ok(())
}

fn is_signed_by(certificate: &Certificate, signer: &Certificate) -> bool {
    let parsed = X509Certificate::from_der(certificate.der());
    let signer = X509Certificate::from_der(signer.der());
    let (Ok((_, parsed)), Ok((_, signer))) = (parsed, signer) else {
        return false;
    };
    parsed.verify_signature(Some(signer.public_key())).is_ok()
}
