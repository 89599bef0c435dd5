//! Certificates made to order: a sound hierarchy, and leaves that differ from a good one as told.

use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    NameConstraints, RevokedCertParams, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// The moment at which everything is judged unless a case says otherwise.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-01 12:00:00 UTC);

static SERIAL: AtomicU64 = AtomicU64::new(1);

fn next_serial() -> SerialNumber {
    SerialNumber::from(SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// An authority with its key.
pub(crate) struct Authority {
    pub(crate) params: CertificateParams,
    pub(crate) key: KeyPair,
    pub(crate) der: CertificateDer<'static>,
}

impl Authority {
    fn new(mut params: CertificateParams, signer: Option<&Authority>) -> Self {
        let key = KeyPair::generate().unwrap();
        params.serial_number.get_or_insert_with(next_serial);
        let certificate = match signer {
            Some(signer) => params.signed_by(&key, &signer.issuer()),
            None => params.self_signed(&key),
        };
        let der = certificate.unwrap().der().clone();
        Self { params, key, der }
    }

    pub(crate) fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    /// A list of what this authority has revoked, current at [`NOW`].
    pub(crate) fn revokes(&self, serials: &[SerialNumber]) -> CertificateRevocationListDer<'static> {
        self.revokes_as_of(serials, NOW - Duration::hours(1))
    }

    pub(crate) fn revokes_as_of(
        &self,
        serials: &[SerialNumber],
        this_update: OffsetDateTime,
    ) -> CertificateRevocationListDer<'static> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: serial.clone(),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update,
            next_update: this_update + Duration::days(1),
            crl_number: next_serial(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer()).unwrap().der().clone()
    }

    pub(crate) fn serial(&self) -> SerialNumber {
        self.params.serial_number.clone().unwrap()
    }
}

/// A peer's certificate with its key.
pub(crate) struct Leaf {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
    pub(crate) serial: SerialNumber,
}

/// A sound hierarchy: a root, the platform's authority and those of three tenants, two of whom have slugs of
/// which one is the beginning of the other.
pub(crate) struct Forge {
    pub(crate) root: Authority,
    pub(crate) platform: Authority,
    pub(crate) acme: Authority,
    pub(crate) acme2: Authority,
    pub(crate) globex: Authority,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let mut root = authority_params("root.ca.serviceradar");
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        let root = Authority::new(root, None);
        let below = |params| Authority::new(params, Some(&root));
        Self {
            platform: below(authority_params("platform.ca.serviceradar")),
            acme: below(tenant_authority_params("acme")),
            acme2: below(tenant_authority_params("acme2")),
            globex: below(tenant_authority_params("globex")),
            root,
        }
    }

    /// An authority below the root that differs from a tenant's good one as told.
    pub(crate) fn tenant_authority(
        &self,
        slug: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Authority {
        let mut params = tenant_authority_params(slug);
        change(&mut params);
        Authority::new(params, Some(&self.root))
    }

    /// A tenant's authority without name constraints, so that only the profile and the issuer's entitlement
    /// stand between its leaves and another tenant's name.
    pub(crate) fn unconstrained(&self, slug: &str) -> Authority {
        self.tenant_authority(slug, |params| params.name_constraints = None)
    }

    /// An authority signed by any other.
    pub(crate) fn authority_below(&self, signer: &Authority, params: CertificateParams) -> Authority {
        Authority::new(params, Some(signer))
    }

    /// A leaf whose holder signs with its key as if it were an authority.
    pub(crate) fn lent_authority(&self, params: CertificateParams, signer: &Authority) -> Authority {
        Authority::new(params, Some(signer))
    }

    pub(crate) fn self_signed_authority(&self, params: CertificateParams) -> Authority {
        Authority::new(params, None)
    }

    /// A leaf for [`agent_001`] of acme, signed by acme's authority, that differs from a good one as told.
    pub(crate) fn acme_leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = agent_001("acme");
        change(&mut params);
        self.leaf(params, &self.acme)
    }

    /// A leaf, signed by anybody. rcgen checks nothing, which is what a forge is for.
    pub(crate) fn leaf(&self, params: CertificateParams, signer: &Authority) -> Leaf {
        self.leaf_with_key(params, signer, KeyPair::generate().unwrap())
    }

    pub(crate) fn leaf_with_key(
        &self,
        mut params: CertificateParams,
        signer: &Authority,
        key: KeyPair,
    ) -> Leaf {
        let serial = params.serial_number.get_or_insert_with(next_serial).clone();
        let der = params.signed_by(&key, &signer.issuer()).unwrap().der().clone();
        Leaf { der, key, serial }
    }
}

/// What a good authority of this name says.
pub(crate) fn authority_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "G1");
    params.not_before = NOW - Duration::days(30);
    params.not_after = NOW + Duration::days(365);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

/// What a tenant's good authority says: critically, it may only certify names of its tenant.
pub(crate) fn tenant_authority_params(slug: &str) -> CertificateParams {
    let mut params = authority_params(&format!("tenant-{slug}.ca.serviceradar"));
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(format!("{slug}.serviceradar"))],
        excluded_subtrees: Vec::new(),
    });
    params
}

/// What a good leaf says that has this common name and this SPIFFE ID.
pub(crate) fn leaf_params(common_name: &str, spiffe_id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name);
    params.subject_alt_names = vec![dns(common_name), uri(spiffe_id)];
    params.not_before = NOW - Duration::hours(1);
    params.not_after = NOW + Duration::days(30);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// What a good leaf of `agent-001` in partition `p1` of a tenant says. Every tenant has this agent.
pub(crate) fn agent_001(slug: &str) -> CertificateParams {
    leaf_params(
        &format!("agent-001.p1.{slug}.serviceradar"),
        &format!("spiffe://serviceradar.local/agent-001/{slug}/p1"),
    )
}

/// What a good leaf of a platform service says.
pub(crate) fn service(service: &str) -> CertificateParams {
    leaf_params(
        &format!("{service}.serviceradar"),
        &format!("spiffe://serviceradar.local/platform/{service}"),
    )
}

pub(crate) fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn ip(text: &str) -> SanType {
    SanType::IpAddress(text.parse().unwrap())
}
