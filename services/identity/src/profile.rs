//! The strict leaf profile: what a peer's certificate must look like besides having a path to the root.
//!
//! webpki, Go and OpenSSL judge the alternative names only and take the common name as it comes; NATS, audit
//! logs and people read the common name. So both must say the same one thing, and nothing else is said.

use crate::certificate::{AlternativeName, Attribute, Certificate, FOREIGN_TAG, KeyUsage, PublicKey};
use crate::name_error::NameError;
use crate::names::{PeerName, PlatformName};
use crate::pattern::Role;
use crate::rule::Rule;
use crate::seeded::{self, SeededFault};

const COMMON_NAME_OID: &str = "2.5.4.3";
const UTF8_STRING: u32 = 12;
const PRINTABLE_STRING: u32 = 19;

/// How a certificate with a sound path differs from what this platform issues.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileViolation {
    /// The subject has no common name, or more than one (of which Go reads the last and others the first).
    #[error("the subject has {0} common names instead of one")]
    CommonNameCount(usize),
    /// The subject says more than a common name.
    #[error("the subject has an attribute besides its common name (OID {0})")]
    SubjectAttribute(String),
    /// The common name is neither UTF8String nor PrintableString, so that libraries read it differently.
    #[error("the common name is encoded as {} instead of UTF8String or PrintableString", encoding(*.0))]
    CommonNameEncoding(u32),
    /// The common name is not a peer's.
    #[error("the common name {0}")]
    CommonName(NameError),
    /// An alternative name is missing.
    #[error("the alternative name {0} is missing")]
    AlternativeNameMissing(String),
    /// An alternative name that the common name does not imply.
    #[error("the alternative name {0} does not belong to the common name")]
    AlternativeNameForeign(String),
    /// The same alternative name twice.
    #[error("the alternative name {0} is repeated")]
    AlternativeNameRepeated(String),
    /// There is no key usage extension, or one without digitalSignature.
    #[error("the key usage does not have digitalSignature")]
    NoDigitalSignature,
    /// The key usage has bits that no leaf needs, such as keyCertSign.
    #[error("the key usage allows more than handshakes (bits {0:#011b})")]
    KeyUsageExcess(u16),
    /// There is no extended key usage extension, which the stock verifier takes for "every purpose".
    #[error("the extended key usage is missing")]
    NoExtendedKeyUsage,
    /// The extended key usage names another purpose than TLS, such as anyExtendedKeyUsage.
    #[error("the extended key usage has {0}, which is not a purpose of this platform")]
    ForeignPurpose(String),
    /// The key is too weak, or of a kind that no handshake here is signed with.
    #[error("the key is {0}")]
    PublicKey(String),
}

impl ProfileViolation {
    pub(crate) fn rule(&self) -> Rule {
        match self {
            Self::CommonNameCount(_)
            | Self::SubjectAttribute(_)
            | Self::CommonNameEncoding(_)
            | Self::CommonName(_) => Rule::CommonName,
            Self::AlternativeNameMissing(_)
            | Self::AlternativeNameForeign(_)
            | Self::AlternativeNameRepeated(_) => Rule::AlternativeNames,
            Self::NoDigitalSignature | Self::KeyUsageExcess(_) => Rule::KeyUsage,
            Self::NoExtendedKeyUsage | Self::ForeignPurpose(_) => Rule::ExtendedKeyUsage,
            Self::PublicKey(_) => Rule::PublicKey,
        }
    }

    pub(crate) fn advice(&self) -> String {
        let advice = match self.rule() {
            Rule::CommonName => {
                "issue it with the subject CN=<component>.<partition>.<tenant slug>.serviceradar (or a platform service's name) and nothing else, as UTF8String"
            }
            Rule::AlternativeNames => {
                "issue it with two alternative names: the common name as DNS name, and its SPIFFE ID as URI (spiffe://serviceradar.local/<component>/<tenant slug>/<partition>); only nats.serviceradar may add localhost and loopback addresses, as a server"
            }
            Rule::KeyUsage => {
                "issue it with the key usage digitalSignature (keyEncipherment and keyAgreement are tolerated beside it)"
            }
            Rule::ExtendedKeyUsage => {
                "issue it with the extended key usage serverAuth, clientAuth or both, and no other"
            }
            _ => "make a new key: ECDSA on P-256 is what this platform issues for",
        };
        advice.to_owned()
    }
}

/// Judges a certificate by the profile, and reads whom it names. Only meaningful after its path was verified.
pub(crate) fn check(certificate: &Certificate, role: Role) -> Result<PeerName, ProfileViolation> {
    if seeded::is_on(SeededFault::LeafProfileOff) {
        return sole_common_name(&certificate.subject_attributes)?
            .parse()
            .map_err(ProfileViolation::CommonName);
    }
    let name = name_of(certificate)?;
    if !seeded::is_on(SeededFault::VerifierCommonNameOnly) {
        check_alternative_names(certificate, &name, role)?;
    }
    check_key_usage(certificate.key_usage)?;
    if !seeded::is_on(SeededFault::VerifierPurposeIgnored) {
        check_purposes(certificate)?;
    }
    match &certificate.public_key {
        PublicKey::Usable => Ok(name),
        PublicKey::Unusable(what) => Err(ProfileViolation::PublicKey(what.clone())),
    }
}

/// The ASN.1 type of a universal tag, for people.
fn encoding(tag: u32) -> String {
    let name = match tag {
        18 => "NumericString",
        20 => "TeletexString",
        22 => "IA5String",
        28 => "UniversalString",
        30 => "BMPString",
        FOREIGN_TAG => "no primitive ASN.1 string at all",
        other => return format!("ASN.1 type {other}"),
    };
    name.to_owned()
}

fn name_of(certificate: &Certificate) -> Result<PeerName, ProfileViolation> {
    let alternative = certificate.alternative_names.iter().flatten().find_map(|entry| match entry {
        AlternativeName::Dns(name) => name.parse().ok(),
        _ => None,
    });
    match alternative.filter(|_| seeded::is_on(SeededFault::VerifierAlternativeNameOnly)) {
        Some(name) => Ok(name),
        None => common_name(&certificate.subject_attributes),
    }
}

fn common_name(attributes: &[Attribute]) -> Result<PeerName, ProfileViolation> {
    let first = attributes.iter().find(|attribute| attribute.oid == COMMON_NAME_OID);
    let text = match first.filter(|_| seeded::is_on(SeededFault::VerifierFirstCommonName)) {
        Some(first) => String::from_utf8_lossy(&first.value).into_owned(),
        None => sole_common_name(attributes)?,
    };
    if let Some(other) = attributes.iter().find(|a| a.oid != COMMON_NAME_OID) {
        return Err(ProfileViolation::SubjectAttribute(other.oid.clone()));
    }
    text.parse().map_err(ProfileViolation::CommonName)
}

/// The one common name of a subject, as text. Bytes that are not UTF-8 come back with replacement
/// characters, which no grammar here accepts.
pub(crate) fn sole_common_name(attributes: &[Attribute]) -> Result<String, ProfileViolation> {
    let mut names = attributes.iter().filter(|a| a.oid == COMMON_NAME_OID);
    let (Some(name), None) = (names.next(), names.next()) else {
        let count = attributes.iter().filter(|a| a.oid == COMMON_NAME_OID);
        return Err(ProfileViolation::CommonNameCount(count.count()));
    };
    if name.tag != UTF8_STRING && name.tag != PRINTABLE_STRING {
        return Err(ProfileViolation::CommonNameEncoding(name.tag));
    }
    Ok(String::from_utf8_lossy(&name.value).into_owned())
}

fn check_alternative_names(
    certificate: &Certificate,
    name: &PeerName,
    role: Role,
) -> Result<(), ProfileViolation> {
    let required =
        [AlternativeName::Dns(name.common_name()), AlternativeName::Uri(name.spiffe_id().to_string())];
    let found = certificate.alternative_names.as_deref().unwrap_or_default();
    let foreign =
        |entry: &&AlternativeName| !required.contains(entry) && !is_local_name_of_nats(entry, name, role);
    let foreign = found.iter().find(foreign);
    if let Some(entry) = foreign.filter(|_| !seeded::is_on(SeededFault::VerifierExtraNamesIgnored)) {
        return Err(ProfileViolation::AlternativeNameForeign(entry.to_string()));
    }
    if let Some(entry) = required.iter().find(|entry| !found.contains(entry)) {
        return Err(ProfileViolation::AlternativeNameMissing(entry.to_string()));
    }
    let mut seen = Vec::new();
    for entry in found {
        if seen.contains(&entry) {
            return Err(ProfileViolation::AlternativeNameRepeated(entry.to_string()));
        }
        seen.push(entry);
    }
    Ok(())
}

/// The one exception: a developer's stock tools reach the NATS *server* at localhost. As a client it gets no
/// such thing, and nobody else ever does.
fn is_local_name_of_nats(entry: &AlternativeName, name: &PeerName, role: Role) -> bool {
    let local = match entry {
        AlternativeName::Dns(dns) => dns == "localhost",
        AlternativeName::Ip(address) => address.is_loopback(),
        AlternativeName::Uri(_) | AlternativeName::Other(_) => false,
    };
    local && role == Role::Server && *name == PeerName::Platform(PlatformName::Nats)
}

fn check_key_usage(usage: Option<KeyUsage>) -> Result<(), ProfileViolation> {
    let Some(usage) = usage.filter(|usage| usage.has(KeyUsage::DIGITAL_SIGNATURE)) else {
        return Err(ProfileViolation::NoDigitalSignature);
    };
    let allowed = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT;
    match usage.0 & !allowed {
        0 => Ok(()),
        excess => Err(ProfileViolation::KeyUsageExcess(excess)),
    }
}

fn check_purposes(certificate: &Certificate) -> Result<(), ProfileViolation> {
    let Some(purposes) = &certificate.purposes else {
        return Err(ProfileViolation::NoExtendedKeyUsage);
    };
    if purposes.any {
        let any = "anyExtendedKeyUsage".to_owned();
        return Err(ProfileViolation::ForeignPurpose(any));
    }
    match purposes.others.first() {
        Some(other) => Err(ProfileViolation::ForeignPurpose(other.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_an_advice_of_its_own() {
        for (violation, word) in [
            (ProfileViolation::CommonNameCount(2), "subject"),
            (ProfileViolation::AlternativeNameMissing(String::new()), "alternative names"),
            (ProfileViolation::KeyUsageExcess(4), "digitalSignature"),
            (ProfileViolation::NoExtendedKeyUsage, "extended key usage"),
            (ProfileViolation::PublicKey(String::new()), "P-256"),
        ] {
            assert!(violation.advice().contains(word), "{violation}: {}", violation.advice());
        }
    }

    #[test]
    fn a_subject_is_told_how_many_common_names_it_has_and_how_a_foreign_one_is_encoded() {
        let attribute = |oid: &str, tag| Attribute { oid: oid.to_owned(), tag, value: b"a".to_vec() };
        let name = |tag| attribute(COMMON_NAME_OID, tag);
        let twice = [name(UTF8_STRING), attribute("2.5.4.10", UTF8_STRING), name(UTF8_STRING)];
        assert_eq!(sole_common_name(&twice), Err(ProfileViolation::CommonNameCount(2)));
        assert_eq!(sole_common_name(&[]), Err(ProfileViolation::CommonNameCount(0)));
        let encodings = [18, 20, 22, 28, 30, 4, FOREIGN_TAG]
            .map(|tag| sole_common_name(&[name(tag)]).unwrap_err().to_string());
        let words = [
            "NumericString",
            "TeletexString",
            "IA5String",
            "UniversalString",
            "BMPString",
            "ASN.1 type 4",
            "no primitive ASN.1 string",
        ];
        for (text, word) in encodings.iter().zip(words) {
            assert!(text.contains(&format!("encoded as {word}")), "{text}");
        }
    }
}
