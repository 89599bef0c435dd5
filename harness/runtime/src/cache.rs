//! What is worth keeping between runs and between checkouts: unpacked programs and hashes of large files.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `bulkhead` in the user's cache folder (XDG Base Directory Specification), or one of the user's own in the temporary
/// folder when the user has no home.
pub(crate) fn directory() -> PathBuf {
    let absolute =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    cache.map_or_else(|| private_in(&std::env::temp_dir()), |cache| cache.join("bulkhead"))
}

/// A folder that nobody else could put a program into. Everybody may write to the temporary folder, so one that is there
/// already is used only when it is this user's and closed; else this run has one for itself.
fn private_in(shared: &Path) -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let lasting = shared.join(format!("bulkhead-{user}"));
    // One that is there is looked at next.
    let _ = DirBuilder::new().mode(0o700).create(&lasting);
    let is_private = fs::symlink_metadata(&lasting).is_ok_and(|facts| {
        facts.is_dir() && facts.uid() == user && facts.permissions().mode().trailing_zeros() >= 6
    });
    if is_private { lasting } else { shared.join(format!("bulkhead-{user}-{}", std::process::id())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_could_have_filled_is_not_used() {
        let shared = tempfile::tempdir().unwrap();
        let ours = private_in(shared.path());
        assert_eq!(fs::metadata(&ours).unwrap().mode() & 0o777, 0o700);
        assert_eq!(private_in(shared.path()), ours, "it lasts");
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o770)).unwrap();
        assert_ne!(private_in(shared.path()), ours, "others may write");
        fs::remove_dir(&ours).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &ours).unwrap();
        assert_ne!(private_in(shared.path()), ours, "a link leads elsewhere");
    }
}
