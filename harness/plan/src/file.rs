//! A file that the plan wants to exist: where, with what in it, readable by whom.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// The mode of a file with a private key in it: its owner reads and writes it, nobody else does anything.
pub const SECRET_MODE: u32 = 0o600;

/// The mode of a file that holds no secret.
pub const PUBLIC_MODE: u32 = 0o644;

/// One file of an environment. Writing it is the runtime's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// Where, relative to the state directory. Never absolute, never with `..`.
    pub path: PathBuf,
    /// What is in it.
    pub contents: FileContents,
    /// The Unix permission bits, [`SECRET_MODE`] or [`PUBLIC_MODE`].
    pub mode: u32,
}

impl PlannedFile {
    /// A file that anybody may read.
    pub fn public(path: impl Into<PathBuf>, contents: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), contents: FileContents::Public(contents.into()), mode: PUBLIC_MODE }
    }

    /// A file that holds a private key.
    pub fn secret(path: impl Into<PathBuf>, contents: Zeroizing<Vec<u8>>) -> Self {
        Self { path: path.into(), contents: FileContents::Secret(contents), mode: SECRET_MODE }
    }
}

/// The bytes of a file; those of a secret are wiped from memory when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum FileContents {
    /// Bytes that may be shown.
    Public(Vec<u8>),
    /// Bytes that may not.
    Secret(Zeroizing<Vec<u8>>),
}

impl FileContents {
    /// The bytes to write.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Public(bytes) => bytes,
            Self::Secret(bytes) => bytes,
        }
    }

    /// Whether the file holds a private key.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// The text, unless it is a secret or no UTF-8.
    pub fn public_text(&self) -> Option<&str> {
        match self {
            Self::Public(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Secret(_) => None,
        }
    }
}

impl fmt::Debug for FileContents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(bytes) => {
                write!(formatter, "Public({:?})", String::from_utf8_lossy(bytes))
            }
            Self::Secret(bytes) => write!(formatter, "Secret({} bytes)", bytes.len()),
        }
    }
}
