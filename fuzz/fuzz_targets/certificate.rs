//! No bytes make the certificate's readers panic, and whatever a tenant's authority can be brought to sign is
//! refused or names that tenant's own component.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bulkhead_identity::{
    Certificate, IssuingAuthority, PeerPattern, PeerVerifier, Role, TrustBundle, TrustRoot,
    certificates_from_pem, identity_of_verified_leaf,
};
use libfuzzer_sys::fuzz_target;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SigningKey,
};
use rustls_pki_types::{CertificateDer, UnixTime};

struct Setting {
    verifier: PeerVerifier,
    /// acme's authority, without name constraints: only this crate's rules are left to refuse.
    authority: KeyPair,
    /// The to-be-signed part of a good leaf, and what stands before and behind it.
    signed_part: Vec<u8>,
    algorithm: Vec<u8>,
}

static SETTING: LazyLock<Setting> = LazyLock::new(|| setting().expect("the setting is sound"));

fn authority(common_name: &str, path_length: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn setting() -> Result<Setting, Box<dyn std::error::Error>> {
    let root_key = KeyPair::generate()?;
    let root_params = authority("root.ca.serviceradar", 1);
    let root = root_params.self_signed(&root_key)?;
    let root_issuer = Issuer::from_params(&root_params, &root_key);

    let acme_key = KeyPair::generate()?;
    let acme_params = authority("tenant-acme.ca.serviceradar", 0);
    let acme = acme_params.signed_by(&acme_key, &root_issuer)?;

    let name = "agent-001.p1.acme.serviceradar";
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name.push(DnType::CommonName, name);
    leaf.subject_alt_names = vec![
        SanType::DnsName(name.try_into()?),
        SanType::URI("spiffe://serviceradar.local/agent-001/acme/p1".try_into()?),
    ];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let issuer = Issuer::from_params(&acme_params, &acme_key);
    let leaf = leaf.signed_by(&KeyPair::generate()?, &issuer)?;

    let bundle =
        TrustBundle::new(TrustRoot::from_der(root.der())?, vec![IssuingAuthority::from_der(acme.der())?])?;
    let verifier = PeerVerifier::new(Arc::new(bundle), vec![PeerPattern::AnyMember], Role::Client)?;
    let (signed_part, algorithm) = parts(leaf.der()).ok_or("the leaf has three parts")?;
    let setting = Setting { verifier, authority: acme_key, signed_part, algorithm };
    let good = sign(&setting, &setting.signed_part.clone())?;
    setting.verifier.verify(&good, now()).map_err(|refusal| refusal.to_string())?;
    Ok(setting)
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000))
}

/// The to-be-signed part and the algorithm of a certificate of fewer than 65,536 bytes.
fn parts(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let inner = der.get(4..)?;
    let signed = 4 + usize::from(u16::from_be_bytes([*inner.get(2)?, *inner.get(3)?]));
    let algorithm = 2 + usize::from(*inner.get(signed + 1)?);
    Some((inner.get(..signed)?.to_vec(), inner.get(signed..signed + algorithm)?.to_vec()))
}

fn sign(setting: &Setting, tbs: &[u8]) -> Result<CertificateDer<'static>, rcgen::Error> {
    let signature = setting.authority.sign(tbs)?;
    let mut bits = vec![0x03, signature.len() as u8 + 1, 0];
    bits.extend(signature);
    let content = [tbs, &setting.algorithm, &bits].concat();
    let mut der = vec![0x30, 0x82];
    der.extend((content.len() as u16).to_be_bytes());
    der.extend(content);
    Ok(der.into())
}

/// Applies the input to the good leaf as edits of three bytes: place (two bytes) and value.
fn edited(original: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[place] = edit[2];
    }
    bytes
}

fn judge(setting: &Setting, der: &CertificateDer<'_>) {
    let _ = Certificate::parse(der);
    let _ = identity_of_verified_leaf(der);
    let _ = TrustRoot::from_der(der);
    let _ = IssuingAuthority::from_der(der);
    if let Ok(name) = setting.verifier.verify(der, now()) {
        let tenant = name.tenant().map(|slug| slug.as_str().to_owned());
        assert_eq!(tenant.as_deref(), Some("acme"), "acme's authority gave away another name");
        assert_eq!(identity_of_verified_leaf(der).ok(), Some(name));
    }
}

fuzz_target!(|data: &[u8]| {
    let setting = &*SETTING;
    let _ = certificates_from_pem(data);
    judge(setting, &CertificateDer::from(data));
    if let Ok(signed) = sign(setting, &edited(&setting.signed_part, data)) {
        judge(setting, &signed);
    }
});
