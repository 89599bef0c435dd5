//! Revocation lists, judged when they are loaded: what webpki would find out at a handshake only, and refuse everybody for.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};
use time::OffsetDateTime;
use webpki::BorrowedCertRevocationList;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::certificate::{Certificate, KeyUsage};
use crate::moment;

/// Why a revocation list is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationListError {
    /// The text is not PEM, or holds none.
    #[error("there is no readable PEM section `X509 CRL` in it")]
    Pem,
    /// The text holds more than one list.
    #[error("there are {0} revocation lists in it instead of one authority's")]
    NotOneList(usize),
    /// The bytes are no list that can be used.
    #[error("this is not a usable revocation list: {0}")]
    Malformed(String),
    /// Neither the root nor a configured authority has its issuer's name.
    #[error("it is a list of `{0}`, which is neither the configured root nor a configured authority")]
    UnknownIssuer(String),
    /// It has a configured authority's name and is not signed by its key.
    #[error("it is in the name of `{0}` and is not signed by its key")]
    BadSignature(String),
    /// The authority's key usage lacks cRLSign.
    #[error("`{0}` may not sign revocation lists: its key usage lacks cRLSign")]
    MayNotSign(String),
    /// Its next update is overdue.
    #[error("it has been out of date since {}", moment::text(*.0))]
    Stale(OffsetDateTime),
    /// There is another list of the same issuer, of which only one would ever be looked at.
    #[error("there is another list of `{0}`")]
    Repeated(String),
    /// There are lists, and none of this authority.
    #[error("there is no list of `{0}` beside it: everybody who needs its word would be refused")]
    Missing(String),
}

impl RevocationListError {
    /// The stable word for this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pem => "revocation-list-pem",
            Self::NotOneList(_) => "revocation-list-not-one",
            Self::Malformed(_) => "revocation-list-malformed",
            Self::UnknownIssuer(_) => "revocation-list-unknown-issuer",
            Self::BadSignature(_) => "revocation-list-bad-signature",
            Self::MayNotSign(_) => "revocation-list-key-usage",
            Self::Stale(_) => "revocation-list-stale",
            Self::Repeated(_) => "revocation-list-repeated",
            Self::Missing(_) => "revocation-list-missing",
        }
    }

    /// What to change.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Pem | Self::NotOneList(_) => "give one file for each list, in PEM form",
            Self::Malformed(_) => {
                "give a whole list as RFC 5280 section 5 says, with a next update and without deltas"
            }
            Self::UnknownIssuer(_) => "name the lists of the root and of the configured authorities only",
            Self::BadSignature(_) => {
                "give the list that this generation of the authority has signed; each has a key and a name of its own"
            }
            Self::MayNotSign(_) => "issue the authority with the key usage keyCertSign and cRLSign",
            Self::Stale(_) => "have its authority sign a current one",
            Self::Repeated(_) => "name the newer of the two only",
            Self::Missing(_) => {
                "name a current list of the root and of every configured authority, or none at all"
            }
        };
        advice.to_owned()
    }
}

/// One authority's revocation list, parsed; nothing is known of who has signed it until a
/// [`TrustBundle`](crate::TrustBundle) takes it.
#[derive(Clone, Debug)]
pub struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    issuer: Vec<u8>,
    issuer_text: String,
    next_update: OffsetDateTime,
}

impl RevocationList {
    /// Reads a list from a PEM text that holds it and no other list.
    ///
    /// # Errors
    /// When it is none that webpki can use.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RevocationListError> {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        let mut lists = lists.map_err(|_| RevocationListError::Pem)?.into_iter();
        let count = lists.len();
        match (lists.next(), lists.next()) {
            (Some(list), None) => Self::from_der(list),
            (None, _) => Err(RevocationListError::Pem),
            _ => Err(RevocationListError::NotOneList(count)),
        }
    }

    fn from_der(der: CertificateRevocationListDer<'static>) -> Result<Self, RevocationListError> {
        let malformed = |problem: String| RevocationListError::Malformed(problem);
        BorrowedCertRevocationList::from_der(&der).map_err(|error| malformed(error.to_string()))?;
        let (_, parsed) =
            CertificateRevocationList::from_der(&der).map_err(|error| malformed(error.to_string()))?;
        let next_update = parsed.next_update().ok_or_else(|| malformed("no next update".to_owned()))?;
        Ok(Self {
            issuer: parsed.issuer().as_raw().to_vec(),
            issuer_text: parsed.issuer().to_string(),
            next_update: next_update.to_datetime(),
            der: der.clone(),
        })
    }

    /// The list.
    pub fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.der
    }

    /// Whether it stands in the name of this certificate's owner.
    pub fn is_of(&self, authority: &Certificate) -> bool {
        self.issuer == authority.subject
    }

    /// Its issuer, for people.
    pub(crate) fn issuer_text(&self) -> &str {
        &self.issuer_text
    }

    /// Demands that its issuer, whose certificate this is, has signed it, and that it is of today.
    pub(crate) fn check(&self, issuer: &Certificate, now: UnixTime) -> Result<(), RevocationListError> {
        let name = || self.issuer_text.clone();
        let signed = || {
            let (_, list) = CertificateRevocationList::from_der(&self.der).ok()?;
            let (_, issuer) = X509Certificate::from_der(issuer.der()).ok()?;
            list.verify_signature(issuer.public_key()).ok()
        };
        signed().ok_or_else(|| RevocationListError::BadSignature(name()))?;
        if !issuer.key_usage.is_some_and(|usage| usage.has(KeyUsage::CRL_SIGN)) {
            return Err(RevocationListError::MayNotSign(name()));
        }
        if self.next_update <= moment::from_unix(now) {
            return Err(RevocationListError::Stale(self.next_update));
        }
        Ok(())
    }
}
