//! Just enough DER to make what rcgen cannot: a certificate's parts are taken apart, exchanged and signed again.

use rcgen::{KeyPair, SigningKey};
use rustls_pki_types::CertificateDer;

/// `tag`, length, `content`.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn sequence(children: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &children.concat())
}

/// The content of one element that fills `der`.
pub(crate) fn content(der: &[u8]) -> &[u8] {
    let (header, length) = measure(der);
    &der[header..header + length]
}

/// The elements directly inside a constructed one.
pub(crate) fn children(der: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = content(der);
    let mut children = Vec::new();
    while !rest.is_empty() {
        let (header, length) = measure(rest);
        let (child, after) = rest.split_at(header + length);
        children.push(child.to_vec());
        rest = after;
    }
    children
}

fn measure(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    }
}

/// The places of a version 3 TBSCertificate's parts.
pub(crate) const VERSION: usize = 0;
pub(crate) const SIGNATURE_ALGORITHM: usize = 2;
pub(crate) const SUBJECT: usize = 5;
pub(crate) const PUBLIC_KEY: usize = 6;
pub(crate) const EXTENSIONS: usize = 7;

/// A certificate taken apart, to be signed again.
pub(crate) struct Parts {
    /// The elements of the TBSCertificate.
    pub(crate) tbs: Vec<Vec<u8>>,
    /// The algorithm beside the signature.
    pub(crate) algorithm: Vec<u8>,
}

/// Takes a certificate apart, lets `change` at its parts, and signs the result with `signer`.
pub(crate) fn reissue(
    certificate: &CertificateDer<'_>,
    signer: &KeyPair,
    change: impl FnOnce(&mut Parts),
) -> CertificateDer<'static> {
    let outer = children(certificate);
    let mut parts = Parts { tbs: children(&outer[0]), algorithm: outer[1].clone() };
    change(&mut parts);
    let tbs = sequence(&parts.tbs);
    let mut signature = vec![0];
    signature.extend(signer.sign(&tbs).unwrap());
    CertificateDer::from(sequence(&[tbs, parts.algorithm, tlv(0x03, &signature)]))
}

/// A subject public key info with an RSA key of as many bits. No private key belongs to it.
pub(crate) fn rsa_public_key(bits: usize) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 13] =
        [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let mut modulus = vec![0xc5; bits / 8];
    modulus.insert(0, 0);
    let key = sequence(&[tlv(0x02, &modulus), tlv(0x02, &[1, 0, 1])]);
    public_key_info(&RSA_ENCRYPTION, &key)
}

/// A subject public key info with a point of the right size on P-521. No private key belongs to it.
pub(crate) fn p521_public_key() -> Vec<u8> {
    const EC_PUBLIC_KEY: [u8; 9] = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const SECP521R1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
    let mut point = vec![0x01; 2 * 66];
    point.insert(0, 0x04);
    public_key_info(&[EC_PUBLIC_KEY.as_slice(), &SECP521R1].concat(), &point)
}

fn public_key_info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(key);
    sequence(&[tlv(0x30, algorithm), tlv(0x03, &bits)])
}

/// `ecdsa-with-SHA1`, which rcgen does not know (RFC 3279 section 2.2.3).
pub(crate) fn ecdsa_with_sha1() -> Vec<u8> {
    tlv(0x30, &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01])
}

/// A subject with one common name of any string type and bytes.
pub(crate) fn subject(string_type: u8, name: &[u8]) -> Vec<u8> {
    sequence(&[tlv(0x31, &common_name(string_type, name))])
}

/// A subject with several common names in one relative distinguished name.
pub(crate) fn subject_of_one_set(names: &[&str]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names.iter().map(|name| common_name(0x0c, name.as_bytes())).collect();
    sequence(&[tlv(0x31, &names.concat())])
}

fn common_name(string_type: u8, name: &[u8]) -> Vec<u8> {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    sequence(&[COMMON_NAME.to_vec(), tlv(string_type, name)])
}
