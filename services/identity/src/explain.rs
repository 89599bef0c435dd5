//! Whether a certificate would be accepted, rule by rule, for files that nobody here made.
//!
//! The answer is [`PeerVerifier::verify`]'s own: rules are asked in one fixed order and a refusal names the
//! first that is broken, so the rules before it passed and the rules after it were not reached. Nothing is
//! judged a second time, so explanation and verifier cannot disagree.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use crate::authority::{AuthorityError, IssuingAuthority, TrustRoot};
use crate::bundle::{BundleError, TrustBundle};
use crate::certificate::Certificate;
use crate::moment;
use crate::names::PeerName;
use crate::pattern::{PeerPattern, Role};
use crate::refusal::Refusal;
use crate::rule::Rule;
use crate::verifier::{PeerVerifier, VerifierError};

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The peer's own certificate.
    pub leaf: &'a CertificateDer<'a>,
    /// What the peer would send beside it. It is not used to judge, only spoken of.
    pub chain: &'a [CertificateDer<'a>],
    /// The root, in PEM.
    pub root: &'a [u8],
    /// The configured authorities, each in a PEM text of its own.
    pub authorities: &'a [Vec<u8>],
    /// Who is accepted.
    pub accepted: Vec<PeerPattern>,
    /// What the peer is.
    pub role: Role,
    /// The moment of judgement.
    pub now: UnixTime,
}

/// The answer, for people ([`Display`](fmt::Display)) and for programs (`Serialize`).
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Whether the certificate would be accepted.
    pub accepted: bool,
    /// Whom it proves, when it is accepted.
    pub identity: Option<PeerName>,
    /// The stable word for the refusal.
    pub code: Option<&'static str>,
    /// The refusal as a sentence.
    pub reason: Option<String>,
    /// What to change.
    pub advice: Option<String>,
    /// What the certificate says, as far as it can be read.
    pub certificate: Option<CertificateSummary>,
    /// Every rule, in the order in which they are asked.
    pub rules: Vec<RuleOutcome>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// What became of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleOutcome {
    /// Its stable word.
    pub rule: Rule,
    /// What became of it.
    pub state: RuleState,
    /// The rule as a sentence.
    pub sentence: &'static str,
    /// How it is broken, when it is.
    pub found: Option<String>,
    /// What to change, when it is broken.
    pub advice: Option<String>,
}

/// The four ways of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleState {
    /// It holds.
    Passed,
    /// It is broken, and the certificate is refused for it.
    Failed,
    /// An earlier rule is broken, so it was not asked.
    NotReached,
    /// There was nothing to ask it of: no revocation list is part of a [`Question`].
    NotAsked,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateSummary {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// The first moment of validity, RFC 3339.
    pub not_before: String,
    /// The last moment of validity, RFC 3339.
    pub not_after: String,
    /// The alternative names.
    pub alternative_names: Vec<String>,
}

impl From<&Certificate> for CertificateSummary {
    fn from(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject_text().to_owned(),
            issuer: certificate.issuer_text().to_owned(),
            serial: certificate.serial().to_owned(),
            not_before: moment::text(certificate.not_before()),
            not_after: moment::text(certificate.not_after()),
            alternative_names: certificate.alternative_name_texts(),
        }
    }
}

/// Judges a certificate and says why.
pub fn explain(question: &Question<'_>) -> Explanation {
    let judgement = judge(question);
    let failure = judgement.as_ref().err();
    let leaf = Certificate::parse(question.leaf).ok();
    Explanation {
        accepted: failure.is_none(),
        code: failure.map(|failure| failure.code),
        reason: failure.map(|failure| failure.found.clone()),
        advice: failure.map(|failure| failure.advice.clone()),
        rules: outcomes(failure),
        notes: notes(question, leaf.as_ref()),
        certificate: leaf.as_ref().map(CertificateSummary::from),
        identity: judgement.ok(),
    }
}

/// The one rule that is broken.
struct Failure {
    rule: Rule,
    code: &'static str,
    found: String,
    advice: String,
}

fn judge(question: &Question<'_>) -> Result<PeerName, Failure> {
    let root = TrustRoot::from_pem(question.root).map_err(|e| of_authority(Rule::TrustRoot, &e))?;
    let authorities = question.authorities.iter();
    let authorities = authorities.map(|pem| IssuingAuthority::from_pem(pem));
    let authorities: Result<Vec<_>, _> = authorities.collect();
    let authorities = authorities.map_err(|e| of_authority(Rule::Authorities, &e))?;
    let bundle = TrustBundle::new(root, authorities).map_err(|e| of_bundle(&e))?;
    let verifier = PeerVerifier::new(Arc::new(bundle), question.accepted.clone(), question.role)
        .map_err(|e| of_verifier(&e))?;
    let name = verifier.verify(question.leaf, question.now);
    name.map_err(|refusal| of_refusal(&refusal))
}

fn of_authority(rule: Rule, error: &AuthorityError) -> Failure {
    Failure { rule, code: error.code(), found: error.to_string(), advice: error.advice() }
}

fn of_bundle(error: &BundleError) -> Failure {
    Failure { rule: Rule::Authorities, code: error.code(), found: error.to_string(), advice: error.advice() }
}

fn of_verifier(error: &VerifierError) -> Failure {
    Failure {
        rule: Rule::Authorities,
        code: error.code(),
        found: error.to_string(),
        advice: "give the authority certificate of whom you expect".to_owned(),
    }
}

fn of_refusal(refusal: &Refusal) -> Failure {
    Failure {
        rule: refusal.rule(),
        code: refusal.code(),
        found: refusal.to_string(),
        advice: refusal.advice(),
    }
}

fn outcomes(failure: Option<&Failure>) -> Vec<RuleOutcome> {
    let broken = failure.map(|failure| failure.rule);
    let state = |rule: Rule| match broken {
        Some(broken) if rule == broken => RuleState::Failed,
        Some(broken) if rule > broken => RuleState::NotReached,
        _ if rule == Rule::Revocation => RuleState::NotAsked,
        _ => RuleState::Passed,
    };
    let outcome = |rule: Rule| {
        let failure = failure.filter(|failure| failure.rule == rule);
        RuleOutcome {
            rule,
            state: state(rule),
            sentence: rule.sentence(),
            found: failure.map(|failure| failure.found.clone()),
            advice: failure.map(|failure| failure.advice.clone()),
        }
    };
    Rule::ALL.into_iter().map(outcome).collect()
}

fn notes(question: &Question<'_>, leaf: Option<&Certificate>) -> Vec<String> {
    let mut notes = Vec::new();
    for (index, der) in question.chain.iter().enumerate() {
        let number = index + 1;
        let Ok(sent) = Certificate::parse(der) else {
            notes.push(format!("certificate {number} of the chain cannot be read"));
            continue;
        };
        let is_issuer = leaf.is_some_and(|leaf| leaf.issuer == sent.subject);
        let whose = if is_issuer { "the certificate's issuer" } else { "another certificate" };
        notes.push(format!(
            "certificate {number} of the chain, `{}`, is {whose}; it is not used to judge: only configured authorities are",
            sent.subject_text()
        ));
    }
    notes.push("whether the peer holds the certificate's key shows in a handshake only".to_owned());
    notes
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(certificate) = &self.certificate {
            writeln!(formatter, "subject   {}", certificate.subject)?;
            writeln!(formatter, "issuer    {}", certificate.issuer)?;
            let (from, to) = (&certificate.not_before, &certificate.not_after);
            writeln!(formatter, "valid     {from} to {to}")?;
            writeln!(formatter, "names     {}", certificate.alternative_names.join(", "))?;
        }
        for outcome in &self.rules {
            let word = match outcome.state {
                RuleState::Passed => "passed",
                RuleState::Failed => "FAILED",
                RuleState::NotReached => "-",
                RuleState::NotAsked => "not asked",
            };
            let id = outcome.rule.id();
            writeln!(formatter, "{word:>9} {id}: {}", outcome.sentence)?;
        }
        for note in &self.notes {
            writeln!(formatter, "     note {note}")?;
        }
        match (&self.identity, &self.reason, &self.advice) {
            (Some(identity), _, _) => write!(formatter, "accepted as {identity}"),
            (None, Some(reason), Some(advice)) => {
                writeln!(formatter, "refused: {reason}")?;
                write!(formatter, "to change: {advice}")
            }
            _ => formatter.write_str("refused"),
        }
    }
}
