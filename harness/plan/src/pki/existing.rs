//! Certificates that are there from an earlier run: which of them are still what they should be.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rcgen::PublicKeyData;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Name;
use zeroize::Zeroizing;

use super::error::{PkiError, RenewalReason, UnreadableFile};
use super::issue::{Request, Signer, SigningAuthority};
use super::keys::{PrivateKey, Serial};
use super::profile::{BACKDATING, Validity};

/// What the runtime found in the state directory: paths relative to it, and the bytes of each file.
#[derive(Default)]
pub struct ExistingCertificates(BTreeMap<PathBuf, Zeroizing<Vec<u8>>>);

impl ExistingCertificates {
    /// A state directory without certificates.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a file that is there.
    pub fn insert(&mut self, path: impl Into<PathBuf>, contents: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), Zeroizing::new(contents.into()));
    }

    pub(super) fn get(&self, path: &Path) -> Option<&[u8]> {
        self.0.get(path).map(|contents| contents.as_slice())
    }
}

impl fmt::Debug for ExistingCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// What is to be done about one certificate.
pub(super) enum Finding {
    /// There is nothing.
    Nothing,
    /// It is as good as a new one.
    Good(Box<GoodCertificate>),
    /// It is ours, and has to be replaced. The generation is that of the certificate that is there.
    Replace { reason: RenewalReason, generation: u32 },
}

/// A certificate that stays.
pub(super) struct GoodCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) key: PrivateKey,
    pub(super) validity: Validity,
    pub(super) generation: u32,
}

/// Looks at the files of one certificate.
pub(super) fn examine(
    existing: &ExistingCertificates,
    request: &Request<'_>,
    now: OffsetDateTime,
) -> Result<Finding, PkiError> {
    let paths = &request.paths;
    let certificate = match (existing.get(&paths.certificate), existing.get(&paths.key)) {
        (None, None) => return Ok(Finding::Nothing),
        (None, Some(_)) => {
            let reason = RenewalReason::CertificateMissing;
            return Ok(Finding::Replace { reason, generation: 0 });
        }
        (Some(certificate), _) => certificate,
    };
    let unreadable = |path: &Path, problem| PkiError::Unreadable { path: path.to_owned(), problem };
    let no_certificate = || unreadable(&paths.certificate, UnreadableFile::NoCertificate);
    let (der, pem) = one_certificate(certificate).ok_or_else(no_certificate)?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| no_certificate())?;
    // Asked once: it is most of what there is to compute.
    let is_signed = match &request.signer {
        Signer::Authority(authority) => is_signed_with(&parsed, authority.issuer.key()),
        Signer::Itself => true,
    };
    refuse_foreign(&parsed, request, is_signed)?;
    let generation = generation(parsed.subject());
    let Some(key) = existing.get(&paths.key) else {
        let reason = RenewalReason::KeyMissing;
        return Ok(Finding::Replace { reason, generation });
    };
    let key = std::str::from_utf8(key).ok().and_then(|pem| PrivateKey::from_pem(pem).ok());
    let key = key.ok_or_else(|| unreadable(&paths.key, UnreadableFile::NoKey))?;
    let validity = validity(&parsed);
    if let Some(reason) = renewal_reason(&parsed, &key, request, is_signed, validity, generation, now)? {
        return Ok(Finding::Replace { reason, generation });
    }
    Ok(Finding::Good(Box::new(GoodCertificate { der: der.clone(), pem, key, validity, generation })))
}

/// The only certificate of a PEM file, and the file's text.
fn one_certificate(bytes: &[u8]) -> Option<(CertificateDer<'static>, String)> {
    let mut text = std::str::from_utf8(bytes).ok()?.to_owned();
    if !text.ends_with('\n') {
        // Chains are made by joining texts.
        text.push('\n');
    }
    let mut certificates = CertificateDer::pem_slice_iter(bytes);
    let first = certificates.next()?.ok()?;
    certificates.next().is_none().then_some((first, text))
}

fn refuse_foreign(
    parsed: &X509Certificate<'_>,
    request: &Request<'_>,
    is_signed: bool,
) -> Result<(), PkiError> {
    let path = || request.paths.certificate.clone();
    let found = common_name(parsed.subject());
    if found != request.name {
        return Err(PkiError::Foreign { path: path(), found, expected: request.name.clone() });
    }
    let found = common_name(parsed.issuer());
    let expected = match &request.signer {
        Signer::Itself => request.name.clone(),
        Signer::Authority(authority) => authority.name.common_name(),
    };
    if found != expected {
        return Err(PkiError::ForeignIssuer { path: path(), found, expected });
    }
    match &request.signer {
        Signer::Authority(authority) if !is_signed && authority.is_not_who_issued(parsed.issuer()) => {
            Err(PkiError::OtherIssuer { path: path(), issuer: found })
        }
        Signer::Authority(_) | Signer::Itself => Ok(()),
    }
}

impl SigningAuthority {
    /// Whether what names this issuer and is not signed by this authority comes from another one of the same name, as every
    /// environment has one. A renewed authority has another key as well, and a higher generation than the one that its
    /// certificates name.
    pub(super) fn is_not_who_issued(&self, issuer: &X509Name<'_>) -> bool {
        self.kept && generation(issuer) >= self.generation
    }
}

/// Why a certificate of ours has to be replaced, if it has to. The most telling reason comes first.
fn renewal_reason(
    parsed: &X509Certificate<'_>,
    key: &PrivateKey,
    request: &Request<'_>,
    is_signed: bool,
    validity: Validity,
    generation: u32,
    now: OffsetDateTime,
) -> Result<Option<RenewalReason>, PkiError> {
    if let Some(reason) = date_reason(validity, now) {
        return Ok(Some(reason));
    }
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Ok(Some(RenewalReason::KeyMismatch));
    }
    match &request.signer {
        Signer::Itself if !is_signed_with(parsed, key) => {
            return Err(PkiError::Unreadable {
                path: request.paths.certificate.clone(),
                problem: UnreadableFile::BadSelfSignature,
            });
        }
        Signer::Authority(_) if !is_signed => return Ok(Some(RenewalReason::IssuerChanged)),
        Signer::Itself | Signer::Authority(_) => {}
    }
    let as_issued_then = request.validity(validity.not_before + BACKDATING);
    if validity != as_issued_then {
        return Ok(Some(RenewalReason::LifetimeChanged));
    }
    // What would be issued now, with the same serial and dates: nothing of the profile can differ unseen.
    let serial = Serial(parsed.tbs_certificate.raw_serial().to_vec());
    let fresh = request.sign(key, &serial, validity, generation)?;
    let same = x509_parser::parse_x509_certificate(fresh.der())
        .is_ok_and(|(_, fresh)| fresh.tbs_certificate.as_ref() == parsed.tbs_certificate.as_ref());
    Ok((!same).then_some(RenewalReason::ContentsChanged))
}

fn date_reason(validity: Validity, now: OffsetDateTime) -> Option<RenewalReason> {
    let Validity { not_before, not_after } = validity;
    if now > not_after {
        Some(RenewalReason::Expired { at: not_after })
    } else if now < not_before {
        Some(RenewalReason::NotYetValid { from: not_before })
    } else if (not_after - now) * 3 < not_after - not_before {
        Some(RenewalReason::Expiring { at: not_after })
    } else {
        None
    }
}

fn is_signed_with(parsed: &X509Certificate<'_>, key: &PrivateKey) -> bool {
    signed_with(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data, key)
}

/// Whether a key has signed these bytes.
pub(super) fn signed_with(bytes: &[u8], signature: &[u8], key: &PrivateKey) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.der_bytes()).verify(bytes, signature).is_ok()
}

fn validity(parsed: &X509Certificate<'_>) -> Validity {
    let dates = parsed.validity();
    Validity { not_before: dates.not_before.to_datetime(), not_after: dates.not_after.to_datetime() }
}

/// The common names of a DN; a DN of ours has exactly one.
pub(super) fn common_name(name: &X509Name<'_>) -> String {
    let names: Vec<_> = name.iter_common_name().map(|part| part.as_str().unwrap_or("(unreadable)")).collect();
    if names.is_empty() { "somebody without a common name".to_owned() } else { names.join(" and ") }
}

/// The number in `OU=G<number>`; 0 when there is none, as in a leaf.
fn generation(name: &X509Name<'_>) -> u32 {
    let unit = name.iter_organizational_unit().next().and_then(|part| part.as_str().ok());
    unit.and_then(|unit| unit.strip_prefix('G')?.parse().ok()).unwrap_or(0)
}
