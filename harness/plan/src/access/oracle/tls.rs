//! What certificates are refused for: by our services, and by NATS.

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};

use super::{Expectation, responsible};
use crate::access::attempt::{CertificateFlaw, Who};
use crate::access::outcome::DenialReason;

/// What a service of ours expects of its peer.
pub(super) struct Verifier<'a> {
    /// The authorities that it was given.
    pub(super) authorities: Vec<AuthorityName>,
    /// Who is welcome.
    pub(super) accepts: &'a dyn Fn(&PeerName) -> bool,
    /// Whether the peer is the server of the connection.
    pub(super) peer_is_server: bool,
}

impl Verifier<'_> {
    /// Whether the certificate is accepted.
    pub(super) fn judge(&self, who: &Who) -> Expectation {
        match who {
            Who::Anonymous => Expectation::denied(DenialReason::NoCertificate),
            Who::Peer(name) => self.judge_flawless(name),
            Who::Forged { name, flaw } => self.judge_forged(name, flaw),
        }
    }

    fn judge_flawless(&self, name: &PeerName) -> Expectation {
        let purpose_fits = match name {
            PeerName::Platform(PlatformName::Nats) => self.peer_is_server,
            PeerName::Platform(PlatformName::Admin) => !self.peer_is_server,
            _ => true,
        };
        let reason = if !self.authorities.contains(&responsible(name)) {
            DenialReason::UnknownIssuer
        } else if !purpose_fits {
            DenialReason::WrongPurpose
        } else if !(self.accepts)(name) {
            DenialReason::UnexpectedPeer
        } else {
            return Expectation::Allowed;
        };
        Expectation::denied(reason)
    }

    fn judge_forged(&self, name: &PeerName, flaw: &CertificateFlaw) -> Expectation {
        let responsible = responsible(name);
        let issuer = match flaw {
            // Their issuers' names are configured nowhere.
            CertificateFlaw::SelfSigned
            | CertificateFlaw::UnknownAuthority
            | CertificateFlaw::UnderLeaf
            | CertificateFlaw::UnderSubordinate
            | CertificateFlaw::StaleGeneration => None,
            CertificateFlaw::IssuedBy(other) => Some(other),
            _ => Some(&responsible),
        };
        match issuer {
            Some(issuer) if self.authorities.contains(issuer) => {}
            _ => return Expectation::denied(DenialReason::UnknownIssuer),
        }
        let wrong_use = |only_for_servers| only_for_servers != self.peer_is_server;
        let reason = match flaw {
            // What is sent behind the leaf is nobody's identity.
            CertificateFlaw::None | CertificateFlaw::TrailingCertificate(_) => {
                return self.judge_member(name);
            }
            CertificateFlaw::IssuedBy(other) if *other == responsible => return self.judge_member(name),
            CertificateFlaw::IssuedBy(_) => DenialReason::NameConstraint,
            CertificateFlaw::CopiedAuthority
            | CertificateFlaw::BorrowedIssuerName(_)
            | CertificateFlaw::AlteredSignature => DenialReason::BadSignature,
            CertificateFlaw::KeyNotHeld if !(self.accepts)(name) => DenialReason::UnexpectedPeer,
            CertificateFlaw::KeyNotHeld => DenialReason::KeyNotProven,
            CertificateFlaw::Expired => DenialReason::Expired,
            CertificateFlaw::NotYetValid => DenialReason::NotYetValid,
            CertificateFlaw::Revoked => DenialReason::Revoked,
            CertificateFlaw::ExtraName(other) | CertificateFlaw::OtherAlternativeName(other)
                if !may_name(&responsible, other) =>
            {
                DenialReason::NameConstraint
            }
            CertificateFlaw::LocalhostName if responsible != AuthorityName::Platform => {
                DenialReason::NameConstraint
            }
            // Stock NATS tools verify the name that they dial: of NATS alone, as a server, it is no flaw.
            CertificateFlaw::LocalhostName
                if *name == PeerName::Platform(PlatformName::Nats) && self.peer_is_server =>
            {
                return self.judge_member(name);
            }
            CertificateFlaw::ExtraName(_)
            | CertificateFlaw::TwoCommonNames(_)
            | CertificateFlaw::OtherCommonName(_)
            | CertificateFlaw::OtherAlternativeName(_)
            | CertificateFlaw::LocalhostName
            | CertificateFlaw::CommonNameOnly
            | CertificateFlaw::NoPurpose => DenialReason::Profile,
            CertificateFlaw::OnlyForServers if wrong_use(true) => DenialReason::WrongPurpose,
            CertificateFlaw::OnlyForClients if wrong_use(false) => DenialReason::WrongPurpose,
            CertificateFlaw::OnlyForServers | CertificateFlaw::OnlyForClients => {
                return self.judge_member(name);
            }
            CertificateFlaw::SelfSigned
            | CertificateFlaw::UnknownAuthority
            | CertificateFlaw::UnderLeaf
            | CertificateFlaw::UnderSubordinate
            | CertificateFlaw::StaleGeneration => DenialReason::UnknownIssuer,
        };
        Expectation::denied(reason)
    }

    /// A forged certificate with nothing wrong is for both uses, whatever the real one is for.
    fn judge_member(&self, name: &PeerName) -> Expectation {
        if (self.accepts)(name) {
            Expectation::Allowed
        } else {
            Expectation::denied(DenialReason::UnexpectedPeer)
        }
    }
}

/// Whether an authority's name constraint permits a name: the platform's names for the platform's, a tenant's own names
/// for a tenant's. The services decide that by code of their own.
fn may_name(authority: &AuthorityName, name: &PeerName) -> bool {
    match authority {
        AuthorityName::Root => false,
        AuthorityName::Platform => name.tenant().is_none(),
        AuthorityName::Tenant(slug) => name.tenant() == Some(slug),
    }
}

/// Whether `dialler` believes whoever answers in `service`'s place.
pub(super) fn impersonation(who: &Who, service: &PeerName, dialler: &PeerName) -> Expectation {
    if *who == Who::Anonymous {
        // Whoever has no certificate cannot even offer TLS, and nobody goes on without.
        return Expectation::denied(DenialReason::NoTls);
    }
    // The poller takes one tenant's authority for one tenant's agents. An agent has its own tenant's and the platform's
    // at hand, whomever it dials.
    let mut authorities = vec![responsible(service)];
    if let Some(slug) = dialler.tenant() {
        authorities.push(AuthorityName::Tenant(slug.clone()));
    }
    let accepts = |name: &PeerName| name == service;
    let verifier = Verifier { authorities, accepts: &accepts, peer_is_server: true };
    match (verifier.judge(who), who) {
        (Expectation::Denied(reasons), Who::Peer(_)) if reasons == [DenialReason::UnexpectedPeer] => {
            // Whether an agent's verifier for the platform knows its own tenant's authority is its own choice.
            let either = vec![DenialReason::UnexpectedPeer, DenialReason::UnknownIssuer];
            let same_issuer = matches!(who, Who::Peer(name) if responsible(name) == responsible(service));
            if same_issuer { Expectation::Denied(reasons) } else { Expectation::Denied(either) }
        }
        (expected, _) => expected,
    }
}

/// What NATS (Go's `crypto/x509` on the root, then the map of certificates to users) makes of a forged certificate that the
/// attacker sends with its issuers.
pub(super) fn at_the_broker(name: &PeerName, flaw: &CertificateFlaw, is_user: bool) -> Expectation {
    let responsible = responsible(name);
    let reasons = match flaw {
        CertificateFlaw::None | CertificateFlaw::OnlyForClients | CertificateFlaw::TrailingCertificate(_) => {
            return user(is_user);
        }
        // Measured on 2.15.1: both let in whom their alternative name says. That is no access that is meant to be, and a
        // broker that refuses them is none that is broken.
        CertificateFlaw::TwoCommonNames(_) | CertificateFlaw::OtherCommonName(_) if is_user => {
            return Expectation::Unspecified(
                "to NATS the alternative name is the user: the common name is looked at by nobody",
            );
        }
        CertificateFlaw::StaleGeneration if is_user => {
            return Expectation::Unspecified(
                "NATS is told the root alone: to it every generation that the root has signed is as good as another",
            );
        }
        CertificateFlaw::TwoCommonNames(_)
        | CertificateFlaw::OtherCommonName(_)
        | CertificateFlaw::StaleGeneration => vec![DenialReason::NatsAuthorization],
        CertificateFlaw::IssuedBy(other) if *other == responsible => return user(is_user),
        CertificateFlaw::IssuedBy(AuthorityName::Root) => {
            return Expectation::Unspecified("a stolen root is outside the model");
        }
        CertificateFlaw::IssuedBy(_) => vec![DenialReason::NameConstraint],
        CertificateFlaw::SelfSigned | CertificateFlaw::UnknownAuthority | CertificateFlaw::UnderLeaf => {
            vec![DenialReason::UnknownIssuer]
        }
        // Go names the signature as the probable cause of an unknown authority.
        CertificateFlaw::CopiedAuthority
        | CertificateFlaw::BorrowedIssuerName(_)
        | CertificateFlaw::AlteredSignature => {
            vec![DenialReason::BadSignature, DenialReason::UnknownIssuer]
        }
        CertificateFlaw::KeyNotHeld => vec![DenialReason::BadSignature],
        CertificateFlaw::UnderSubordinate => vec![DenialReason::PathLength],
        CertificateFlaw::Expired => vec![DenialReason::Expired],
        CertificateFlaw::NotYetValid => vec![DenialReason::NotYetValid],
        CertificateFlaw::ExtraName(other) | CertificateFlaw::OtherAlternativeName(other)
            if !may_name(&responsible, other) =>
        {
            vec![DenialReason::NameConstraint]
        }
        CertificateFlaw::LocalhostName if responsible != AuthorityName::Platform => {
            vec![DenialReason::NameConstraint]
        }
        CertificateFlaw::ExtraName(_)
        | CertificateFlaw::OtherAlternativeName(_)
        | CertificateFlaw::LocalhostName => {
            return Expectation::Unspecified("NATS knows no profile: the first name that is a user wins");
        }
        CertificateFlaw::CommonNameOnly => vec![DenialReason::NatsAuthorization],
        // Measured on 2.15.1: whoever has such a certificate is still that user. That is no access that is meant to be.
        CertificateFlaw::Revoked => {
            return Expectation::Unspecified(
                "nats-server reads no revocation lists: there, a certificate is revoked by taking its user out and reloading",
            );
        }
        CertificateFlaw::NoPurpose => return Expectation::Unspecified("Go accepts a leaf without a purpose"),
        CertificateFlaw::OnlyForServers => vec![DenialReason::WrongPurpose],
    };
    Expectation::Denied(reasons)
}

fn user(is_user: bool) -> Expectation {
    if is_user { Expectation::Allowed } else { Expectation::denied(DenialReason::NatsAuthorization) }
}
