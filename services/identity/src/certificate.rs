//! A certificate, parsed once: what the profile and the authority's lint read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::asn1_rs::{Any, Class, Oid};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey as ParsedPublicKey;

/// Bytes that are not an X.509 certificate of version 3, or are one with something more behind or inside it
/// that cannot be read. What cannot be read is never ignored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a readable X.509 certificate: {0}")]
pub struct CertificateError(pub(crate) String);

/// A text that holds no certificates in PEM form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// There is no `CERTIFICATE` section at all.
    #[error("there is no PEM section `CERTIFICATE` in it")]
    NoCertificate,
    /// A section is cut off or is not base64. The text is not repeated: it might be a key.
    #[error("PEM section number {section} of it is broken: {problem}")]
    Broken {
        /// Counted from 1, among the certificates.
        section: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Reads every certificate of a PEM text, in its order; other sections are passed over.
///
/// # Errors
/// When there is none, or one that is broken.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    use rustls_pki_types::pem::Error;

    let mut certificates = Vec::new();
    for item in CertificateDer::pem_slice_iter(pem) {
        let broken = |problem| PemError::Broken { section: certificates.len() + 1, problem };
        let certificate = item.map_err(|error| match error {
            Error::MissingSectionEnd { .. } => broken("its END line is missing"),
            Error::IllegalSectionStart { .. } => broken("its BEGIN line is malformed"),
            Error::Base64Decode(_) => broken("it is not base64"),
            _ => broken("it cannot be read"),
        })?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(certificates)
}

/// A parsed certificate. Parsing proves nothing about who made it: only
/// [`PeerVerifier`](crate::PeerVerifier) does.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) subject_attributes: Vec<Attribute>,
    subject_text: String,
    issuer_text: String,
    serial: String,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    pub(crate) alternative_names: Option<Vec<AlternativeName>>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) purposes: Option<Purposes>,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) name_constraints: Option<ConstrainedNames>,
    pub(crate) public_key: PublicKey,
}

/// One attribute of a subject, undecoded: the encoding is part of what is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) oid: String,
    /// The universal tag of a primitive value; everything else is [`FOREIGN_TAG`], whatever its number.
    pub(crate) tag: u32,
    pub(crate) value: Vec<u8>,
}

/// Stands for values that are not of a universal primitive type: only DER, and no other class's number 12.
pub(crate) const FOREIGN_TAG: u32 = u32::MAX;

/// An entry of the subject alternative name extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AlternativeName {
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    /// Any kind that no profile allows, as text.
    Other(String),
}

impl std::fmt::Display for AlternativeName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) => write!(formatter, "DNS:{}", name.escape_debug()),
            Self::Uri(uri) => write!(formatter, "URI:{}", uri.escape_debug()),
            Self::Ip(address) => write!(formatter, "IP:{address}"),
            Self::Other(text) => write!(formatter, "{}", text.escape_debug()),
        }
    }
}

/// The bits of the key usage extension (RFC 5280 section 4.2.1.3), first bit lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUsage(pub(crate) u16);

impl KeyUsage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 1;
    pub(crate) const KEY_ENCIPHERMENT: u16 = 1 << 2;
    pub(crate) const KEY_AGREEMENT: u16 = 1 << 4;
    pub(crate) const KEY_CERT_SIGN: u16 = 1 << 5;
    pub(crate) const CRL_SIGN: u16 = 1 << 6;

    pub(crate) fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }
}

/// The extended key usage extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purposes {
    pub(crate) client: bool,
    pub(crate) server: bool,
    pub(crate) any: bool,
    pub(crate) others: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) authority: bool,
    pub(crate) path_length: Option<u32>,
}

/// Which kinds of names the name constraints extension speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConstrainedNames {
    /// URIs or directory names: webpki then refuses every leaf.
    pub(crate) uri_or_directory: bool,
}

/// The kind and strength of the certified key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// One that the handshake can be signed with.
    Usable,
    /// Everything else, named.
    Unusable(String),
}

impl Certificate {
    /// Parses a certificate in DER.
    ///
    /// # Errors
    /// When any part of it cannot be read, an extension appears twice, or bytes follow it.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|error| CertificateError(error.to_string()))?;
        if !rest.is_empty() {
            return Err(CertificateError(format!("{} bytes follow it", rest.len())));
        }
        if parsed.version() != x509_parser::x509::X509Version::V3 {
            return Err(CertificateError("its version is not 3".to_owned()));
        }
        let extensions = Extensions::read(&parsed)?;
        Ok(Self {
            der: der.clone().into_owned(),
            issuer: parsed.issuer().as_raw().to_vec(),
            subject: parsed.subject().as_raw().to_vec(),
            subject_attributes: attributes(&parsed),
            subject_text: name_text(parsed.subject()),
            issuer_text: name_text(parsed.issuer()),
            serial: parsed.raw_serial_as_string(),
            not_before: parsed.validity().not_before.to_datetime(),
            not_after: parsed.validity().not_after.to_datetime(),
            alternative_names: extensions.alternative_names,
            key_usage: extensions.key_usage,
            purposes: extensions.purposes,
            basic_constraints: extensions.basic_constraints,
            name_constraints: extensions.name_constraints,
            public_key: public_key(parsed.public_key()),
        })
    }

    /// The bytes that were parsed.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The subject, for people. Not to be compared: two subjects may have one text.
    pub fn subject_text(&self) -> &str {
        &self.subject_text
    }

    /// The issuer, for people. Not to be compared.
    pub fn issuer_text(&self) -> &str {
        &self.issuer_text
    }

    /// The serial number: hexadecimal bytes joined by colons.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The first second at which the certificate is valid.
    pub fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// The last second at which the certificate is valid.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Whether the certificate says that its key may sign certificates.
    pub fn is_authority(&self) -> bool {
        self.basic_constraints.is_some_and(|constraints| constraints.authority)
    }

    /// The alternative names, for people.
    pub fn alternative_name_texts(&self) -> Vec<String> {
        let names = self.alternative_names.iter().flatten();
        names.map(ToString::to_string).collect()
    }
}

/// A stranger chooses this text and an operator's terminal shows it: it is escaped and cut.
fn name_text(name: &X509Name<'_>) -> String {
    let text = name.to_string();
    text.chars().flat_map(char::escape_debug).take(200).collect()
}

fn attributes(parsed: &X509Certificate<'_>) -> Vec<Attribute> {
    let attributes = parsed.subject().iter_attributes();
    attributes
        .map(|attribute| {
            let value = attribute.attr_value();
            let usual = value.class() == Class::Universal && value.header.is_primitive();
            Attribute {
                oid: attribute.attr_type().to_id_string(),
                tag: if usual { value.tag().0 } else { FOREIGN_TAG },
                value: value.data.to_vec(),
            }
        })
        .collect()
}

#[derive(Default)]
struct Extensions {
    alternative_names: Option<Vec<AlternativeName>>,
    key_usage: Option<KeyUsage>,
    purposes: Option<Purposes>,
    basic_constraints: Option<BasicConstraints>,
    name_constraints: Option<ConstrainedNames>,
}

impl Extensions {
    fn read(parsed: &X509Certificate<'_>) -> Result<Self, CertificateError> {
        // `extensions_map` is asked for its one side effect: it refuses an extension that appears twice.
        parsed.extensions_map().map_err(|_| CertificateError("an extension appears twice".to_owned()))?;
        let mut read = Self::default();
        for extension in parsed.extensions() {
            let content = extension.parsed_extension();
            if matches!(content, ParsedExtension::SubjectAlternativeName(_)) {
                check_name_encodings(extension.value)?;
            }
            read.take(&extension.oid, content)?;
        }
        Ok(read)
    }

    fn take(&mut self, oid: &Oid<'_>, extension: &ParsedExtension<'_>) -> Result<(), CertificateError> {
        match extension {
            ParsedExtension::ParseError { .. } => {
                let problem = format!("its extension {oid} is malformed");
                return Err(CertificateError(problem));
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                let names = names.general_names.iter().map(alternative_name);
                self.alternative_names = Some(names.collect());
            }
            ParsedExtension::KeyUsage(usage) => self.key_usage = Some(KeyUsage(usage.flags)),
            ParsedExtension::ExtendedKeyUsage(usage) => self.purposes = Some(purposes(usage)),
            ParsedExtension::BasicConstraints(constraints) => {
                self.basic_constraints = Some(BasicConstraints {
                    authority: constraints.ca,
                    path_length: constraints.path_len_constraint,
                });
            }
            ParsedExtension::NameConstraints(constraints) => {
                let permitted = constraints.permitted_subtrees.iter().flatten();
                let excluded = constraints.excluded_subtrees.iter().flatten();
                self.name_constraints = Some(ConstrainedNames {
                    uri_or_directory: permitted.chain(excluded).any(|subtree| {
                        matches!(subtree.base, GeneralName::URI(_) | GeneralName::DirectoryName(_))
                    }),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// A name of text or address is primitive in DER. x509-parser reads a constructed one all the same, and webpki
/// does not see it, so that its name constraints would pass over a name that is judged here.
fn check_name_encodings(extension: &[u8]) -> Result<(), CertificateError> {
    const TEXTS_AND_ADDRESSES: [u32; 4] = [1, 2, 6, 7];
    let unreadable = |_| CertificateError("its alternative names cannot be read".to_owned());
    let (_, names) = Any::from_der(extension).map_err(unreadable)?;
    let mut rest = names.data;
    while !rest.is_empty() {
        let (after, name) = Any::from_der(rest).map_err(unreadable)?;
        if TEXTS_AND_ADDRESSES.contains(&name.tag().0) && !name.header.is_primitive() {
            return Err(CertificateError("one of its alternative names is not encoded in DER".to_owned()));
        }
        rest = after;
    }
    Ok(())
}

fn alternative_name(name: &GeneralName<'_>) -> AlternativeName {
    match name {
        GeneralName::DNSName(dns) => AlternativeName::Dns((*dns).to_owned()),
        GeneralName::URI(uri) => AlternativeName::Uri((*uri).to_owned()),
        GeneralName::IPAddress(bytes) => ip_address(bytes)
            .map(AlternativeName::Ip)
            .unwrap_or_else(|| AlternativeName::Other(name.to_string())),
        other => AlternativeName::Other(other.to_string()),
    }
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).into());
    let sixteen = <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).into());
    four.or(sixteen).ok()
}

fn purposes(usage: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> Purposes {
    let named = [
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let named = named.into_iter().filter(|(present, _)| *present);
    let others = usage.other.iter().map(Oid::to_id_string);
    Purposes {
        client: usage.client_auth,
        server: usage.server_auth,
        any: usage.any,
        others: named.map(|(_, name)| name.to_owned()).chain(others).collect(),
    }
}

/// RSA below 2048 bits and curves that ring does not sign with are named, so that such a certificate is
/// refused with its reason instead of failing later, at the handshake's signature.
fn public_key(info: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    const ED25519: &str = "1.3.101.112";
    const P256: &str = "1.2.840.10045.3.1.7";
    const P384: &str = "1.3.132.0.34";
    const RSA_BITS_MIN: usize = 2048;
    const RSA_BITS_MAX: usize = 8192;

    let algorithm = info.algorithm.algorithm.to_id_string();
    let unusable = |text: String| PublicKey::Unusable(text);
    match info.parsed() {
        Ok(ParsedPublicKey::RSA(key)) => match key.key_size() {
            RSA_BITS_MIN..=RSA_BITS_MAX => PublicKey::Usable,
            bits => unusable(format!("an RSA key of {bits} bits")),
        },
        Ok(ParsedPublicKey::EC(_)) => {
            let curve = info.algorithm.parameters.as_ref();
            let curve = curve.and_then(|any| any.as_oid().ok());
            match curve.map(|oid| oid.to_id_string()) {
                Some(curve) if curve == P256 || curve == P384 => PublicKey::Usable,
                Some(curve) => unusable(format!("an elliptic curve key on {curve}")),
                None => unusable("an elliptic curve key without a named curve".to_owned()),
            }
        }
        Ok(_) if algorithm == ED25519 => PublicKey::Usable,
        Ok(_) => unusable(format!("a key of algorithm {algorithm}")),
        Err(_) => unusable(format!("an unreadable key of algorithm {algorithm}")),
    }
}
