//! What a service wrote from a moment on: of somebody else's log the rest is nobody's business here.

use std::io::SeekFrom;
use std::path::Path;

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::source::{Source, Start};

/// A log, and the place in it from which lines count.
#[derive(Debug, Clone)]
pub struct Excerpt {
    source: Source,
    from: Start,
}

impl Excerpt {
    /// From now on.
    pub fn from_now(source: Source) -> Self {
        Self { from: Start::at_end_of(&source), source }
    }

    /// What was written until now.
    ///
    /// # Errors
    /// The log cannot be read; the error says where.
    pub async fn lines(self) -> Result<Vec<String>, String> {
        match &self.source {
            Source::File(path) => {
                of_file(path, self.from).await.map_err(|error| format!("log {}: {error}", path.display()))
            }
            Source::Container(id) => {
                of_container(id, self.from).await.map_err(|error| format!("log of container {id}: {error}"))
            }
        }
    }
}

async fn of_file(path: &Path, from: Start) -> std::io::Result<Vec<String>> {
    let mut file = File::open(path).await?;
    // A file that is shorter than it was is another one: it was rotated, and is new as a whole.
    let length = file.metadata().await?.len();
    let offset = if length < from.offset_bytes { 0 } else { from.offset_bytes };
    file.seek(SeekFrom::Start(offset)).await?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await?;
    Ok(lines_of(&bytes))
}

async fn of_container(id: &str, from: Start) -> Result<Vec<String>, bollard::errors::Error> {
    let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).since(from.unix_s).build();
    let mut stream = docker.logs(id, Some(options));
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?.into_bytes());
    }
    Ok(lines_of(&bytes))
}

fn lines_of(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn only_what_was_written_since_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "of somebody else\n").unwrap();
        let excerpt = Excerpt::from_now(Source::File(path.clone()));
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"one\ntwo \xff\n").unwrap();
        assert_eq!(excerpt.clone().lines().await.unwrap(), ["one", "two \u{fffd}"]);
        std::fs::write(&path, "rotated\n").unwrap();
        assert_eq!(excerpt.clone().lines().await.unwrap(), ["rotated"]);
        std::fs::remove_file(&path).unwrap();
        assert!(excerpt.lines().await.unwrap_err().contains("a.log"));
    }
}
