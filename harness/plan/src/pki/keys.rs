//! Where keys and serials come from. Randomness is a parameter of the plan: this is its only door.

use std::fmt;

use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

/// A source of private keys and serial numbers.
pub trait KeySource {
    /// A new ECDSA P-256 key.
    ///
    /// # Errors
    /// When the source has none to give.
    fn key(&mut self) -> Result<PrivateKey, KeyError>;

    /// A serial number that no other certificate has.
    ///
    /// # Errors
    /// When the source has none to give.
    fn serial(&mut self) -> Result<Serial, KeyError>;

    /// The source for one tenant's certificates, which are made beside those of other tenants. What it gives depends on
    /// `tenant` (its place in the specification) alone and not on how many threads there are, so that a source that
    /// repeats itself still makes the same certificates each time. No two of them give the same serial.
    fn of_tenant(&self, tenant: usize) -> Box<dyn KeySource + Send>;
}

/// Why there is no key, or why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The operating system's generator failed.
    #[error("the operating system gave no randomness")]
    NoRandomness,
    /// No PKCS #8 PEM key of a kind that is supported.
    #[error("not an ECDSA P-256 private key in PKCS #8 PEM")]
    NotAKey,
}

/// The operating system's randomness, by way of `ring`.
#[derive(Debug)]
pub struct SystemKeys {
    random: SystemRandom,
}

impl SystemKeys {
    /// The source for real certificates.
    pub fn new() -> Self {
        Self { random: SystemRandom::new() }
    }
}

impl Default for SystemKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl KeySource for SystemKeys {
    fn key(&mut self) -> Result<PrivateKey, KeyError> {
        KeyPair::generate().map(PrivateKey).map_err(|_| KeyError::NoRandomness)
    }

    fn serial(&mut self) -> Result<Serial, KeyError> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        Ok(Serial::from_bytes(bytes))
    }

    fn of_tenant(&self, _: usize) -> Box<dyn KeySource + Send> {
        Box::new(Self::new())
    }
}

/// A source whose first key is another's: an authority asks first, and its leaves after it.
pub(super) struct FirstKey {
    first: Option<Zeroizing<Vec<u8>>>,
    others: Box<dyn KeySource + Send>,
}

impl FirstKey {
    pub(super) fn new(first: &PrivateKey, others: Box<dyn KeySource + Send>) -> Self {
        Self { first: Some(first.to_pem()), others }
    }
}

impl KeySource for FirstKey {
    fn key(&mut self) -> Result<PrivateKey, KeyError> {
        match self.first.take() {
            Some(pem) => PrivateKey::from_pem(std::str::from_utf8(&pem).map_err(|_| KeyError::NotAKey)?),
            None => self.others.key(),
        }
    }

    fn serial(&mut self) -> Result<Serial, KeyError> {
        self.others.serial()
    }

    fn of_tenant(&self, tenant: usize) -> Box<dyn KeySource + Send> {
        self.others.of_tenant(tenant)
    }
}

/// A private key. Its encoded form is wiped when dropped, and it is never printed. (The copy that `ring` signs with
/// is out of reach.)
pub struct PrivateKey(KeyPair);

impl PrivateKey {
    /// Reads a key.
    ///
    /// # Errors
    /// When the text is no ECDSA P-256 key in PKCS #8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        KeyPair::from_pkcs8_pem_and_sign_algo(pem, &rcgen::PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_| KeyError::NotAKey)
    }

    /// The key as PKCS #8 PEM.
    pub fn to_pem(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize_pem().into_bytes())
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(not shown)")
    }
}

impl PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

/// A certificate's serial number: positive, never zero, 16 octets (RFC 5280 section 4.1.2.2 allows up to 20).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(pub(super) Vec<u8>);

impl Serial {
    /// The serial made of these bytes; its first bits are fixed so that it is positive and of full length.
    pub fn from_bytes(mut bytes: [u8; 16]) -> Self {
        bytes[0] = bytes[0] & 0x3f | 0x40;
        Self(bytes.to_vec())
    }
}
