//! What stands in each kind of certificate.

use std::net::{IpAddr, Ipv4Addr};

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::error::PkiError;
use super::keys::Serial;
use super::weakness::Weakness;

/// How far back a certificate's first moment lies: verifiers have no tolerance for a clock that is behind.
pub(super) const BACKDATING: Duration = Duration::minutes(10);

/// From when until when, in whole seconds: a certificate carries no fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
}

impl Validity {
    /// From ten minutes before `now` until `lifetime` after it, but never longer than the issuer.
    pub(super) fn starting(now: OffsetDateTime, lifetime: Duration, issuer: Option<Validity>) -> Self {
        let now = now.truncate_to_second();
        let not_after = now + lifetime;
        Self {
            not_before: now - BACKDATING,
            not_after: issuer.map_or(not_after, |issuer| not_after.min(issuer.not_after)),
        }
    }
}

/// An authority's certificate. `generation` tells apart the authorities that one name has had (`OU=G1`, `OU=G2`…):
/// a new key under an old DN cannot be told from the old one when both are configured.
pub(super) fn authority(
    name: &AuthorityName,
    generation: u32,
    serial: &Serial,
    validity: Validity,
    weakness: Option<Weakness>,
) -> CertificateParams {
    let mut params = common(serial, validity);
    params.distinguished_name.push(DnType::CommonName, name.common_name());
    params.distinguished_name.push(DnType::OrganizationalUnitName, format!("G{generation}"));
    // The root may have authorities below it, and those may have none.
    let path_length = u8::from(*name == AuthorityName::Root);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = name_constraints(name);
    if let Some(weakness) = weakness {
        weaken(&mut params, name, weakness);
    }
    params
}

fn weaken(params: &mut CertificateParams, name: &AuthorityName, weakness: Weakness) {
    let drops_constraint = match name {
        AuthorityName::Root => false,
        AuthorityName::Platform => weakness.drops_constraint_of_platform(),
        AuthorityName::Tenant(_) => weakness.drops_constraint_of_tenants(),
    };
    if drops_constraint {
        params.name_constraints = None;
    }
    if weakness.drops_path_length() && matches!(name, AuthorityName::Tenant(_)) {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
}

/// The names below an authority. Neither URI nor directory names are constrained: webpki refuses every leaf then.
fn name_constraints(name: &AuthorityName) -> Option<NameConstraints> {
    let permitted = match name {
        AuthorityName::Root => return None,
        AuthorityName::Tenant(slug) => vec![format!("{slug}.serviceradar")],
        AuthorityName::Platform => [
            "nats.serviceradar",
            "poller.serviceradar",
            "core.serviceradar",
            // `admin.platform.serviceradar` is below this one.
            "platform.serviceradar",
            // On the broker's certificate only, for tools on the developer's machine.
            "localhost",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    Some(NameConstraints {
        permitted_subtrees: permitted.into_iter().map(GeneralSubtree::DnsName).collect(),
        excluded_subtrees: Vec::new(),
    })
}

/// A service's certificate: CN, one DNS SAN equal to it, one SPIFFE URI, and for the broker the developer's names.
pub(super) fn leaf(
    name: &PeerName,
    serial: &Serial,
    validity: Validity,
    weakness: Option<Weakness>,
) -> Result<CertificateParams, PkiError> {
    let mut params = common(serial, validity);
    params.distinguished_name.push(DnType::CommonName, name.common_name());
    let text = |text: String| {
        text.try_into().map_err(|error| PkiError::Encoding { name: name.common_name(), error })
    };
    params.subject_alt_names =
        vec![SanType::DnsName(text(name.common_name())?), SanType::URI(text(name.spiffe_id().to_string())?)];
    if *name == PeerName::Platform(PlatformName::Nats) {
        params.subject_alt_names.push(SanType::DnsName(text("localhost".to_owned())?));
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    if let (Some(weakness), PeerName::Tenant(agent)) = (weakness, name)
        && let Some(further) = weakness.further_name(agent.component.as_ref())
    {
        params.subject_alt_names.push(SanType::DnsName(text(further)?));
    }
    // Written out (CA:FALSE), which also makes rcgen write the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = purposes(name);
    Ok(params)
}

fn purposes(name: &PeerName) -> Vec<ExtendedKeyUsagePurpose> {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    match name {
        PeerName::Platform(PlatformName::Nats) => vec![ServerAuth],
        PeerName::Platform(PlatformName::Admin) => vec![ClientAuth],
        // An agent is dialled and dials; so does the poller, which agents push their status to.
        PeerName::Platform(PlatformName::Poller | PlatformName::Core) | PeerName::Tenant(_) => {
            vec![ServerAuth, ClientAuth]
        }
    }
}

/// What rcgen's defaults would get wrong: 1975 to 4096, a serial made of the key, no authority key identifier.
fn common(serial: &Serial, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial.0));
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.use_authority_key_identifier_extension = true;
    params
}
