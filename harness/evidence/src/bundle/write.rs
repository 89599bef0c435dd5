//! Onto the disk: each file under another name first, and the archive last.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Bundle, BundleError, names};

/// The archive's name.
pub const ARCHIVE: &str = "evidence.tar.zst";
/// What is also put beside the archive, for people and programs that want only this.
pub(crate) const BESIDE: [&str; 4] = [names::REPORT, names::PAGE, names::JUNIT, names::PUBLIC_KEY];

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The archive.
    pub archive: PathBuf,
    /// Its size in bytes.
    pub archive_bytes: u64,
    /// The page for people.
    pub page: PathBuf,
}

/// Makes the folder and writes into it, before a run takes its time for nothing.
///
/// # Errors
/// The file system refuses.
pub fn check_writable(folder: &Path) -> Result<(), BundleError> {
    let failed = |attempt| move |error| BundleError::Io { attempt, path: folder.to_owned(), error };
    fs::create_dir_all(folder).map_err(failed("make the folder"))?;
    let probe = folder.join(temporary("probe"));
    fs::write(&probe, "").map_err(failed("write into the folder"))?;
    fs::remove_file(&probe).map_err(failed("write into the folder"))
}

/// Writes the archive, and beside it what people and programs look at most.
///
/// # Errors
/// The file system refuses. What is there then is old or whole, never half a file.
pub fn write(folder: &Path, bundle: &Bundle) -> Result<Written, BundleError> {
    for name in BESIDE {
        if let Some(bytes) = bundle.files.get(name) {
            put(&folder.join(name), bytes)?;
        }
    }
    let archive = folder.join(ARCHIVE);
    put(&archive, &bundle.archive)?;
    Ok(Written { archive, archive_bytes: bundle.archive.len() as u64, page: folder.join(names::PAGE) })
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let failed = |error| BundleError::Io { attempt: "write", path: path.to_owned(), error };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let new = path.with_file_name(temporary(&name));
    let written = fs::File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        // Evidence is kept: after a power cut it is there under its name whole, or not at all.
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&new, path)).map_err(|error| {
        // What a full disk left of the file is of no use to anybody.
        let _ = fs::remove_file(&new);
        failed(error)
    })
}

/// Two runs that write into the same folder do not write into each other's files.
fn temporary(name: &str) -> String {
    format!(".{name}.{}.new", std::process::id())
}
