//! What is worth keeping between runs and between checkouts: unpacked programs and hashes of large files.

use std::path::PathBuf;

/// `bulkhead` in the user's cache folder (XDG Base Directory Specification), or in the temporary folder when the
/// user has no home.
pub(crate) fn directory() -> PathBuf {
    let absolute =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("bulkhead")
}
