//! Revocation lists: one of the root, which has revoked nobody, and one of each authority below it, which has revoked one
//! certificate, of a component that is no more. With nobody on any list, nobody could tell lists that are asked from lists
//! that are not.

use std::path::Path;

use bulkhead_identity::AuthorityName;
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::error::{Action, PkiError, RenewalReason, UnreadableFile};
use super::existing::{common_name, signed_with};
use super::issue::SigningAuthority;
use super::keys::{PrivateKey, Serial};
use super::profile::BACKDATING;

/// One entry: the serial number, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    serial: Vec<u8>,
    since: OffsetDateTime,
}

/// What was found in the state directory.
pub(super) enum Found {
    Nothing,
    /// It is as good as a new one: its text.
    Good(String),
    /// It is ours and has to be replaced; whoever is on it stays on it.
    Replace {
        reason: RenewalReason,
        entries: Entries,
    },
}

/// Who is on a list, and its number.
#[derive(Default)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    number: u64,
}

/// Looks at a list that is there.
pub(super) fn examine(
    existing: Option<&[u8]>,
    path: &Path,
    authority: &SigningAuthority,
) -> Result<Found, PkiError> {
    let Some(bytes) = existing else { return Ok(Found::Nothing) };
    let no_list =
        || PkiError::Unreadable { path: path.to_owned(), problem: UnreadableFile::NoRevocationList };
    let text = std::str::from_utf8(bytes).map_err(|_| no_list())?;
    let mut lists = CertificateRevocationListDer::pem_slice_iter(bytes);
    let (Some(Ok(der)), None) = (lists.next(), lists.next()) else { return Err(no_list()) };
    let (_, parsed) = CertificateRevocationList::from_der(&der).map_err(|_| no_list())?;
    let (found, expected) = (common_name(parsed.issuer()), authority.name.common_name());
    if found != expected {
        return Err(PkiError::ForeignIssuer { path: path.to_owned(), found, expected });
    }
    let signature = &parsed.signature_value.data;
    if !signed_with(parsed.tbs_cert_list.as_ref(), signature, authority.issuer.key()) {
        if authority.is_not_who_issued(parsed.issuer()) {
            return Err(PkiError::OtherIssuer { path: path.to_owned(), issuer: found });
        }
        // What an earlier generation has issued is refused without any list.
        let (reason, entries) = (RenewalReason::IssuerChanged, Entries::default());
        return Ok(Found::Replace { reason, entries });
    }
    let reason = if parsed.next_update().map(|at| at.to_datetime()) != Some(authority.ends()) {
        RenewalReason::LifetimeChanged
    } else if parsed.iter_revoked_certificates().next().is_none() && revokes(&authority.name) {
        RenewalReason::NobodyRevoked
    } else {
        return Ok(Found::Good(text.to_owned()));
    };
    let entry = |revoked: &x509_parser::revocation_list::RevokedCertificate<'_>| Entry {
        serial: revoked.raw_serial().to_vec(),
        since: revoked.revocation_date.to_datetime(),
    };
    let entries = parsed.iter_revoked_certificates().map(entry).collect();
    let number = parsed.crl_number().and_then(|number| number.try_into().ok()).unwrap_or(0);
    Ok(Found::Replace { reason, entries: Entries { entries, number } })
}

/// Whether somebody has to be on an authority's list.
pub(super) fn revokes(name: &AuthorityName) -> bool {
    *name != AuthorityName::Root
}

impl Entries {
    /// Whether somebody has to be put on the list of this authority.
    pub(super) fn lacks_somebody(&self, name: &AuthorityName) -> bool {
        self.entries.is_empty() && revokes(name)
    }

    /// Puts a certificate on the list that nobody has any more.
    pub(super) fn revoke(&mut self, serial: Serial, now: OffsetDateTime) {
        self.entries.push(Entry { serial: serial.0, since: now.truncate_to_second() - BACKDATING });
    }

    /// The list, in PEM.
    pub(super) fn sign(&self, authority: &SigningAuthority, now: OffsetDateTime) -> Result<String, PkiError> {
        let revoked = self.entries.iter().map(|entry| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&entry.serial),
            revocation_time: entry.since,
            reason_code: Some(RevocationReason::CessationOfOperation),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: now.truncate_to_second() - BACKDATING,
            // As long as whatever its authority has signed. An environment is given its lists when it starts and nobody
            // renews them while it runs; a service refuses everybody once its list is out of date, so that a list that
            // ended before the last leaf would end the environment.
            next_update: authority.ends(),
            crl_number: SerialNumber::from(self.number.saturating_add(1)),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer: &Issuer<'static, PrivateKey> = &authority.issuer;
        let list = params.signed_by(issuer).and_then(|list| list.pem());
        list.map_err(|error| PkiError::Encoding { name: list_of(&authority.name), error })
    }
}

/// What a list is called where certificates are called by their common name.
pub(super) fn list_of(name: &AuthorityName) -> String {
    format!("the revocation list of {name}")
}

/// What was done about a list.
pub(super) fn action(found: &Found) -> Action {
    match found {
        Found::Nothing => Action::Issued,
        Found::Good(_) => Action::Kept,
        Found::Replace { reason, .. } => Action::Renewed(reason.clone()),
    }
}
