//! What can be wrong with certificates that are there already, and what was done about the rest.

use std::fmt;
use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::keys::KeyError;

/// Why there is no certificate hierarchy. No file has been touched when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file that is there cannot be read as what it should be.
    #[error(
        "{} is there but is {problem}: restore it, or delete it together with its counterpart, if it has one, to have it made anew",
        .path.display()
    )]
    Unreadable {
        /// Which, relative to the state directory.
        path: PathBuf,
        /// What it is instead.
        problem: UnreadableFile,
    },
    /// A certificate that is there belongs to somebody else.
    #[error(
        "{} is the certificate of {found}, not of {expected}: it is not from this environment; move it away, and a new \
         one is made",
        .path.display()
    )]
    Foreign {
        /// Which, relative to the state directory.
        path: PathBuf,
        /// Whose certificate it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// A certificate that is there comes from an authority with another name.
    #[error(
        "{} was issued by {found}, not by {expected}: it is not from this environment; move it away, and a new one is \
         made",
        .path.display()
    )]
    ForeignIssuer {
        /// Which, relative to the state directory.
        path: PathBuf,
        /// Its issuer.
        found: String,
        /// Who its issuer should be.
        expected: String,
    },
    /// A certificate that is there comes from an authority of the right name and another key, which is not what a
    /// renewal of ours leaves behind.
    #[error(
        "{} was issued by another {issuer} than the one that is here: it is from another environment, or its issuer was \
         exchanged; move it away together with its key to have it made anew, or put back the issuer that it is from",
        .path.display()
    )]
    OtherIssuer {
        /// Which, relative to the state directory.
        path: PathBuf,
        /// The name of both issuers.
        issuer: String,
    },
    /// No key or serial could be had.
    #[error("no key could be made for {name}: {error}")]
    Keys {
        /// For whom.
        name: String,
        /// Why.
        error: KeyError,
    },
    /// A certificate could not be encoded or signed.
    #[error("the certificate of {name} could not be made: {error}")]
    Encoding {
        /// For whom.
        name: String,
        /// Why.
        error: rcgen::Error,
    },
}

/// How a file is unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableFile {
    /// Not one PEM certificate.
    #[error("not one certificate in PEM")]
    NoCertificate,
    /// Not a PEM private key of the kind that is used here.
    #[error("not an ECDSA P-256 private key in PKCS #8 PEM")]
    NoKey,
    /// Not one PEM revocation list.
    #[error("not one revocation list in PEM")]
    NoRevocationList,
    /// Its self-signature does not verify.
    #[error("corrupt: its signature does not verify with its own key")]
    BadSelfSignature,
}

/// What was done about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The name in the certificate.
    pub name: String,
    /// Its file, relative to the state directory.
    pub path: PathBuf,
    /// What was done.
    pub action: Action,
}

/// What was done about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// There was none: it was issued.
    Issued,
    /// It was good: it was kept, byte for byte.
    Kept,
    /// There was one, and it was replaced.
    Renewed(RenewalReason),
}

/// Why a certificate that was there was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewalReason {
    /// It had expired.
    Expired {
        /// When.
        at: OffsetDateTime,
    },
    /// Less than a third of its life was left.
    Expiring {
        /// When it would have expired.
        at: OffsetDateTime,
    },
    /// It was not valid yet: the clock was ahead when it was made.
    NotYetValid {
        /// From when it would have been.
        from: OffsetDateTime,
    },
    /// Its issuer has another key now.
    IssuerChanged,
    /// Another lifetime is asked for.
    LifetimeChanged,
    /// Its names, purposes or constraints are not what they are to be.
    ContentsChanged,
    /// The key beside it was another certificate's.
    KeyMismatch,
    /// A revocation list had nobody on it, where one is to be.
    NobodyRevoked,
    /// The certificate was there without its key.
    KeyMissing,
    /// The key was there without its certificate.
    CertificateMissing,
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.action {
            Action::Issued => write!(formatter, "{path}: issued for {}", self.name),
            Action::Kept => write!(formatter, "{path}: kept"),
            Action::Renewed(reason) => write!(formatter, "{path}: renewed, because {reason}"),
        }
    }
}

impl fmt::Display for RenewalReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |at: &OffsetDateTime| at.format(&Rfc3339).unwrap_or_else(|_| at.to_string());
        match self {
            Self::Expired { at } => write!(formatter, "it expired at {}", date(at)),
            Self::Expiring { at } => {
                write!(formatter, "less than a third of its life was left (until {})", date(at))
            }
            Self::NotYetValid { from } => write!(formatter, "it is not valid before {}", date(from)),
            Self::IssuerChanged => formatter.write_str("its issuer was renewed"),
            Self::LifetimeChanged => formatter.write_str("another lifetime is asked for"),
            Self::ContentsChanged => {
                formatter.write_str("its names, purposes or constraints are to be others")
            }
            Self::KeyMismatch => formatter.write_str("the key beside it belonged to another certificate"),
            Self::NobodyRevoked => formatter.write_str("nobody was on it"),
            Self::KeyMissing => formatter.write_str("its key was missing"),
            Self::CertificateMissing => formatter.write_str("only its key was there"),
        }
    }
}
