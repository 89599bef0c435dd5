//! What agents and the poller let others call.

use bulkhead_identity::{AuthorityName, PeerName, PlatformName, TenantSlug};

use super::Expectation;
use super::tls::Verifier;
use crate::access::attempt::{CallTarget, Method, RequestAuthority, TenantMetadata, Who};
use crate::access::outcome::DenialReason;

/// The walls in the order in which they stand: certificate, `:authority`, tenant metadata, method.
pub(super) fn call(
    who: &Who,
    target: &CallTarget,
    method: Method,
    metadata: &TenantMetadata,
    authority: &RequestAuthority,
) -> Expectation {
    let (Who::Peer(name) | Who::Forged { name, .. }) = who else {
        return Expectation::denied(DenialReason::NoCertificate);
    };
    match certificate(who, name, target) {
        Expectation::Allowed => {}
        refused => return refused,
    }
    let walls = [
        wrong_authority(target, authority),
        wrong_metadata(tenant_of_call(target, name), metadata),
        (!is_granted(name, target, method)).then_some(DenialReason::NotGranted),
    ];
    walls.into_iter().flatten().next().map_or(Expectation::Allowed, Expectation::denied)
}

/// The first wall alone: whether the service speaks to the holder of this certificate.
pub(super) fn handshake(who: &Who, target: &CallTarget) -> Expectation {
    match who {
        Who::Peer(name) | Who::Forged { name, .. } => certificate(who, name, target),
        Who::Anonymous => Expectation::denied(DenialReason::NoCertificate),
    }
}

/// Whoever may report speaks for itself alone: what a report says of its origin can only be right or wrong.
pub(super) fn report_for_another(who: &Who, named: &TenantSlug) -> Expectation {
    let (absent, authority) = (TenantMetadata::Absent, RequestAuthority::Target);
    let may_report = call(who, &CallTarget::Poller, Method::ReportStatus, &absent, &authority);
    let own = matches!(who, Who::Peer(name) | Who::Forged { name, .. } if name.tenant() == Some(named));
    match may_report {
        Expectation::Allowed if !own => Expectation::denied(DenialReason::ForeignClaim),
        other => other,
    }
}

/// Where the poller keeps what is reported to it, and what it asks: among the results of the tenant in the reporter's certificate.
pub(super) fn file_report(who: &Who, tenant: &TenantSlug) -> Expectation {
    match who {
        Who::Peer(PeerName::Tenant(name)) if name.tenant == *tenant => Expectation::Allowed,
        Who::Peer(PeerName::Tenant(_)) => Expectation::denied(DenialReason::OtherAccount),
        _ => Expectation::Unspecified("only agents report"),
    }
}

fn certificate(who: &Who, name: &PeerName, target: &CallTarget) -> Expectation {
    let mut authorities = vec![AuthorityName::Platform];
    match target {
        CallTarget::Agent { tenant, .. } => authorities.push(AuthorityName::Tenant(tenant.clone())),
        // The poller is reported to by every tenant: its listener knows every tenant's authority, a rogue's too.
        CallTarget::Poller => {
            authorities.extend(name.tenant().cloned().map(AuthorityName::Tenant));
            if let Who::Forged { flaw: crate::access::CertificateFlaw::IssuedBy(issuer), .. } = who
                && *issuer != AuthorityName::Root
            {
                authorities.push(issuer.clone());
            }
        }
    }
    let welcome = |name: &PeerName| match name {
        PeerName::Platform(name) => matches!(name, PlatformName::Poller | PlatformName::Admin),
        PeerName::Tenant(_) => true,
    };
    Verifier { authorities, accepts: &welcome, peer_is_server: false }.judge(who)
}

fn wrong_authority(target: &CallTarget, authority: &RequestAuthority) -> Option<DenialReason> {
    let RequestAuthority::Other(other) = authority else { return None };
    let own = match target {
        CallTarget::Poller => PeerName::Platform(PlatformName::Poller),
        CallTarget::Agent { tenant, agent } => PeerName::Tenant(agent.of_tenant(tenant)),
    };
    (*other != own).then_some(DenialReason::WrongAuthority)
}

/// Whom a call is about: the agent's tenant, or the caller's.
fn tenant_of_call<'a>(target: &'a CallTarget, caller: &'a PeerName) -> Option<&'a TenantSlug> {
    match target {
        CallTarget::Agent { tenant, .. } => Some(tenant),
        CallTarget::Poller => caller.tenant(),
    }
}

fn wrong_metadata(tenant: Option<&TenantSlug>, metadata: &TenantMetadata) -> Option<DenialReason> {
    match (metadata, tenant) {
        (TenantMetadata::Absent, _) => None,
        (TenantMetadata::Binary, _) => Some(DenialReason::TenantMetadataBinary),
        (_, None) => Some(DenialReason::TenantMetadataUnexpected),
        (TenantMetadata::Claims(claim), Some(tenant)) => {
            (claim != tenant).then_some(DenialReason::TenantClaimDiffers)
        }
        (TenantMetadata::ClaimsTwice(_), Some(_)) => Some(DenialReason::TenantClaimRepeated),
        (TenantMetadata::Unreadable, Some(_)) => Some(DenialReason::TenantClaimUnreadable),
    }
}

fn is_granted(caller: &PeerName, target: &CallTarget, method: Method) -> bool {
    match (target, method) {
        (_, Method::Health | Method::WatchHealth) => true,
        (CallTarget::Agent { .. }, Method::GetStatus | Method::GetResults | Method::StreamResults) => {
            caller.tenant().is_none()
        }
        (CallTarget::Poller, Method::ReportStatus | Method::StreamStatus) => caller.tenant().is_some(),
        // The other's service, which it does not have.
        (CallTarget::Agent { .. }, Method::ReportStatus | Method::StreamStatus)
        | (CallTarget::Poller, Method::GetStatus | Method::GetResults | Method::StreamResults) => false,
    }
}
