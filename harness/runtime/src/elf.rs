//! Whether a program runs in an empty image: it must not ask for a dynamic loader.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// `PT_INTERP` of the System V ABI: the program header that names the dynamic loader.
const PROGRAM_HEADER_INTERPRETER: u32 = 3;

/// How a program was linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linkage {
    /// Needs nothing but the kernel.
    Static,
    /// Needs the loader at this path, and the libraries that the loader looks for.
    Dynamic {
        /// Path of the loader, for instance `/lib64/ld-linux-x86-64.so.2`.
        loader: String,
    },
    /// Not a 64-bit little-endian ELF file, so not a program for a Linux container of ours.
    NotLinux,
}

/// Reads the program headers of the file at `path`.
pub fn linkage(path: &Path) -> io::Result<Linkage> {
    let mut file = File::open(path)?;
    let mut header = [0u8; 64];
    if file.read_exact(&mut header).is_err() || header[..4] != *b"\x7fELF" || header[4] != 2 || header[5] != 1
    {
        return Ok(Linkage::NotLinux);
    }
    let table = u64_at(&header, 32);
    let entry_size = u64::from(u16_at(&header, 54));
    for index in 0..u64::from(u16_at(&header, 56)) {
        let mut entry = [0u8; 56];
        file.seek(SeekFrom::Start(table + index * entry_size))?;
        file.read_exact(&mut entry)?;
        if u32_at(&entry, 0) == PROGRAM_HEADER_INTERPRETER {
            return Ok(Linkage::Dynamic {
                loader: text_at(&mut file, u64_at(&entry, 8), u64_at(&entry, 32))?,
            });
        }
    }
    Ok(Linkage::Static)
}

fn text_at(file: &mut File, offset: u64, length: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length.min(4096)).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_file_is_not_a_linux_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "#!/bin/sh\n").unwrap();
        assert_eq!(linkage(file.path()).unwrap(), Linkage::NotLinux);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_test_is_static_and_the_shell_is_not() {
        // The workspace links statically, and the shell of a distribution does not.
        assert_eq!(linkage(&std::env::current_exe().unwrap()).unwrap(), Linkage::Static);
        assert!(
            matches!(linkage(Path::new("/bin/sh")).unwrap(), Linkage::Dynamic { loader } if loader.contains("ld-"))
        );
    }

    #[test]
    fn a_cut_off_program_is_an_error_and_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        bytes.truncate(70);
        std::fs::write(file.path(), bytes).unwrap();
        assert!(linkage(file.path()).is_err());
    }
}
