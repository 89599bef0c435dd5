//! Looks for an environment's private keys in what was written of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The bodies of all private keys below a folder, Base64 without line breaks.
fn keys(folder: &Path) -> Vec<String> {
    let texts = files(folder).into_iter().filter_map(|path| fs::read_to_string(path).ok());
    let keys = texts.filter(|text| text.starts_with("-----BEGIN PRIVATE KEY-----"));
    keys.map(|text| text.lines().filter(|line| !line.starts_with('-')).collect()).collect()
}

/// What a file would carry of a key: the middle of its Base64, where its secret is (36 bytes in, 32 bytes long, in each
/// P-256 key in PKCS #8), with or without line breaks.
fn carries(file: &Path, key: &str) -> bool {
    let bytes = fs::read(file).unwrap();
    let text: String = String::from_utf8_lossy(&bytes).replace("\\n", "").split_whitespace().collect();
    [&key[48..64], &key[64..80], &key[52..76]].iter().any(|part| text.contains(part))
}

pub(crate) fn unpacked(archive: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bytes = zstd::decode_all(fs::File::open(archive).unwrap()).unwrap();
    tar::Archive::new(bytes.as_slice()).unpack(folder.path()).unwrap();
    folder
}

/// That no file below `written` has a private key of the environment in `state`, or says where that folder is.
#[track_caller]
pub(crate) fn assert_carries_none_of(state: &Path, written: &[&Path]) {
    let keys = keys(state);
    assert!(
        keys.len() >= 9,
        "root, platform, two tenants; broker, poller, administrator, two agents: {}",
        keys.len()
    );
    for file in written.iter().flat_map(|folder| files(folder)) {
        for key in &keys {
            assert!(!carries(&file, key), "{} carries a private key", file.display());
        }
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("PRIVATE KEY-----"), "{}", file.display());
        assert!(!text.contains(state.to_str().unwrap()), "{} names a path of this machine", file.display());
    }
    let own = state.join("certs/root-key.pem");
    assert!(keys.iter().any(|key| carries(&own, key)), "what looks for keys would find one");
}
