//! Ed25519 (RFC 8032) over the manifest, with keys as `openssl genpkey -algorithm ed25519` writes them.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How long a signature is, in bytes.
pub const SIGNATURE_BYTES: usize = 64;
/// What an Ed25519 public key looks like as SubjectPublicKeyInfo, before its 32 bytes (RFC 8410).
const PUBLIC_KEY_START: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PUBLIC_KEY_BYTES: usize = 32;
/// No key file is larger.
const KEY_FILE_BYTES: u64 = 16 * 1024;
/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Where the key came from that signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrigin {
    /// Somebody gave it: whoever knows its public half knows who signed.
    Given,
    /// It was made for this run and is gone: its signature shows that nothing was changed since.
    Ephemeral,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Other users of the machine can read it, or might have.
    #[error("{path} has mode {mode:04o}: a signing key is for its owner only (chmod 600)")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is something else.
    #[error("{path} has no Ed25519 {kind} key in PEM ({hint})")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// Private or public.
        kind: &'static str,
        /// How to make one.
        hint: &'static str,
    },
    /// The system has no randomness.
    #[error("cannot make a key: the system gives no randomness")]
    NoRandomness,
}

/// A key that signs. It is never printed.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    /// As PKCS #8, so that the evidence can be searched for it.
    der: Zeroizing<Vec<u8>>,
    origin: KeyOrigin,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a PKCS #8 PEM file that nobody else may read.
    ///
    /// # Errors
    /// It cannot be read, others can read it, or it is no Ed25519 key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        const HINT: &str = "`openssl genpkey -algorithm ed25519 -out FILE` makes one";
        let text = read(path, true)?;
        let not_a_key = || KeyError::NotAKey { path: path.to_owned(), kind: "private", hint: HINT };
        let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(&text).map_err(|_| not_a_key())?;
        let der = Zeroizing::new(der);
        // OpenSSL writes the version of PKCS #8 that leaves out the public half, which ring calls unchecked.
        let pair = match kind {
            SectionKind::PrivateKey => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der),
            _ => return Err(not_a_key()),
        };
        let pair = pair.map_err(|_| not_a_key())?;
        Ok(Self { pair, der, origin: KeyOrigin::Given })
    }

    /// Makes one that nobody keeps.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn ephemeral() -> Result<Self, KeyError> {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).map_err(|_| KeyError::NoRandomness)?;
        let der = Zeroizing::new(der.as_ref().to_vec());
        Ok(Self { pair, der, origin: KeyOrigin::Ephemeral })
    }

    /// Its secret half, for whatever looks for it where it must not be.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.der
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; PUBLIC_KEY_BYTES];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Where it came from.
    pub const fn origin(&self) -> KeyOrigin {
        self.origin
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_KEY_BYTES]);

impl PublicKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// It cannot be read, or is no Ed25519 public key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        const HINT: &str = "`openssl pkey -in KEY -pubout -out FILE` writes one";
        let text = read(path, false)?;
        Self::from_pem(&text).ok_or_else(|| KeyError::NotAKey {
            path: path.to_owned(),
            kind: "public",
            hint: HINT,
        })
    }

    /// From PEM, as `openssl pkey -pubout` writes it; nothing when it is something else.
    pub fn from_pem(text: &[u8]) -> Option<Self> {
        let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(text).ok()?;
        let key = der.strip_prefix(&PUBLIC_KEY_START).filter(|_| kind == SectionKind::PublicKey)?;
        key.try_into().ok().map(Self)
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(self.to_der()))
    }

    /// The SHA-256 of its DER form, in hexadecimal: short enough to compare over the telephone.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.to_der()))
    }

    /// Whether it is the other half of the key that signed.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    fn to_der(&self) -> Vec<u8> {
        [PUBLIC_KEY_START.as_slice(), &self.0].concat()
    }
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a small file. One that is secret must be its owner's alone, and the very file that is read is looked at.
fn read(path: &Path, secret: bool) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let unreadable = |error| KeyError::Unreadable { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if secret && mode & OTHERS != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(Vec::new());
    file.take(KEY_FILE_BYTES).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a key begins that OpenSSL wrote.
    const START: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

    fn pem(seed: &[u8]) -> String {
        let body = STANDARD.encode([&START[..], seed].concat());
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn a_key_of_openssl_signs_as_the_rfc_says() {
        let folder = tempfile::tempdir().unwrap();
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let path = folder.path().join("key.pem");
        std::fs::write(&path, pem(&unhex(seed))).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let key = SigningKey::read(&path).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(hex(&key.public().0), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex(&key.sign(&[0x72])), signature);
        assert!(key.public().verifies(&[0x72], &unhex(signature)));
        assert!(!key.public().verifies(&[0x73], &unhex(signature)));
        assert_eq!(key.origin(), KeyOrigin::Given);
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pem(&[7; 32])).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let error = SigningKey::read(file.path()).unwrap_err();
            assert!(matches!(error, KeyError::Open { mode: found, .. } if found == mode), "{error}");
        }
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o400)).unwrap();
        SigningKey::read(file.path()).unwrap();
    }

    #[test]
    fn what_is_no_key_says_how_to_make_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let public = SigningKey::ephemeral().unwrap().public().to_pem();
        for text in ["", "nonsense", &public] {
            std::fs::write(file.path(), text).unwrap();
            let error = SigningKey::read(file.path()).unwrap_err().to_string();
            assert!(error.contains("openssl genpkey -algorithm ed25519"), "{error}");
        }
        std::fs::write(file.path(), pem(&[7; 32])).unwrap();
        let error = PublicKey::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("openssl pkey"), "{error}");
    }

    #[test]
    fn a_public_key_is_the_same_after_writing_and_reading() {
        let key = SigningKey::ephemeral().unwrap().public();
        assert_eq!(PublicKey::from_pem(key.to_pem().as_bytes()), Some(key));
    }
}
