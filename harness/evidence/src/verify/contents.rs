//! What is in an archive or a folder that somebody gave. Nothing is unpacked onto the disk: files are hashed as they pass,
//! and the few that are read are kept in memory. Sizes are bounded before anything is read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

use crate::bundle::{FOLDER, names};
use crate::sign::hex;

/// How much a bundle may make of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of everything together, unpacked, in bytes.
    pub total_bytes: u64,
    /// Of the report and the few other files that are looked at, which are kept in memory, in bytes.
    pub kept_bytes: u64,
    /// How many files.
    pub files: usize,
}

impl Default for Limits {
    /// Room for half a million attempts and long logs: two gibibytes, one of them in memory, fifty thousand files. (A hundred
    /// thousand attempts are some 150 MB of JSON.)
    fn default() -> Self {
        Self { total_bytes: 2 << 30, kept_bytes: 1 << 30, files: 50_000 }
    }
}

/// The base-2 logarithm of the largest window that is decompressed, in bytes: 8 MiB, as RFC 8878 recommends every decoder
/// to support. A larger one would be memory that somebody else decides on.
const WINDOW_LOG: u32 = 23;
/// The files whose contents are looked at.
const KEPT: [&str; 9] = [
    names::MANIFEST,
    names::SIGNATURE,
    names::PUBLIC_KEY,
    names::REPORT,
    names::PAGE,
    names::JUNIT,
    names::SPECIFICATION,
    names::DESCRIPTION,
    names::ENVIRONMENT,
];

/// Why it is no evidence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Contents {
    files: BTreeMap<String, Seen>,
    kept: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    /// The file of that path.
    pub(super) fn file(&self, path: &str) -> Option<&Seen> {
        self.files.get(path)
    }

    /// All of them, in the order of their paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// What is in one of the files that are looked at.
    pub(super) fn kept(&self, path: &str) -> Option<&[u8]> {
        self.kept.get(path).map(Vec::as_slice)
    }

    /// Of a compressed archive.
    pub(super) fn of_archive(archive: impl Read, limits: Limits) -> Result<Self, Refused> {
        let broken = |error: io::Error| Refused(format!("the archive cannot be read: {error}"));
        let mut decoder = zstd::Decoder::new(archive).map_err(broken)?;
        decoder.window_log_max(WINDOW_LOG).map_err(broken)?;
        let mut bounded = Bounded { inner: decoder, left: limits.total_bytes };
        let mut contents = Self::default();
        {
            let mut archive = Archive::new(&mut bounded);
            // Raw: an extension that renames the next entry, of whatever length, is an entry like any other here, and refused.
            for entry in archive.entries().map_err(broken)?.raw(true) {
                let mut entry = entry.map_err(broken)?;
                let path = entry.path_bytes().into_owned();
                let shown = String::from_utf8_lossy(&path).into_owned();
                if entry.header().entry_type() != EntryType::Regular {
                    return Err(Refused(format!("{shown:?} in the archive is not a plain file")));
                }
                let path =
                    safe(&path).map_err(|why| Refused(format!("the path {shown:?} in the archive {why}")))?;
                let size = entry.header().size().map_err(broken)?;
                contents.take(path, size, &mut entry, limits)?;
            }
        }
        // What follows an archive's end is read by nobody, and a place to hide something.
        let mut rest = [0; 4096];
        loop {
            match bounded.read(&mut rest).map_err(broken)? {
                0 => return Ok(contents),
                read if rest[..read].iter().all(|byte| *byte == 0) => {}
                _ => return Err(Refused("there is something behind the end of the archive".to_owned())),
            }
        }
    }

    /// Of a folder that an archive was unpacked into.
    pub(super) fn of_folder(folder: &Path, limits: Limits) -> Result<Self, Refused> {
        let mut contents = Self::default();
        let mut left = limits.total_bytes;
        contents.walk(folder, "", &mut left, limits)?;
        Ok(contents)
    }

    fn walk(&mut self, folder: &Path, below: &str, left: &mut u64, limits: Limits) -> Result<(), Refused> {
        let unreadable = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| Refused(format!("cannot read {path}: {error}"))
        };
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let entry = entry.map_err(unreadable(folder))?;
            let path = format!("{below}{}", entry.file_name().to_string_lossy());
            let facts = entry.metadata().map_err(unreadable(&entry.path()))?;
            if facts.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"), left, limits)?;
                continue;
            }
            if !facts.is_file() {
                return Err(Refused(format!("{path:?} is not a plain file")));
            }
            let file = File::open(entry.path()).map_err(unreadable(&entry.path()))?;
            let mut bounded = Bounded { inner: file, left: *left };
            self.take(path, facts.len(), &mut bounded, limits)?;
            *left = bounded.left;
        }
        Ok(())
    }

    fn take(&mut self, path: String, size: u64, from: &mut impl Read, limits: Limits) -> Result<(), Refused> {
        if self.files.len() >= limits.files {
            return Err(Refused(format!("there are more than {} files", limits.files)));
        }
        if self.files.contains_key(&path) {
            return Err(Refused(format!("{path} is there twice")));
        }
        if size > limits.total_bytes {
            return Err(Refused(format!("{path} says that it has {size} bytes: more than is read")));
        }
        let is_kept = KEPT.contains(&path.as_str());
        let (mut hasher, mut kept, mut buffer) = (Sha256::new(), Vec::new(), vec![0; 1 << 16]);
        let mut counted = 0;
        let kept_before: u64 = self.kept.values().map(|kept| kept.len() as u64).sum();
        loop {
            let read =
                from.read(&mut buffer).map_err(|error| Refused(format!("cannot read {path}: {error}")))?;
            if read == 0 {
                break;
            }
            counted += read as u64;
            hasher.update(&buffer[..read]);
            if is_kept {
                if kept_before + counted > limits.kept_bytes {
                    return Err(Refused(format!("{path} is larger than what is kept in memory")));
                }
                kept.extend_from_slice(&buffer[..read]);
            }
        }
        if is_kept {
            self.kept.insert(path.clone(), kept);
        }
        self.files.insert(path, Seen { size: counted, sha256: hex(&hasher.finalize()) });
        Ok(())
    }
}

/// The SHA-256 of a file on the disk.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

/// A path below the evidence's own folder, or why it is none: whoever unpacks the archive with another program must not have
/// a file written elsewhere.
fn safe(path: &[u8]) -> Result<String, &'static str> {
    let path = std::str::from_utf8(path).map_err(|_| "is no UTF-8")?;
    let below = path.strip_prefix(FOLDER).ok_or("is not below evidence/")?;
    let strange = |part: &str| part.is_empty() || part == "." || part == "..";
    if below.split('/').any(strange) {
        return Err("leads elsewhere");
    }
    if below.contains('\\') || below.chars().any(char::is_control) {
        return Err("has characters that no path of ours has");
    }
    Ok(below.to_owned())
}

/// Ends with an error where somebody else's data are larger than is allowed.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other("unpacked, it is larger than is read")),
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_folder() {
        assert_eq!(safe(b"evidence/logs/nats.log").unwrap(), "logs/nats.log");
        let refused: [&[u8]; 11] = [
            b"",
            b"evidence/",
            b"logs/x",
            b"/evidence/x",
            b"evidence/../x",
            b"evidence/a/../../x",
            b"evidence//x",
            b"evidence/./x",
            b"evidence/a\\b",
            b"evidence/a\nb",
            b"evidence/\xff",
        ];
        for path in refused {
            safe(path).expect_err(&String::from_utf8_lossy(path));
        }
    }
}
