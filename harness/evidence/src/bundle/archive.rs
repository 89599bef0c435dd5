//! One archive: plain tar (POSIX.1-1988), compressed with Zstandard (RFC 8878). Whoever packs the same files gets the same
//! bytes: sorted, no times, nobody's names.

use std::collections::BTreeMap;
use std::io;

use tar::{Builder, EntryType, Header};

/// All files are below this folder, so that unpacking fills no other.
pub(crate) const FOLDER: &str = "evidence/";
/// Of 22: beyond, it takes much longer and gains little.
const COMPRESSION_LEVEL: i32 = 12;

/// Packs them.
pub(super) fn pack(files: &BTreeMap<String, Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    encoder.include_checksum(true)?;
    let mut builder = Builder::new(encoder);
    for (path, bytes) in files {
        let mut header = Header::new_ustar();
        // Fails for a path that this format has no room for: none of ours is longer than half of it.
        header.set_path(format!("{FOLDER}{path}"))?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        builder.append(&header, bytes.as_slice())?;
    }
    builder.into_inner()?.finish()
}
