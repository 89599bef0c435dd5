//! Issuing: keeps what is good, makes what is missing, replaces the rest, and remembers what was done.

use bulkhead_identity::{AuthorityName, PeerName};
use rcgen::{Certificate, CertificateParams, Issuer};
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::error::{Action, Notice, PkiError};
use super::existing::{ExistingCertificates, Finding, examine};
use super::keys::{KeyError, KeySource, PrivateKey, Serial};
use super::names::{CertificatePaths, revocation_list_path};
use super::profile::{self, Validity};
use super::revocation::{self, Entries, Found};
use super::weakness::Weakness;
use crate::spec::Lifetimes;

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedCertificate {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// The certificate as PEM.
    pub pem: String,
    /// The private key as PKCS #8 PEM. Wiped when dropped.
    pub key_pem: SecretPem,
}

/// A private key as text, wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretPem(pub(crate) Zeroizing<Vec<u8>>);

impl SecretPem {
    /// The text, to write into a file that only its owner reads.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SecretPem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretPem(not shown)")
    }
}

/// A certificate authority that can sign.
pub(super) struct SigningAuthority {
    pub(super) name: AuthorityName,
    pub(super) issuer: Issuer<'static, PrivateKey>,
    pub(super) generation: u32,
    /// Whether it was there before, so that what it has issued may be there as well.
    pub(super) kept: bool,
    validity: Validity,
}

impl SigningAuthority {
    /// Its last moment, and so that of whatever it signs.
    pub(super) fn ends(&self) -> OffsetDateTime {
        self.validity.not_after
    }
}

/// Who signs.
#[derive(Clone, Copy)]
pub(super) enum Signer<'a> {
    Itself,
    Authority(&'a SigningAuthority),
}

/// Whose certificate is wanted.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Authority(&'a AuthorityName),
    Leaf(&'a PeerName),
}

/// One certificate that is wanted.
pub(super) struct Request<'a> {
    pub(super) name: String,
    pub(super) paths: CertificatePaths,
    pub(super) signer: Signer<'a>,
    subject: Subject<'a>,
    lifetime: Duration,
    weakness: Option<Weakness>,
}

impl Request<'_> {
    /// From when until when the certificate is valid if it is issued at `now`.
    pub(super) fn validity(&self, now: OffsetDateTime) -> Validity {
        let issuer = match self.signer {
            Signer::Itself => None,
            Signer::Authority(authority) => Some(authority.validity),
        };
        Validity::starting(now, self.lifetime, issuer)
    }

    fn params(
        &self,
        serial: &Serial,
        validity: Validity,
        generation: u32,
    ) -> Result<CertificateParams, PkiError> {
        match self.subject {
            Subject::Authority(name) => {
                Ok(profile::authority(name, generation, serial, validity, self.weakness))
            }
            Subject::Leaf(name) => profile::leaf(name, serial, validity, self.weakness),
        }
    }

    /// The certificate for `key`.
    pub(super) fn sign(
        &self,
        key: &PrivateKey,
        serial: &Serial,
        validity: Validity,
        generation: u32,
    ) -> Result<Certificate, PkiError> {
        let params = self.params(serial, validity, generation)?;
        let signed = match self.signer {
            Signer::Itself => params.self_signed(key),
            Signer::Authority(authority) => params.signed_by(key, &authority.issuer),
        };
        signed.map_err(|error| PkiError::Encoding { name: self.name.clone(), error })
    }
}

/// What all certificates of one plan have in common.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) now: OffsetDateTime,
    pub(super) existing: &'a ExistingCertificates,
    pub(super) lifetimes: Lifetimes,
    pub(super) weakness: Option<Weakness>,
}

/// Where certificates are had: from the existing files or made.
pub(super) struct Office<'a> {
    keys: &'a mut dyn KeySource,
    terms: Terms<'a>,
    pub(super) notices: Vec<Notice>,
}

/// What came of a request.
struct Obtained {
    certificate: KeyedCertificate,
    key: PrivateKey,
    validity: Validity,
    generation: u32,
    kept: bool,
}

impl<'a> Office<'a> {
    pub(super) fn new(keys: &'a mut dyn KeySource, terms: Terms<'a>) -> Self {
        Self { keys, terms, notices: Vec::new() }
    }

    /// A certificate authority: to sign with, and to write down.
    pub(super) fn authority(
        &mut self,
        name: &AuthorityName,
        signer: Signer<'_>,
    ) -> Result<(SigningAuthority, KeyedCertificate), PkiError> {
        let lifetime = match name {
            AuthorityName::Root => self.terms.lifetimes.root(),
            AuthorityName::Platform | AuthorityName::Tenant(_) => self.terms.lifetimes.authority(),
        };
        let request = Request {
            name: name.common_name(),
            paths: CertificatePaths::of_authority(name),
            signer,
            subject: Subject::Authority(name),
            lifetime,
            weakness: self.terms.weakness,
        };
        let Obtained { certificate, key, validity, generation, kept } = self.obtain(&request)?;
        // The serial is no part of what an issuer passes on.
        let params = profile::authority(name, generation, &Serial(Vec::new()), validity, self.terms.weakness);
        let issuer = Issuer::new(params, key);
        Ok((SigningAuthority { name: name.clone(), issuer, generation, kept, validity }, certificate))
    }

    /// A service's certificate.
    pub(super) fn leaf(
        &mut self,
        name: &PeerName,
        authority: &SigningAuthority,
    ) -> Result<KeyedCertificate, PkiError> {
        let request = Request {
            name: name.common_name(),
            paths: CertificatePaths::of_leaf(name),
            signer: Signer::Authority(authority),
            subject: Subject::Leaf(name),
            lifetime: self.terms.lifetimes.leaf(),
            weakness: self.terms.weakness,
        };
        Ok(self.obtain(&request)?.certificate)
    }

    /// An authority's revocation list.
    pub(super) fn revocation_list(&mut self, authority: &SigningAuthority) -> Result<String, PkiError> {
        let name = &authority.name;
        let path = revocation_list_path(name);
        let found = revocation::examine(self.terms.existing.get(&path), &path, authority)?;
        self.notices.push(Notice {
            name: revocation::list_of(name),
            path,
            action: revocation::action(&found),
        });
        let mut entries = match found {
            Found::Good(text) => return Ok(text),
            Found::Nothing => Entries::default(),
            Found::Replace { entries, .. } => entries,
        };
        if entries.lacks_somebody(name) {
            let no_serial = |error: KeyError| PkiError::Keys { name: name.common_name(), error };
            entries.revoke(self.keys.serial().map_err(no_serial)?, self.terms.now);
        }
        entries.sign(authority, self.terms.now)
    }

    fn obtain(&mut self, request: &Request<'_>) -> Result<Obtained, PkiError> {
        let (action, obtained) = match examine(self.terms.existing, request, self.terms.now)? {
            Finding::Good(good) => {
                let certificate =
                    KeyedCertificate { der: good.der, pem: good.pem, key_pem: SecretPem(good.key.to_pem()) };
                let obtained = Obtained {
                    certificate,
                    key: good.key,
                    validity: good.validity,
                    generation: good.generation,
                    kept: true,
                };
                (Action::Kept, obtained)
            }
            Finding::Nothing => (Action::Issued, self.issue(request, 1)?),
            Finding::Replace { reason, generation } => {
                (Action::Renewed(reason), self.issue(request, generation.saturating_add(1))?)
            }
        };
        self.notices.push(Notice {
            name: request.name.clone(),
            path: request.paths.certificate.clone(),
            action,
        });
        Ok(obtained)
    }

    fn issue(&mut self, request: &Request<'_>, generation: u32) -> Result<Obtained, PkiError> {
        let no_key = |error: KeyError| PkiError::Keys { name: request.name.clone(), error };
        let key = self.keys.key().map_err(no_key)?;
        let serial = self.keys.serial().map_err(no_key)?;
        let validity = request.validity(self.terms.now);
        let certificate = request.sign(&key, &serial, validity, generation)?;
        let certificate = KeyedCertificate {
            pem: certificate.pem(),
            der: certificate.into(),
            key_pem: SecretPem(key.to_pem()),
        };
        Ok(Obtained { certificate, key, validity, generation, kept: false })
    }
}
