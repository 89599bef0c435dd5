//! The temporary folder with every file of one platform: private keys among them, so it must not outlive its owner.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use bulkhead_runtime::owner::{Liveness, Owner};
use tempfile::TempDir;

use crate::cleanup::keep;

/// How the folders' names begin.
const PREFIX: &str = "bulkhead-testcontainers-";
/// The file that says whose a folder is.
const OWNER: &str = "owner";

/// A folder that other users cannot enter, removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder(Option<TempDir>);

impl Folder {
    /// A new one in `place`.
    pub(crate) fn new_in(place: &Path) -> io::Result<Self> {
        // tempfile leaves the mode of folders to the umask.
        let closed = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(closed).tempdir_in(place)?;
        fs::write(folder.path().join(OWNER), Owner::current().to_string())?;
        Ok(Self(Some(folder)))
    }

    pub(crate) fn path(&self) -> &Path {
        // Taken only in `drop`.
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take_if(|_| keep()) {
            eprintln!("TESTCONTAINERS_COMMAND=keep: credentials stay in {}", folder.keep().display());
        }
    }
}

/// Removes the folders in `place` whose owners have ended. What cannot be read or judged stays.
pub(crate) fn sweep(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        if is_abandoned(&entry.path()) {
            // What cannot be removed now is tried again by the next start.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Everybody may write into the temporary directory: a link, or another user's folder, is none of ours.
fn is_abandoned(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let is_ours = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir() && facts.uid() == own);
    let owner = || fs::read_to_string(path.join(OWNER)).ok()?.parse::<Owner>().ok();
    is_ours && owner().is_some_and(|owner| owner.liveness() == Liveness::Dead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_closed_to_others_and_goes_when_dropped() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new_in(place.path()).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn only_what_a_dead_process_left_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let living = Folder::new_in(place.path()).unwrap();
        let own = Owner::current().to_string();
        // This process' pid, started at another moment: one that had the pid before.
        let dead = format!("{}:1", own.rsplit_once(':').unwrap().0);
        let abandoned = place.path().join(format!("{PREFIX}abandoned"));
        let unknown = place.path().join(format!("{PREFIX}unknown"));
        let foreign = place.path().join("somebody-elses");
        for (folder, owner) in [(&abandoned, dead.as_str()), (&unknown, "?"), (&foreign, dead.as_str())] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join(OWNER), owner).unwrap();
        }
        let link = place.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(&foreign, &link).unwrap();
        sweep(place.path());
        assert!(!abandoned.exists());
        assert!(living.path().exists() && unknown.exists() && foreign.exists() && link.is_symlink());
    }
}
