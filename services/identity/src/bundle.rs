//! What a verifier trusts.

use rustls_pki_types::{CertificateRevocationListDer, UnixTime};
use webpki::{BorrowedCertRevocationList, CertRevocationList, OwnedCertRevocationList};

use crate::authority::{IssuingAuthority, TrustRoot};
use crate::authority_name::AuthorityName;
use crate::certificate::Certificate;
use crate::revocation::{RevocationList, RevocationListError};

/// Why authorities and a root do not make a trust bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// No authority is configured, so that nobody could ever be accepted.
    #[error("no issuing authority is configured")]
    Empty,
    /// An authority is not signed by the root.
    #[error("{0} is not signed by the configured root")]
    NotSignedByRoot(AuthorityName),
    /// Two certificates have one subject: with one name, neither generation can be told from the other.
    #[error("{0} is configured twice under the same subject")]
    Repeated(AuthorityName),
    /// A revocation list cannot be read.
    #[error("revocation list number {number} cannot be read: {problem}")]
    RevocationList {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        problem: String,
    },
}

impl BundleError {
    /// The stable word for this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "bundle-empty",
            Self::NotSignedByRoot(_) => "authority-not-signed-by-root",
            Self::Repeated(_) => "authority-repeated",
            Self::RevocationList { .. } => "revocation-list-malformed",
        }
    }

    /// What to change.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Empty => {
                "configure the authority of each tenant (or of the platform) whose peers are accepted"
            }
            Self::NotSignedByRoot(_) => {
                "configure the authority and the root of one hierarchy; an authority that another authority signed is not accepted"
            }
            Self::Repeated(_) => {
                "remove one of the two; a new generation has a new key and a new subject (OU=G2)"
            }
            Self::RevocationList { .. } => {
                "give revocation lists in DER, as RFC 5280 section 5 says, without deltas"
            }
        };
        advice.to_owned()
    }
}

/// One root and the issuing authorities below it whose peers are known; optionally, revocation lists.
#[derive(Debug)]
pub struct TrustBundle {
    root: TrustRoot,
    authorities: Vec<IssuingAuthority>,
    revocation_lists: Vec<CertRevocationList<'static>>,
}

impl TrustBundle {
    /// A bundle without revocation lists.
    ///
    /// # Errors
    /// When there is no authority, one that the root did not sign, or two with one subject.
    pub fn new(root: TrustRoot, authorities: Vec<IssuingAuthority>) -> Result<Self, BundleError> {
        if authorities.is_empty() {
            return Err(BundleError::Empty);
        }
        for (index, authority) in authorities.iter().enumerate() {
            if !authority.is_signed_by(&root) {
                return Err(BundleError::NotSignedByRoot(authority.name().clone()));
            }
            let subject = &authority.certificate().subject;
            let earlier = authorities.iter().take(index);
            if earlier.into_iter().any(|other| other.certificate().subject == *subject) {
                return Err(BundleError::Repeated(authority.name().clone()));
            }
        }
        Ok(Self { root, authorities, revocation_lists: Vec::new() })
    }

    /// The same bundle with revocation lists. With any, each certificate of a path needs a current list of
    /// its issuer: a missing, stale or wrongly signed one refuses (the root's list answers for authorities).
    ///
    /// # Errors
    /// When a list cannot be read. Its signature is judged when it is used.
    pub fn with_revocation_lists<'a>(
        mut self,
        lists: impl IntoIterator<Item = CertificateRevocationListDer<'a>>,
    ) -> Result<Self, BundleError> {
        for (index, list) in lists.into_iter().enumerate() {
            let owned: Result<OwnedCertRevocationList, _> =
                BorrowedCertRevocationList::from_der(&list).and_then(|list| list.to_owned());
            let owned = owned.map_err(|error| BundleError::RevocationList {
                number: index + 1,
                problem: error.to_string(),
            })?;
            self.revocation_lists.push(owned.into());
        }
        Ok(self)
    }

    /// The same bundle with lists that are judged now and not at the first handshake. Any list demands one of the root and of
    /// every authority: a verifier would refuse everybody over the one that is missing.
    ///
    /// # Errors
    /// The place of a list that is of none of these, is not signed by its issuer or out of date, or has its double; for
    /// a list that is missing, the place of the first.
    pub fn with_current_lists(
        mut self,
        lists: &[&RevocationList],
        now: UnixTime,
    ) -> Result<Self, (usize, RevocationListError)> {
        for (place, list) in lists.iter().enumerate() {
            let refused = |error| (place, error);
            let issuer = self.certificates().find(|certificate| list.is_of(certificate));
            let unknown = || RevocationListError::UnknownIssuer(list.issuer_text().to_owned());
            let issuer = issuer.ok_or_else(unknown).map_err(refused)?;
            list.check(issuer, now).map_err(refused)?;
            if lists.iter().take(place).any(|earlier| earlier.is_of(issuer)) {
                return Err(refused(RevocationListError::Repeated(list.issuer_text().to_owned())));
            }
        }
        let unanswered = |certificate: &&Certificate| !lists.iter().any(|list| list.is_of(certificate));
        let missing = self.certificates().find(unanswered).filter(|_| !lists.is_empty());
        if let Some(certificate) = missing {
            return Err((0, RevocationListError::Missing(certificate.subject_text().to_owned())));
        }
        for (place, list) in lists.iter().enumerate() {
            let owned = BorrowedCertRevocationList::from_der(list.der()).and_then(|list| list.to_owned());
            let unreadable = |error: webpki::Error| RevocationListError::Malformed(error.to_string());
            self.revocation_lists.push(owned.map_err(|error| (place, unreadable(error)))?.into());
        }
        Ok(self)
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(self.root.certificate())
            .chain(self.authorities.iter().map(IssuingAuthority::certificate))
    }

    /// The trust anchor.
    pub fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// The issuing authorities, in the order of configuration.
    pub fn authorities(&self) -> &[IssuingAuthority] {
        &self.authorities
    }

    pub(crate) fn revocation_lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.revocation_lists.iter().collect()
    }

    /// The authority with exactly this subject, as DER.
    pub(crate) fn authority_with_subject(&self, subject: &[u8]) -> Option<&IssuingAuthority> {
        let mut authorities = self.authorities.iter();
        authorities.find(|authority| authority.certificate().subject == subject)
    }
}
