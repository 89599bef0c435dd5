//! The rules that a certificate is judged by, in the order in which they are asked.

/// One rule. The order of [`Rule::ALL`] is the order of judgement: a refusal names the first rule that is
/// broken, so every rule before it holds and no rule after it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The trust root can be loaded.
    TrustRoot,
    /// Every configured authority can be loaded and is signed by the root.
    Authorities,
    /// The certificate is well-formed.
    Readable,
    /// Its issuer is a configured authority, by the bytes of its name.
    KnownIssuer,
    /// It is valid now.
    Dates,
    /// It is not an authority's.
    NotAnAuthority,
    /// It is for the role that the peer has.
    Purpose,
    /// The authority that issued it is valid now.
    AuthorityDates,
    /// A path to the root exists and is short enough.
    Path,
    /// Each signature of the path holds.
    Signature,
    /// Its names are inside its issuer's name constraints.
    NameConstraints,
    /// It is not revoked.
    Revocation,
    /// Its subject is one common name of the grammar.
    CommonName,
    /// Its alternative names are those of its common name.
    AlternativeNames,
    /// Its key may sign handshakes and no certificates.
    KeyUsage,
    /// It states its purposes, and no other than TLS.
    ExtendedKeyUsage,
    /// Its key is strong enough.
    PublicKey,
    /// Its issuer may certify its name.
    Entitlement,
    /// Its name is accepted here.
    ExpectedPeer,
    /// The peer holds its key. Asked only in a handshake, after the certificate is accepted.
    KeyProven,
}

impl Rule {
    /// The rules that are asked of a certificate, in order. [`Rule::KeyProven`] is not among them: it is
    /// asked of a handshake.
    pub const ALL: [Self; 19] = [
        Self::TrustRoot,
        Self::Authorities,
        Self::Readable,
        Self::KnownIssuer,
        Self::Dates,
        Self::NotAnAuthority,
        Self::Purpose,
        Self::AuthorityDates,
        Self::Path,
        Self::Signature,
        Self::NameConstraints,
        Self::Revocation,
        Self::CommonName,
        Self::AlternativeNames,
        Self::KeyUsage,
        Self::ExtendedKeyUsage,
        Self::PublicKey,
        Self::Entitlement,
        Self::ExpectedPeer,
    ];

    /// The stable word for this rule.
    pub const fn id(self) -> &'static str {
        match self {
            Self::TrustRoot => "trust-root",
            Self::Authorities => "authorities",
            Self::Readable => "readable",
            Self::KnownIssuer => "known-issuer",
            Self::Dates => "dates",
            Self::NotAnAuthority => "not-an-authority",
            Self::Purpose => "purpose",
            Self::AuthorityDates => "authority-dates",
            Self::Path => "path",
            Self::Signature => "signature",
            Self::NameConstraints => "name-constraints",
            Self::Revocation => "revocation",
            Self::CommonName => "common-name",
            Self::AlternativeNames => "alternative-names",
            Self::KeyUsage => "key-usage",
            Self::ExtendedKeyUsage => "extended-key-usage",
            Self::PublicKey => "public-key",
            Self::Entitlement => "entitlement",
            Self::ExpectedPeer => "expected-peer",
            Self::KeyProven => "key-proven",
        }
    }

    /// The rule as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TrustRoot => "the root is one self-signed authority that signs certificates",
            Self::Authorities => {
                "each configured authority is signed by the root, has pathlen:0, may sign certificates and bears a tenant's or the platform's authority name"
            }
            Self::Readable => "the certificate is one X.509 v3 certificate with nothing unreadable in it",
            Self::KnownIssuer => {
                "its issuer is one of the configured authorities, byte for byte; what the peer sends beside it is not used"
            }
            Self::Dates => "it is valid now, without tolerance",
            Self::NotAnAuthority => "it is not an authority's certificate",
            Self::Purpose => "its extended key usage allows the role that the peer has",
            Self::AuthorityDates => "the authority that issued it is valid now",
            Self::Path => "the path from it over that authority to the root is as short as allowed",
            Self::Signature => "it is signed by that authority's key, and that authority by the root's",
            Self::NameConstraints => "its alternative names are inside the authority's name constraints",
            Self::Revocation => {
                "it and its authority are not revoked (asked when revocation lists are configured)"
            }
            Self::CommonName => "its subject is exactly one common name, which follows the grammar",
            Self::AlternativeNames => {
                "its alternative names are the common name as DNS name, the SPIFFE ID of that name, and nothing else"
            }
            Self::KeyUsage => {
                "its key usage has digitalSignature and allows no signing of certificates or lists"
            }
            Self::ExtendedKeyUsage => {
                "its extended key usage is stated, and is serverAuth, clientAuth or both"
            }
            Self::PublicKey => "its key is ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits",
            Self::Entitlement => "the authority that issued it may certify this name",
            Self::ExpectedPeer => "the name is one that is accepted here",
            Self::KeyProven => "the peer signs the handshake with the certificate's key",
        }
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_rules_is_the_order_of_judgement() {
        assert!(Rule::ALL.is_sorted(), "explain compares rules by their order");
        assert!(Rule::ALL.iter().all(|rule| *rule < Rule::KeyProven));
    }

    #[test]
    fn every_rule_has_an_id_of_its_own() {
        let mut ids: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Rule::ALL.len());
    }
}
