//! A container image made by hand: one static program, an empty `/tmp`, and a configuration.
//!
//! The archive is what `docker save` writes (image specification v1.2), which every engine can load. Equal inputs
//! give equal bytes: no clock, no user names, no order taken from a hash map.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::digest::{self, Digest};

/// Raised when the layout below changes, so that images of the older layout are not taken for current ones.
const LAYOUT: u32 = 1;

/// The user inside an image when nobody names another: `nonroot` of the distroless images.
pub const NUMERIC_USER: u32 = 65_532;

/// What an image is made of.
#[derive(Debug, Clone)]
pub struct Recipe<'a> {
    /// The image's name without its tag.
    pub repository: &'a str,
    /// The static program on the host.
    pub program: &'a Path,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When the image is to say that it was made: the program's own time, so that old images can be told from new.
    pub created: OffsetDateTime,
}

impl Recipe<'_> {
    /// The tag follows from everything that is in the image, so an image that exists under it is the right one.
    pub fn tag(&self, program: &Digest) -> String {
        let inputs =
            format!("{LAYOUT}\n{}\n{}\n{program}\n{:?}", self.repository, self.file_name(), self.labels);
        digest::of_bytes(inputs.as_bytes()).short().to_owned()
    }

    /// The name and tag under which the engine will know it.
    pub fn reference(&self, program: &Digest) -> String {
        format!("{}:{}", self.repository, self.tag(program))
    }

    /// The archive to load.
    pub fn archive(&self, program: &Digest) -> io::Result<Vec<u8>> {
        let layer = self.layer()?;
        let layer_digest = digest::of_bytes(&layer);
        let configuration = self.configuration(&layer_digest).to_string().into_bytes();
        let configuration_name = format!("{}.json", digest::of_bytes(&configuration));
        let layer_name = format!("{layer_digest}/layer.tar");
        let manifest = json!([{
            "Config": configuration_name,
            "RepoTags": [self.reference(program)],
            "Layers": [layer_name],
        }]);
        let mut archive = tar::Builder::new(Vec::with_capacity(layer.len() + 64 * 1024));
        add_file(&mut archive, &configuration_name, 0o644, &configuration)?;
        add_file(&mut archive, &layer_name, 0o644, &layer)?;
        add_file(&mut archive, "manifest.json", 0o644, manifest.to_string().as_bytes())?;
        archive.into_inner()
    }

    fn layer(&self) -> io::Result<Vec<u8>> {
        let program = std::fs::read(self.program)?;
        let mut layer = tar::Builder::new(Vec::with_capacity(program.len() + 8 * 1024));
        add_folder(&mut layer, "tmp/", 0o1777)?;
        add_file(&mut layer, self.file_name(), 0o755, &program)?;
        layer.into_inner()
    }

    fn configuration(&self, layer: &Digest) -> serde_json::Value {
        let created = self.created.format(&Rfc3339).unwrap_or_default();
        json!({
            "architecture": architecture(),
            "os": "linux",
            "created": created,
            "config": {
                "Entrypoint": [format!("/{}", self.file_name())],
                "User": format!("{NUMERIC_USER}:{NUMERIC_USER}"),
                "WorkingDir": "/",
                "Labels": self.labels,
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
            "history": [{ "created": created, "created_by": "bulkhead" }],
        })
    }

    fn file_name(&self) -> &str {
        self.program.file_name().and_then(|name| name.to_str()).unwrap_or("program")
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn add_file(archive: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, contents: &[u8]) -> io::Result<()> {
    let mut header = plain_header(mode);
    header.set_size(contents.len() as u64);
    archive.append_data(&mut header, name, contents)
}

fn add_folder(archive: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32) -> io::Result<()> {
    let mut header = plain_header(mode);
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    archive.append_data(&mut header, name, io::empty())
}

fn plain_header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn program(contents: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bulkhead-agent"), contents).unwrap();
        folder
    }

    fn recipe(path: &Path) -> Recipe<'_> {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        Recipe { repository: "bulkhead-agent", program: path, labels, created: OffsetDateTime::UNIX_EPOCH }
    }

    #[test]
    fn equal_programs_give_equal_bytes_and_another_program_another_tag() {
        let (first, second, other) = (program("one"), program("one"), program("two"));
        let made = |folder: &tempfile::TempDir| {
            let path = folder.path().join("bulkhead-agent");
            let digest = digest::of_file(&path).unwrap();
            (recipe(&path).archive(&digest).unwrap(), recipe(&path).reference(&digest))
        };
        assert_eq!(made(&first), made(&second));
        assert_ne!(made(&first).1, made(&other).1);
        let renamed = first.path().join("renamed");
        std::fs::copy(first.path().join("bulkhead-agent"), &renamed).unwrap();
        let digest = digest::of_file(&renamed).unwrap();
        assert_ne!(recipe(&renamed).reference(&digest), made(&first).1, "the name is in the image too");
    }

    #[test]
    fn the_manifest_names_files_that_are_there_by_their_hash() {
        let folder = program("one");
        let path = folder.path().join("bulkhead-agent");
        let digest = digest::of_file(&path).unwrap();
        let bytes = recipe(&path).archive(&digest).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            files.insert(name, contents);
        }
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let layer = &files[manifest[0]["Layers"][0].as_str().unwrap()];
        let configuration = &files[manifest[0]["Config"].as_str().unwrap()];
        let configuration: serde_json::Value = serde_json::from_slice(configuration).unwrap();
        assert_eq!(
            configuration["rootfs"]["diff_ids"][0].as_str().unwrap(),
            format!("sha256:{}", digest::of_bytes(layer))
        );
        assert_eq!(configuration["config"]["Entrypoint"][0], "/bulkhead-agent");
    }

    #[test]
    fn the_layer_has_a_tmp_and_no_named_users() {
        let folder = program("one");
        let path = folder.path().join("bulkhead-agent");
        let layer = recipe(&path).layer().unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let entries: Vec<(String, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().to_string_lossy().into_owned(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(entries, [("tmp/".to_owned(), 0o1777), ("bulkhead-agent".to_owned(), 0o755)]);
    }
}
