//! No private key leaves with the evidence: each file is searched for all keys of the run before anything is written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

use crate::sign::hex;

/// In every private key in PEM, whatever its kind.
const PEM_MARK: &[u8] = b"PRIVATE KEY-----";
/// How an EC key's 32 secret bytes are introduced (RFC 5915), and an Ed25519 key's (RFC 8410).
const INTRODUCTIONS: [&[u8]; 2] = [&[0x02, 0x01, 0x01, 0x04, 0x20], &[0x04, 0x22, 0x04, 0x20]];
const SECRET_BYTES: usize = 32;

/// Evidence that would carry a secret, or that cannot be searched for any.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A private key would have been in it.
    #[error(
        "{file} would carry a private key ({what}): no evidence was written; this is a defect of bulkhead"
    )]
    Found {
        /// The file of the evidence.
        file: String,
        /// Which key, by its file, or that there is one.
        what: String,
    },
    /// The keys that must not be in it could not be read.
    #[error(
        "cannot read the keys of {path}, without which it cannot be said that none is in the evidence: {error}"
    )]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

/// Everything that must not be in the evidence.
pub struct Secrets {
    owners: Vec<String>,
    search: Option<AhoCorasick>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Secrets").field("forms", &self.owners.len()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Every private key in a file below `folder`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn below(folder: &Path) -> Result<Self, SecretsError> {
        let mut keys = Vec::new();
        fs::metadata(folder).map_err(|error| SecretsError::Unreadable { path: folder.to_owned(), error })?;
        collect(folder, &mut keys)?;
        Self::of(folder, &keys)
    }

    /// Every private key in these files and below `state`, if that is there: the keys of somebody else's platform lie
    /// anywhere. A file that cannot be read adds none: the run could not read it either.
    ///
    /// # Errors
    /// What is below `state` cannot be read.
    pub fn in_files<'a>(
        files: impl IntoIterator<Item = &'a Path>,
        state: &Path,
    ) -> Result<Self, SecretsError> {
        let mut keys = Vec::new();
        collect(state, &mut keys)?;
        for path in files {
            if let Ok(text) = fs::read(path).map(Zeroizing::new) {
                note(path, &text, &mut keys);
            }
        }
        Self::of(state, &keys)
    }

    fn of(folder: &Path, keys: &[(PathBuf, Zeroizing<Vec<u8>>)]) -> Result<Self, SecretsError> {
        let mut owners = Vec::new();
        let mut forms: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for (path, der) in keys {
            for form in forms_of(der) {
                owners.push(path.strip_prefix(folder).unwrap_or(path).display().to_string());
                forms.push(form);
            }
        }
        let search = AhoCorasick::new(&forms).map_err(|error| SecretsError::Unreadable {
            path: folder.to_owned(),
            error: io::Error::other(error),
        })?;
        Ok(Self { owners, search: Some(search) })
    }

    /// One private key, as DER.
    ///
    /// # Errors
    /// It cannot be searched for.
    pub fn of_key(owner: &str, der: &[u8]) -> Result<Self, SecretsError> {
        let forms = forms_of(der);
        let search = AhoCorasick::new(&forms).map_err(|error| SecretsError::Unreadable {
            path: PathBuf::from(owner),
            error: io::Error::other(error),
        })?;
        Ok(Self { owners: vec![owner.to_owned(); forms.len()], search: Some(search) })
    }

    /// None are known: only what looks like a private key is found.
    pub const fn none() -> Self {
        Self { owners: Vec::new(), search: None }
    }

    /// Looks for them: as they are, in hexadecimal, and in Base64 wherever its lines break.
    ///
    /// # Errors
    /// One is there.
    pub fn are_not_in(&self, file: &str, bytes: &[u8]) -> Result<(), SecretsError> {
        none_of_them_is_in(&[self], file, bytes)
    }

    /// Whose key is there, whatever else is: as it is, in hexadecimal, or in Base64 wherever its lines break.
    pub fn find(&self, searched: &Searched) -> Option<&str> {
        let search = self.search.as_ref()?;
        let hit = search.find(&searched.bytes).or_else(|| search.find(&searched.joined));
        hit.map(|hit| self.owners.get(hit.pattern().as_usize()).map_or("", String::as_str))
    }
}

/// Looks for several keepers' keys in one file, which is made ready once.
pub(super) fn none_of_them_is_in(all: &[&Secrets], file: &str, bytes: &[u8]) -> Result<(), SecretsError> {
    let found = |what: String| Err(SecretsError::Found { file: file.to_owned(), what });
    if bytes.windows(PEM_MARK.len()).any(|window| window == PEM_MARK) {
        return found("there is one in PEM".to_owned());
    }
    let searched = Searched::new(bytes);
    let owner = all.iter().find_map(|secrets| secrets.find(&searched));
    owner.map_or(Ok(()), |owner| found(owner.to_owned()))
}

/// What is searched, made ready once for any number of keys.
pub struct Searched {
    bytes: Zeroizing<Vec<u8>>,
    joined: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Searched {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Searched").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Searched {
    /// The bytes of a file.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = Zeroizing::new(bytes.into());
        let mut joined = Zeroizing::new(Vec::with_capacity(bytes.len()));
        let mut rest = bytes.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            match (byte, rest.peek()) {
                // In JSON a line break is two characters.
                (b'\\', Some(b'n' | b'r')) => _ = rest.next(),
                _ if byte.is_ascii_whitespace() => {}
                _ => joined.push(byte),
            }
        }
        Self { bytes, joined }
    }
}

/// Notes every private key below a folder. What went away in between had none for long: the broker makes and deletes files
/// while this looks.
fn collect(path: &Path, keys: &mut Vec<(PathBuf, Zeroizing<Vec<u8>>)>) -> Result<(), SecretsError> {
    let Some(entries) = there(path, fs::read_dir(path))? else { return Ok(()) };
    for entry in entries {
        let Some(entry) = there(path, entry)? else { continue };
        let (path, kind) = (entry.path(), entry.file_type());
        let Some(kind) = there(&path, kind)? else { continue };
        if kind.is_dir() {
            collect(&path, keys)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "pem") {
            let Some(text) = there(&path, fs::read(&path))?.map(Zeroizing::new) else { continue };
            note(&path, &text, keys);
        }
    }
    Ok(())
}

/// The private keys of one file.
fn note(path: &Path, text: &[u8], keys: &mut Vec<(PathBuf, Zeroizing<Vec<u8>>)>) {
    for (kind, der) in <(SectionKind, Vec<u8>)>::pem_slice_iter(text).flatten() {
        if is_private(kind) {
            keys.push((path.to_owned(), Zeroizing::new(der)));
        }
    }
}

fn there<T>(path: &Path, found: io::Result<T>) -> Result<Option<T>, SecretsError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SecretsError::Unreadable { path: path.to_owned(), error }),
    }
}

/// Whether a section of a PEM file is a private key.
pub(super) const fn is_private(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey)
}

/// The forms in which the secret of a key might stand in a file.
fn forms_of(der: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let secret = secret_of(der);
    let mut forms = vec![secret.to_vec(), hex(secret).into_bytes(), hex(secret).to_uppercase().into_bytes()];
    // In the Base64 of something larger the secret begins at any of three places; the characters at both its ends also
    // depend on its neighbours.
    for shift in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; shift]);
        shifted.extend_from_slice(secret);
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            let encoded = encoded.into_bytes();
            forms.push(encoded[if shift == 0 { 0 } else { shift + 1 }..encoded.len() - 1].to_vec());
        }
    }
    forms.into_iter().map(Zeroizing::new).collect()
}

/// The secret itself, without what is the same in all keys and without the public half, which is in certificates. Of a
/// kind of key that is not known here it is everything.
fn secret_of(der: &[u8]) -> &[u8] {
    let behind = |introduction: &[u8]| {
        let at = der.windows(introduction.len()).position(|window| window == introduction)?;
        der.get(at + introduction.len()..at + introduction.len() + SECRET_BYTES)
    };
    INTRODUCTIONS.into_iter().find_map(behind).unwrap_or(der)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use bulkhead_plan::pki::{KeySource as _, SystemKeys};

    use super::*;

    fn with_key(look: impl Fn(&Secrets, &[u8], &str)) {
        let folder = tempfile::tempdir().unwrap();
        let pem = String::from_utf8(SystemKeys::new().key().unwrap().to_pem().to_vec()).unwrap();
        fs::create_dir(folder.path().join("tls")).unwrap();
        fs::write(folder.path().join("tls/key.pem"), &pem).unwrap();
        let (_, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()).unwrap();
        look(&Secrets::below(folder.path()).unwrap(), &der, &pem);
    }

    #[test]
    fn a_key_is_found_in_whatever_form_it_is() {
        for _ in 0..8 {
            with_key(|secrets, der, pem| {
                let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
                let quoted =
                    serde_json::to_string(&pem.lines().collect::<Vec<_>>()[1..3].join("\n")).unwrap();
                let shifted = |by: usize| STANDARD.encode([&vec![7; by][..], der, b"and more"].concat());
                let forms = [
                    pem.to_owned(),
                    body,
                    pem.lines().collect::<Vec<_>>()[1..3].join("\n   "),
                    quoted,
                    hex(der),
                    hex(der).to_uppercase(),
                    shifted(0),
                    shifted(1),
                    shifted(2),
                    URL_SAFE_NO_PAD.encode(der),
                ];
                for form in forms {
                    let file = format!("before {form} after");
                    secrets.are_not_in("a", file.as_bytes()).expect_err(&form);
                }
                secrets.are_not_in("a", &[b"before", der, b"after"].concat()).unwrap_err();
            });
        }
    }

    #[test]
    fn the_public_half_is_no_secret() {
        with_key(|secrets, der, _| {
            let public = &der[der.len() - 65..];
            secrets.are_not_in("a", STANDARD.encode(public).as_bytes()).unwrap();
            secrets.are_not_in("a", b"a log line").unwrap();
        });
    }

    #[test]
    fn keys_that_lie_anywhere_are_found_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let pem = SystemKeys::new().key().unwrap().to_pem();
        // A file that has both, as many keep it, and is not called .pem.
        let path = folder.path().join("acme.key");
        fs::write(
            &path,
            [b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &pem[..]].concat(),
        )
        .unwrap();
        let (_, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(&pem).unwrap();
        let (gone, state) = (folder.path().join("gone.key"), folder.path().join("no-state"));
        let secrets = Secrets::in_files([path.as_path(), &gone], &state).unwrap();
        secrets.are_not_in("a", hex(&der).as_bytes()).unwrap_err();
        secrets.are_not_in("a", b"a log line").unwrap();
    }

    #[test]
    fn a_key_of_somebody_else_s_is_found_by_its_looks() {
        let pem = SystemKeys::new().key().unwrap().to_pem();
        Secrets::none().are_not_in("a", &pem).unwrap_err();
    }
}
