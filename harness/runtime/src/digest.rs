//! SHA-256 of files, remembered: a warm start must not read tens of megabytes only to learn that nothing changed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::cache;

/// A SHA-256, printed as lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// The first twelve hexadecimal digits: enough for a name.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The hash of some bytes.
pub fn of_bytes(bytes: &[u8]) -> Digest {
    finish(Sha256::new_with_prefix(bytes))
}

/// Reads the whole file.
pub fn of_file(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(finish(hasher));
        }
        hasher.update(&buffer[..read]);
    }
}

/// Which file this is and as of when, without reading it: its inode, size and change time. The change time (ctime) is
/// used because no program can set it back.
pub(crate) fn identity(path: &Path) -> io::Result<String> {
    let facts = fs::metadata(path)?;
    Ok(format!("{}:{}:{}:{}:{}", facts.dev(), facts.ino(), facts.size(), facts.ctime(), facts.ctime_nsec()))
}

/// Like [`of_file`], but a file whose [`identity`] is that of an earlier call is not read again.
pub fn of_program(path: &Path) -> io::Result<Digest> {
    let identity = identity(path)?;
    let note = cache::directory().join("digests").join(of_bytes(path.as_os_str().as_encoded_bytes()).short());
    if let Some(known) = remembered(&note, &identity) {
        return Ok(known);
    }
    let digest = of_file(path)?;
    // A note that cannot be kept costs time at the next start, nothing else.
    let _ = remember(&note, &identity, &digest);
    Ok(digest)
}

fn remembered(note: &Path, identity: &str) -> Option<Digest> {
    let text = fs::read_to_string(note).ok()?;
    let (known_identity, digest) = text.split_once(' ')?;
    let plausible = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    (known_identity == identity && plausible).then(|| Digest(digest.to_owned()))
}

fn remember(note: &Path, identity: &str, digest: &Digest) -> io::Result<()> {
    let folder = note.parent().unwrap_or(note);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, format!("{identity} {digest}").as_bytes())?;
    file.persist(note)?;
    Ok(())
}

fn finish(hasher: Sha256) -> Digest {
    Digest(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_standard_says() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc").to_string(), expected);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        assert_eq!(of_file(file.path()).unwrap().to_string(), expected);
    }

    #[test]
    fn a_note_for_a_changed_file_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        let digest = of_bytes(b"abc");
        remember(&note, "1:2:3", &digest).unwrap();
        assert_eq!(remembered(&note, "1:2:3"), Some(digest));
        assert_eq!(remembered(&note, "1:2:4"), None);
    }

    #[test]
    fn a_damaged_note_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        fs::write(&note, "1:2:3 abc").unwrap();
        assert_eq!(remembered(&note, "1:2:3"), None);
    }
}
