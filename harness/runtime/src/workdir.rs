//! The state folder of one environment: `.bulkhead/<name>/`, for its owner only, locked while somebody works on it.
//!
//! Files appear under their names whole or not at all. Nothing is flushed to the disk: a folder of certificates that a
//! power cut damaged is made again, and a flush per file would be the largest part of a start.

mod lock;

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use bulkhead_plan::PlannedFile;
use bulkhead_plan::environment::{EnvironmentRecord, SCHEMA_VERSION};
use bulkhead_plan::spec::EnvironmentName;

use crate::owner::{Liveness, Owner};
pub use lock::Lock;

/// Only the owner may even look.
const PRIVATE_FOLDER: u32 = 0o700;
/// The file that other tools read; it is there exactly while the environment is ready.
const RECORD: &str = "environment.json";

/// The state folder of one environment.
#[derive(Debug, Clone)]
pub struct Workdir {
    path: PathBuf,
}

/// Something about the state folder is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum WorkdirError {
    /// Somebody else works on the environment.
    #[error("another process{} is working on this environment: it holds {path}", said_of(.owner.as_ref()))]
    Busy {
        /// The lock.
        path: PathBuf,
        /// The other process, when it left its name.
        owner: Option<Owner>,
    },
    /// The file system refused.
    #[error("cannot {attempt} {path}: {error}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// Nothing runs there.
    #[error("no environment is up here: there is no {path}")]
    NotUp {
        /// The file that would describe it.
        path: PathBuf,
    },
    /// `environment.json` is not what this version writes.
    #[error("{path} is damaged or of another version: {reason}")]
    CorruptRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl WorkdirError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Busy { owner: Some(owner), .. } if owner.liveness() == Liveness::Alive => {
                let pid = owner.pid();
                format!("wait for it, end it (`kill {pid}` makes it tear down), or use another --name")
            }
            Self::Busy { .. } => "wait for it, end it where it runs, or use another --name".to_owned(),
            Self::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                "the disk is full: free some space and start again; what was written is used again".to_owned()
            }
            Self::Io { path, .. } => format!("look at `ls -ld {}` and who owns it", path.display()),
            Self::NotUp { .. } => "start one with `cargo xtask dev`, or say which with --name".to_owned(),
            Self::CorruptRecord { .. } => {
                "take the environment down by its labels with `cargo xtask down`, and start it again"
                    .to_owned()
            }
        }
    }
}

/// A pid means something only where it can be looked at: elsewhere it is somebody else's.
fn said_of(owner: Option<&Owner>) -> String {
    match owner.map(|owner| (owner.liveness(), owner.pid())) {
        Some((Liveness::Unknown, _)) => " of another machine or container".to_owned(),
        Some((Liveness::Alive | Liveness::Dead, pid)) => format!(" (pid {pid})"),
        None => String::new(),
    }
}

fn failed<'a>(attempt: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> WorkdirError + use<'a> {
    move |error| WorkdirError::Io { attempt, path: path.to_owned(), error }
}

impl Workdir {
    /// The folder of the environment `name` below `state_root`, which need not exist yet.
    pub fn new(state_root: &Path, name: &EnvironmentName) -> Result<Self, WorkdirError> {
        let root = std::path::absolute(state_root).map_err(failed("locate", state_root))?;
        Ok(Self { path: root.join(name.as_ref()) })
    }

    /// The folder that some earlier start made.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is; absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder where it is missing, closes it to everybody else, and takes its lock.
    pub fn lock(&self) -> Result<Lock, WorkdirError> {
        self.folder(Path::new(""))?;
        Lock::take(&self.path.join("lock"))
    }

    /// Makes a folder below this one, for its owner only, and returns where it is.
    pub fn folder(&self, relative: &Path) -> Result<PathBuf, WorkdirError> {
        let path = self.path.join(relative);
        let made = DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(&path);
        made.map_err(failed("create the folder", &path))?;
        if relative.as_os_str().is_empty() {
            let closed = fs::set_permissions(&path, Permissions::from_mode(PRIVATE_FOLDER));
            closed.map_err(failed("close to others the folder", &path))?;
        }
        Ok(path)
    }

    /// Writes what is missing or different, and returns how many files that were.
    pub fn write(&self, files: &[PlannedFile]) -> Result<usize, WorkdirError> {
        let mut written = 0;
        for file in files {
            let path = self.path.join(&file.path);
            if !is_already(&path, file) {
                if let Some(parent) = file.path.parent() {
                    self.folder(parent)?;
                }
                write_atomically(&path, file.contents.as_bytes(), file.mode)?;
                written += 1;
            }
        }
        Ok(written)
    }

    /// Gives everything below `relative` to the numeric user that a service runs as. Only root can, and nobody else needs to.
    pub fn give_to(&self, relative: &Path, user: u32) -> Result<(), WorkdirError> {
        let path = self.path.join(relative);
        give(&path, user).map_err(failed("change the owner of what is in", &path))
    }

    /// Deletes the files below `relative` that are not in `wanted`: a service that is no more leaves no key behind.
    pub fn keep_only(&self, relative: &Path, wanted: &BTreeSet<&Path>) -> Result<(), WorkdirError> {
        let path = self.path.join(relative);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed("read the folder", &path))?,
        };
        for entry in entries {
            let entry = entry.map_err(failed("read the folder", &path))?;
            let below = relative.join(entry.file_name());
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => self.keep_only(&below, wanted)?,
                false if !wanted.contains(below.as_path()) => self.remove(&below)?,
                false => {}
            }
        }
        // A folder that is empty now goes; one that is not refuses, and stays.
        let _ = fs::remove_dir(&path);
        Ok(())
    }

    /// Deletes a folder or file below this one, if it is there.
    pub fn remove(&self, relative: &Path) -> Result<(), WorkdirError> {
        let path = self.path.join(relative);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(failed("delete", &path)),
        }
    }

    /// Where `environment.json` is, or would be.
    pub fn record_path(&self) -> PathBuf {
        self.path.join(RECORD)
    }

    /// The running environment's description; `None` when nothing runs.
    pub fn read_record(&self) -> Result<Option<EnvironmentRecord>, WorkdirError> {
        let path = self.record_path();
        let corrupt = |reason: String| WorkdirError::CorruptRecord { path: path.clone(), reason };
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed("read", &path))?,
        };
        let record: EnvironmentRecord =
            serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        if record.schema_version != SCHEMA_VERSION {
            return Err(corrupt(format!(
                "it has schema version {}, this program reads {SCHEMA_VERSION}",
                record.schema_version
            )));
        }
        Ok(Some(record))
    }

    /// Publishes the description: the last thing that a start does.
    pub fn write_record(&self, record: &EnvironmentRecord) -> Result<(), WorkdirError> {
        let path = self.record_path();
        let unwritable =
            |error: serde_json::Error| failed("describe the environment in", &path)(error.into());
        let text = serde_json::to_vec_pretty(record).map_err(unwritable)?;
        write_atomically(&path, &text, 0o600)
    }
}

fn is_already(path: &Path, file: &PlannedFile) -> bool {
    let mode = |facts: fs::Metadata| facts.permissions().mode() & 0o7777;
    fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file() && mode(facts) == file.mode)
        && fs::read(path).is_ok_and(|found| found == file.contents.as_bytes())
}

fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> Result<(), WorkdirError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let result = fill(&temporary, contents, mode).and_then(|()| fs::rename(&temporary, path));
    result.map_err(|error| {
        // What a full disk left of the file is of no use to anybody.
        let _ = fs::remove_file(&temporary);
        failed("write", path)(error)
    })
}

fn fill(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The mode is there from the first byte on; the second call is for bits that the umask took away.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(contents)
}

fn give(path: &Path, user: u32) -> io::Result<()> {
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    lchown(path, Some(user), Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn workdir() -> (tempfile::TempDir, Workdir) {
        let root = tempfile::tempdir().unwrap();
        let workdir = Workdir::new(root.path(), &"one".parse().unwrap()).unwrap();
        (root, workdir)
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn secrets_and_folders_are_for_their_owner_only() {
        let (_root, workdir) = workdir();
        let files = [
            PlannedFile::secret("certs/a/key.pem", Zeroizing::new(b"k".to_vec())),
            PlannedFile::public("certs/a/cert.pem", "c"),
        ];
        let _lock = workdir.lock().unwrap();
        assert_eq!(workdir.write(&files).unwrap(), 2);
        let at = |relative: &str| mode_of(&workdir.path().join(relative));
        assert_eq!([at(""), at("certs"), at("certs/a")], [0o700; 3]);
        assert_eq!([at("certs/a/key.pem"), at("certs/a/cert.pem")], [0o600, 0o644]);
    }

    #[test]
    fn a_folder_that_others_could_enter_is_closed() {
        let (_root, workdir) = workdir();
        fs::create_dir_all(workdir.path()).unwrap();
        fs::set_permissions(workdir.path(), Permissions::from_mode(0o755)).unwrap();
        let _lock = workdir.lock().unwrap();
        assert_eq!(mode_of(workdir.path()), 0o700);
    }

    #[test]
    fn only_what_differs_is_written_again() {
        let (_root, workdir) = workdir();
        let one = [PlannedFile::public("a", "1"), PlannedFile::public("b", "1")];
        let other = [PlannedFile::public("a", "1"), PlannedFile::public("b", "2")];
        assert_eq!(workdir.write(&one).unwrap(), 2);
        assert_eq!(workdir.write(&one).unwrap(), 0);
        assert_eq!(workdir.write(&other).unwrap(), 1);
        fs::set_permissions(workdir.path().join("a"), Permissions::from_mode(0o666)).unwrap();
        assert_eq!(workdir.write(&other).unwrap(), 1);
    }

    #[test]
    fn a_secret_is_never_written_through_a_link_or_into_a_loose_leftover() {
        let (root, workdir) = workdir();
        let elsewhere = root.path().join("elsewhere");
        fs::write(&elsewhere, "untouched").unwrap();
        workdir.folder(Path::new("")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, workdir.path().join("key.pem")).unwrap();
        fs::write(workdir.path().join("key.pem.new"), "leftover").unwrap();
        let files = [PlannedFile::secret("key.pem", Zeroizing::new(b"k".to_vec()))];
        workdir.write(&files).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
        assert_eq!(mode_of(&workdir.path().join("key.pem")), 0o600);
    }

    #[test]
    fn what_a_former_service_was_given_goes_away() {
        let (_root, workdir) = workdir();
        let files =
            ["services/a/x", "services/b/tls/key.pem", "certs/c"].map(|path| PlannedFile::public(path, "1"));
        workdir.write(&files).unwrap();
        workdir.keep_only(Path::new("services"), &BTreeSet::from([Path::new("services/a/x")])).unwrap();
        let there = |path: &str| workdir.path().join(path).exists();
        assert_eq!(["services/a/x", "services/b", "certs/c"].map(there), [true, false, true]);
        workdir.keep_only(Path::new("absent"), &BTreeSet::new()).unwrap();
    }

    #[test]
    fn a_damaged_record_says_which_file_and_what_to_do() {
        let (_root, workdir) = workdir();
        assert!(workdir.read_record().unwrap().is_none());
        workdir.folder(Path::new("")).unwrap();
        for damaged in ["", "{\"schema_version\":", "{}", "[]"] {
            fs::write(workdir.record_path(), damaged).unwrap();
            let error = workdir.read_record().unwrap_err();
            assert!(error.to_string().contains("environment.json is damaged"), "{error}");
            assert!(error.advice().contains("cargo xtask down"), "{}", error.advice());
        }
    }

    #[test]
    fn a_full_disk_is_said_and_leaves_no_half_file() {
        let Some(disk) = SmallDisk::mounted() else {
            println!(
                "skipped: mounting a small disk needs root and mount(8), so a full disk cannot be made here"
            );
            return;
        };
        let workdir = Workdir::new(disk.path(), &"one".parse().unwrap()).unwrap();
        let _lock = workdir.lock().unwrap();
        let error = workdir.write(&[PlannedFile::public("large", vec![7u8; 1 << 20])]).unwrap_err();
        assert!(error.to_string().contains("large: No space left on device"), "{error}");
        assert!(error.advice().contains("the disk is full"), "{}", error.advice());
        let names: Vec<_> =
            fs::read_dir(workdir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["lock"]);
    }

    struct SmallDisk(tempfile::TempDir);

    impl SmallDisk {
        fn mounted() -> Option<Self> {
            let folder = tempfile::tempdir().unwrap();
            let mount = std::process::Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
                .arg(folder.path())
                .output();
            mount.is_ok_and(|output| output.status.success()).then_some(Self(folder))
        }

        fn path(&self) -> &Path {
            self.0.path()
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(self.0.path()).status();
        }
    }
}
