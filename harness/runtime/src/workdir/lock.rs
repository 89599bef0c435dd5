//! One process at a time works on an environment. The system gives the lock back whatever ends its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{WorkdirError, failed};
use crate::owner::{Liveness, Owner};

/// For how long a lock is waited for whose holder is dead: a process that was killed in the middle of starting another
/// leaves a child between fork and exec, which has a copy of the lock's file until it gets that far.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, or says who has it.
    ///
    /// # Errors
    /// Somebody else has it, or the file cannot be opened.
    pub fn take(path: &Path) -> Result<Self, WorkdirError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(failed("open the lock", path))?;
        let deadline = Instant::now() + RELEASE_TIMEOUT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed("lock", path)(error)),
            }
            let holder = holder(&mut file);
            let gone = holder.as_ref().is_some_and(|owner| owner.liveness() == Liveness::Dead);
            if !gone || Instant::now() >= deadline {
                return Err(WorkdirError::Busy { path: path.to_owned(), owner: holder });
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        // Only for the message of whoever comes second, so a disk that is full is no reason to stop.
        let _ = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        let _ = write!(file, "{}", Owner::current());
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Not left to the closing of the file: a child that is between fork and exec has a copy of it, and would hold the lock
    /// for that moment longer (flock(2): the lock belongs to the open file description).
    fn drop(&mut self) {
        // It fails for nobody who holds the lock; and the system takes it back in any case when this process ends.
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first_and_the_next_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err();
        let own_pid = std::process::id();
        assert!(error.to_string().contains(&format!("(pid {own_pid})")), "{error}");
        assert!(error.advice().contains("another --name"), "{}", error.advice());
        drop(first);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_copy_of_the_file_in_a_child_that_was_just_forked_does_not_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap();
        let _copy = first.file.try_clone().unwrap();
        drop(first);
        Lock::take(&path).unwrap();
    }
}
