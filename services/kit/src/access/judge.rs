//! The judgement of one call, from its head alone.

use std::net::SocketAddr;
use std::sync::Arc;

use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{
    PeerName, PlatformName, TenantName, TenantSlug, identity_of_verified_leaf, tenant_claim,
};
use rustls::pki_types::CertificateDer;
use tonic::Status;
use tonic::codegen::http::header::HOST;
use tonic::codegen::http::request::Parts;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::{Caller, Grants};
use crate::audit::{Layer, Record};
use crate::places::{Place, Places};
use crate::trace::{TRACEPARENT, TraceId};

/// Metadata that may repeat the tenant, once and equal to the certificate's.
pub const TENANT_METADATA: &str = "x-tenant-id";
/// Never accepted: gRPC would decode it where a reader of [`TENANT_METADATA`] does not look.
pub const TENANT_METADATA_BINARY: &str = "x-tenant-id-bin";

/// The end of every name of the platform.
const PLATFORM_SUFFIX: &str = ".serviceradar";

/// Why a call does not reach a handler.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refused {
    /// The caller may not, for this stable reason.
    Denied(&'static str),
    /// The caller may, and has as many calls under way as it may have.
    TooManyCalls,
}

impl Refused {
    fn code(self) -> &'static str {
        match self {
            Self::Denied(reason) => reason,
            Self::TooManyCalls => "too-many-calls",
        }
    }

    /// What the caller is told.
    pub(super) fn status(self) -> Status {
        match self {
            Self::Denied(reason) => Status::permission_denied(reason),
            Self::TooManyCalls => Status::resource_exhausted(self.code()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Judge {
    own: PeerName,
    own_name: String,
    grants: Grants,
}

impl Judge {
    pub(super) fn new(own: PeerName, grants: Grants) -> Self {
        Self { own_name: own.common_name(), own, grants }
    }

    /// The caller and its place among the calls under way, or why it is refused. Either way the audit has been
    /// told.
    pub(super) fn judge(&self, head: &Parts, places: &Arc<Places>) -> Result<(Caller, Place), Refused> {
        let connection = head.extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
        let peer = connection.and_then(|connection| connection.get_ref().remote_addr());
        let chain = connection.and_then(TlsConnectInfo::peer_certs);
        let name = caller_of(chain.as_ref().map_or(&[], |chain| chain.as_slice()), head);
        let trace_id = trace_of(head);
        let tenant = self.own.tenant().or_else(|| name.as_ref().and_then(PeerName::tenant)).cloned();
        let verdict = match &name {
            Some(name) => self
                .check(name, tenant.as_ref(), head)
                .map_err(Refused::Denied)
                .and_then(|()| places.take(name).ok_or(Refused::TooManyCalls)),
            None => Err(Refused::Denied("no-certificate")),
        };
        let context = Context { name: name.as_ref(), tenant: tenant.as_ref(), peer, trace_id };
        match &verdict {
            Ok(_) => context.write(Record::accepted(Layer::Grpc), head),
            Err(refused) => context.write(Record::refused(Layer::Grpc, refused.code()), head),
        }
        let name = name.ok_or(Refused::Denied("no-certificate"))?;
        Ok((Caller { name, tenant, peer, trace_id }, verdict?))
    }

    fn check(&self, name: &PeerName, tenant: Option<&TenantSlug>, head: &Parts) -> Result<(), &'static str> {
        self.check_authority(head)?;
        check_tenant(name, tenant, head)?;
        if self.grants.permit(name, head.uri.path()) { Ok(()) } else { Err("not-granted") }
    }

    /// A call that names another service of the platform was meant for that one, and must not be answered
    /// here. Addresses and names from outside the platform are how people and tools reach us.
    fn check_authority(&self, head: &Parts) -> Result<(), &'static str> {
        if seeded::is_on(SeededFault::AuthorityIgnored) {
            return Ok(());
        }
        let host_header =
            head.headers.get_all(HOST).iter().map(|value| value.to_str().unwrap_or(PLATFORM_SUFFIX));
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let wrong = authority.into_iter().chain(host_header).any(|text| {
            let host = host_of(text);
            host.ends_with(PLATFORM_SUFFIX) && host != self.own_name
        });
        if wrong { Err("wrong-authority") } else { Ok(()) }
    }
}

/// Who calls: whom the leaf names, which is the first of the chain, and the rest is the peer's to choose.
fn caller_of(chain: &[CertificateDer<'_>], head: &Parts) -> Option<PeerName> {
    let leaf = chain.first().and_then(|leaf| identity_of_verified_leaf(leaf).ok());
    if seeded::is_on(SeededFault::CallerFromLastCertificate) {
        return chain.iter().rev().find_map(|certificate| identity_of_verified_leaf(certificate).ok());
    }
    if seeded::is_on(SeededFault::ClientCertificateOptional) && chain.is_empty() {
        return Some(PlatformName::Poller.into());
    }
    if seeded::is_on(SeededFault::TenantFromMetadata) {
        return leaf.map(|name| as_claimed(name, head));
    }
    leaf
}

/// The same component of the tenant that the metadata name.
fn as_claimed(name: PeerName, head: &Parts) -> PeerName {
    let claim = head.headers.get(TENANT_METADATA).and_then(|claim| claim.to_str().ok()?.parse().ok());
    match (name, claim) {
        (PeerName::Tenant(name), Some(tenant)) => PeerName::Tenant(TenantName { tenant, ..name }),
        (name, _) => name,
    }
}

/// The host of an authority: without user, port and trailing dots, in lower case.
fn host_of(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The tenant in the metadata is absent, or there once and that of the call.
fn check_tenant(name: &PeerName, tenant: Option<&TenantSlug>, head: &Parts) -> Result<(), &'static str> {
    if seeded::is_on(SeededFault::TenantClaimIgnored) {
        return Ok(());
    }
    let binary = head.headers.contains_key(TENANT_METADATA_BINARY);
    if binary && !seeded::is_on(SeededFault::TenantClaimBinaryOverlooked) {
        return Err("tenant-metadata-binary");
    }
    let claims = head.headers.get_all(TENANT_METADATA);
    match tenant {
        Some(tenant) => tenant_claim(name, tenant, claims.iter().map(|claim| claim.as_bytes()))
            .map(|_| ())
            .map_err(|error| error.code()),
        None if claims.iter().next().is_some() => Err("tenant-metadata-unexpected"),
        None => Ok(()),
    }
}

fn trace_of(head: &Parts) -> TraceId {
    let mut values = head.headers.get_all(TRACEPARENT).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    match (value.and_then(TraceId::from_traceparent), values.next()) {
        (Some(trace), None) => trace,
        _ => TraceId::random(),
    }
}

/// What every record of a call says.
struct Context<'a> {
    name: Option<&'a PeerName>,
    tenant: Option<&'a TenantSlug>,
    peer: Option<SocketAddr>,
    trace_id: TraceId,
}

impl Context<'_> {
    fn write(&self, mut record: Record, head: &Parts) {
        if let Some(name) = self.name {
            record = record.identity(name);
        }
        if let Some(tenant) = self.tenant {
            record = record.tenant(tenant);
        }
        if let Some(peer) = self.peer {
            record = record.peer(peer);
        }
        record.trace_id(self.trace_id).method(head.uri.path()).write();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::codegen::http::Request;

    fn judge() -> Judge {
        Judge::new("agent-001.p1.acme.serviceradar".parse().unwrap(), Grants::none())
    }

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_authority_of_another_service_is_refused() {
        for uri in [
            "http://agent-001.p1.globex.serviceradar/a.B/C",
            "http://agent-001.p1.acme2.serviceradar:50051/a.B/C",
            "http://AGENT-001.P1.GLOBEX.SERVICERADAR:50051/a.B/C",
            "http://agent-001.p1.globex.serviceradar.:50051/a.B/C",
            "http://acme@agent-001.p1.globex.serviceradar/a.B/C",
            "http://poller.serviceradar/a.B/C",
        ] {
            assert_eq!(judge().check_authority(&head(uri, &[])), Err("wrong-authority"), "{uri}");
        }
    }

    #[test]
    fn the_own_name_and_addresses_are_accepted() {
        for uri in [
            "http://agent-001.p1.acme.serviceradar/a.B/C",
            "http://agent-001.p1.acme.serviceradar:50051/a.B/C",
            "http://127.0.0.1:50051/a.B/C",
            "http://[::1]:50051/a.B/C",
            "http://localhost/a.B/C",
            "/a.B/C",
        ] {
            assert_eq!(judge().check_authority(&head(uri, &[])), Ok(()), "{uri}");
        }
    }

    #[test]
    fn a_host_header_is_an_authority_too() {
        let head = head("/a.B/C", &[("host", "agent-001.p1.globex.serviceradar")]);
        assert_eq!(judge().check_authority(&head), Err("wrong-authority"));
    }

    #[test]
    fn a_claim_of_the_tenant_must_be_single_equal_and_text() {
        let poller: PeerName = "poller.serviceradar".parse().unwrap();
        let acme: TenantSlug = "acme".parse().unwrap();
        let check = |headers: &[(&str, &str)]| check_tenant(&poller, Some(&acme), &head("/a.B/C", headers));
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[("x-tenant-id", "acme")]), Ok(()));
        assert!(check(&[("x-tenant-id", "globex")]).is_err());
        assert!(check(&[("x-tenant-id", "acme2")]).is_err());
        assert!(check(&[("x-tenant-id", "")]).is_err());
        assert!(check(&[("x-tenant-id", "acme"), ("x-tenant-id", "acme")]).is_err());
        assert!(check(&[("x-tenant-id", "acme"), ("x-tenant-id", "globex")]).is_err());
        assert_eq!(check(&[("x-tenant-id-bin", "YWNtZQ==")]), Err("tenant-metadata-binary"));
    }

    #[test]
    fn a_platform_service_takes_no_tenant_from_metadata() {
        let admin: PeerName = "admin.platform.serviceradar".parse().unwrap();
        let head = head("/a.B/C", &[("x-tenant-id", "acme")]);
        assert_eq!(check_tenant(&admin, None, &head), Err("tenant-metadata-unexpected"));
    }

    #[test]
    fn a_trace_is_taken_over_only_when_it_is_single() {
        let first = TraceId::random();
        let second = TraceId::random();
        let (one, two) = (first.traceparent(), second.traceparent());
        assert_eq!(trace_of(&head("/", &[("traceparent", &one)])), first);
        let both = trace_of(&head("/", &[("traceparent", &one), ("traceparent", &two)]));
        assert!(both != first && both != second);
    }
}
