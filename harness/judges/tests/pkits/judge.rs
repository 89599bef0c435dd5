//! The verifier of the services, configured with the suite's root and with one authority of the suite at a time.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::{
    AuthorityName, IssuingAuthority, PeerPattern, PeerVerifier, Role, Rule, TenantSlug, TrustBundle,
    TrustRoot,
};
use bulkhead_judges::pkits::{Named, Suite};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// 2026-01-01: inside the suite's years, which are 2010 to 2030.
const NOW_UNIX_S: u64 = 1_767_225_600;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its path was accepted; whatever was said then is about the leaf's profile.
    SoundPath,
    /// It was refused before, and by what.
    Refused(String),
}

/// One authority of the suite, as a service would be configured with it.
struct Configured {
    subject: Vec<u8>,
    /// One verifier for each role, or why there is none.
    verifiers: Result<Vec<PeerVerifier>, String>,
}

/// The verifiers, one pair for each authority.
pub(crate) struct Judge(Vec<Configured>);

impl Judge {
    pub(crate) fn configured(suite: &Suite) -> Self {
        Self(suite.authorities.iter().map(|authority| Configured::of(suite, &authority.der)).collect())
    }

    /// Whatever authority a service may be configured with, in whatever role: one acceptance is an acceptance. Of the
    /// refusals the one counts that came furthest; that other authorities have other names says the least.
    pub(crate) fn ending(&self, leaf: &CertificateDer<'_>) -> Ending {
        let (_, parsed) = X509Certificate::from_der(leaf).unwrap();
        let issuer = parsed.issuer().as_raw();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW_UNIX_S));
        let mut furthest = (None, "known-issuer: no authority has this name".to_owned());
        for authority in &self.0 {
            let verifiers = match &authority.verifiers {
                Ok(verifiers) => verifiers,
                Err(why) if authority.subject == issuer => {
                    furthest = furthest.max((Some(Rule::Authorities), why.clone()));
                    continue;
                }
                Err(_) => continue,
            };
            for verifier in verifiers {
                match verifier.verify(leaf, now) {
                    Err(refusal) if refusal.rule() == Rule::KnownIssuer => {}
                    Err(refusal) if refusal.rule() < Rule::CommonName => {
                        let why = format!("{}: {}", refusal.rule().id(), refusal.code());
                        furthest = furthest.max((Some(refusal.rule()), why));
                    }
                    _ => return Ending::SoundPath,
                }
            }
        }
        Ending::Refused(furthest.1)
    }
}

impl Configured {
    fn of(suite: &Suite, authority: &CertificateDer<'static>) -> Self {
        let (_, parsed) = X509Certificate::from_der(authority).unwrap();
        let subject = parsed.subject().as_raw().to_vec();
        let (_, root) = X509Certificate::from_der(&suite.root).unwrap();
        let issuers = [subject.as_slice(), root.subject().as_raw()];
        let verifiers = verifiers(suite, authority, lists_of(&suite.lists, issuers));
        Self { subject, verifiers }
    }
}

fn verifiers(
    suite: &Suite,
    authority: &CertificateDer<'static>,
    lists: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Vec<PeerVerifier>, String> {
    let slug: TenantSlug = "pkits".parse().unwrap();
    let stand_in = AuthorityName::Tenant(slug.clone());
    let why = |code: &str| format!("authorities: {code}");
    let authority =
        IssuingAuthority::of_foreign_suite(authority, stand_in).map_err(|error| why(error.code()))?;
    let bundle = || TrustBundle::new(TrustRoot::from_der(&suite.root).unwrap(), vec![authority.clone()]);
    bundle().map_err(|error| why(error.code()))?;
    // A service with a list that cannot be read does not start. Without that list more might be accepted, so it is left
    // out here.
    let is_readable = |list: &CertificateRevocationListDer<'static>| {
        bundle().unwrap().with_revocation_lists([list.clone()]).is_ok()
    };
    let bundle = bundle().unwrap().with_revocation_lists(lists.into_iter().filter(is_readable)).unwrap();
    let bundle = Arc::new(bundle);
    let accepted = vec![PeerPattern::MemberOf(slug)];
    let in_role = |role| PeerVerifier::new(Arc::clone(&bundle), accepted.clone(), role);
    Ok([Role::Client, Role::Server].map(|role| in_role(role).unwrap()).into())
}

/// Every list that one of these has issued, by the bytes of its name.
fn lists_of(
    lists: &[Named<CertificateRevocationListDer<'static>>],
    issuers: [&[u8]; 2],
) -> Vec<CertificateRevocationListDer<'static>> {
    let is_of_them = |list: &&Named<CertificateRevocationListDer<'static>>| {
        let (_, parsed) = CertificateRevocationList::from_der(&list.der).unwrap();
        issuers.contains(&parsed.issuer().as_raw())
    };
    lists.iter().filter(is_of_them).map(|list| list.der.clone()).collect()
}
