//! One attempt to be accepted: what the peer has, what the judge trusts, and when.

use std::sync::Arc;

use bulkhead_identity::{
    Explanation, IssuingAuthority, PeerPattern, PeerVerifier, Question, Refusal, Role, Rule, TrustBundle,
    TrustRoot, explain,
};
use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use time::OffsetDateTime;

use super::forge::{Authority, Leaf, NOW};

/// A peer's certificate and key, and the configuration of whoever judges it.
pub(crate) struct Attempt {
    pub(crate) leaf: CertificateDer<'static>,
    pub(crate) key: Arc<KeyPair>,
    /// What the peer sends beside its leaf.
    pub(crate) sent: Vec<CertificateDer<'static>>,
    pub(crate) root: CertificateDer<'static>,
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) revocation_lists: Vec<CertificateRevocationListDer<'static>>,
    pub(crate) accepted: Vec<PeerPattern>,
    pub(crate) now: OffsetDateTime,
}

/// What a judgement comes to, as one word.
pub(crate) const ACCEPTED: &str = "accepted";

/// A refusal as one word, exact enough that the right code for the wrong reason does not pass.
pub(crate) fn word(refusal: &Refusal) -> &'static str {
    match (refusal.code(), refusal.rule()) {
        ("profile", Rule::CommonName) => "profile: common-name",
        ("profile", Rule::AlternativeNames) => "profile: alternative-names",
        ("profile", Rule::KeyUsage) => "profile: key-usage",
        ("profile", Rule::ExtendedKeyUsage) => "profile: extended-key-usage",
        ("profile", Rule::PublicKey) => "profile: public-key",
        ("expired", Rule::AuthorityDates) => "expired: authority",
        ("not-yet-valid", Rule::AuthorityDates) => "not-yet-valid: authority",
        (code, _) => code,
    }
}

impl Attempt {
    /// An attempt to be accepted as a component of acme by a judge who trusts acme's authority.
    pub(crate) fn as_acme(forge: &super::forge::Forge, leaf: Leaf) -> Self {
        Self {
            leaf: leaf.der,
            key: Arc::new(leaf.key),
            sent: vec![forge.acme.der.clone()],
            root: forge.root.der.clone(),
            authorities: vec![forge.acme.der.clone()],
            revocation_lists: Vec::new(),
            accepted: vec![PeerPattern::MemberOf("acme".parse().unwrap())],
            now: NOW,
        }
    }

    /// An attempt to be accepted as a service of the platform.
    pub(crate) fn as_platform(forge: &super::forge::Forge, leaf: Leaf) -> Self {
        Self {
            sent: vec![forge.platform.der.clone()],
            authorities: vec![forge.platform.der.clone()],
            accepted: PeerPattern::any_platform_service(),
            ..Self::as_acme(forge, leaf)
        }
    }

    /// The judge trusts these authorities instead.
    pub(crate) fn trusting(mut self, authorities: &[&Authority]) -> Self {
        self.authorities = authorities.iter().map(|a| a.der.clone()).collect();
        self
    }

    /// The peer sends these certificates beside its leaf instead.
    pub(crate) fn sending(mut self, chain: &[&CertificateDer<'static>]) -> Self {
        self.sent = chain.iter().map(|der| (*der).clone()).collect();
        self
    }

    /// The judge accepts every component of every tenant that it trusts.
    pub(crate) fn expecting_anybody(mut self) -> Self {
        self.accepted = vec![PeerPattern::AnyMember];
        self
    }

    pub(crate) fn at(mut self, now: OffsetDateTime) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn with_lists(
        mut self,
        lists: impl IntoIterator<Item = CertificateRevocationListDer<'static>>,
    ) -> Self {
        self.revocation_lists.extend(lists);
        self
    }

    pub(crate) fn unix_now(&self) -> UnixTime {
        let seconds = u64::try_from(self.now.unix_timestamp()).unwrap();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    }

    /// The judge of peers in `role`, or the word for why it cannot start.
    pub(crate) fn verifier(&self, role: Role) -> Result<PeerVerifier, &'static str> {
        let root = TrustRoot::from_der(&self.root).map_err(|e| e.code())?;
        let authorities = self.authorities.iter().map(IssuingAuthority::from_der);
        let authorities: Result<Vec<_>, _> = authorities.collect();
        let bundle = TrustBundle::new(root, authorities.map_err(|e| e.code())?)
            .and_then(|bundle| bundle.with_revocation_lists(self.revocation_lists.clone()))
            .map_err(|e| e.code())?;
        PeerVerifier::new(Arc::new(bundle), self.accepted.clone(), role).map_err(|e| e.code())
    }

    /// The word for what becomes of the leaf when it is judged as that of a peer in `role`.
    pub(crate) fn judged(&self, role: Role) -> &'static str {
        match self.verifier(role) {
            Err(code) => code,
            Ok(verifier) => match verifier.verify(&self.leaf, self.unix_now()) {
                Ok(_) => ACCEPTED,
                Err(refusal) => word(&refusal),
            },
        }
    }

    /// The same question put to `explain`, which takes files. It knows no revocation lists.
    pub(crate) fn explained(&self, role: Role) -> Explanation {
        let authorities: Vec<Vec<u8>> = self.authorities.iter().map(|der| pem(der)).collect();
        explain(&Question {
            leaf: &self.leaf,
            chain: &self.sent,
            root: &pem(&self.root),
            authorities: &authorities,
            accepted: self.accepted.clone(),
            role,
            now: self.unix_now(),
        })
    }
}

/// A certificate as the text of a file.
pub(crate) fn pem(der: &CertificateDer<'_>) -> Vec<u8> {
    pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec())).into_bytes()
}
