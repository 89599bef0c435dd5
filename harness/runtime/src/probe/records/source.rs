//! Where a service's log comes from.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use bulkhead_plan::foreign::Records;
use futures::StreamExt;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::sleep;

/// How often a log file is looked at.
const FILE_INTERVAL: Duration = Duration::from_millis(20);

/// A service's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file that the service appends to.
    File(PathBuf),
    /// A container of the local engine, by id or name.
    Container(String),
}

impl Source {
    /// Where a platform's description says that a service's records are; nothing when nobody can read any.
    pub fn of(records: &Records) -> Option<Self> {
        match records {
            Records::File(path) => Some(Self::File(path.clone())),
            Records::Container(container) => Some(Self::Container(container.clone())),
            Records::None => None,
        }
    }

    /// Hands on every complete line that is written from now on, until it is dropped or the log ends.
    ///
    /// # Errors
    /// The log cannot be opened or read; the error says where.
    pub(super) async fn follow(self, from: Start, tell: impl Fn(String)) -> Result<(), String> {
        match self {
            Self::File(path) => follow_file(&path, from, tell)
                .await
                .map_err(|error| format!("log {}: {error}", path.display())),
            Self::Container(id) => follow_container(&id, from, tell)
                .await
                .map_err(|error| format!("log of container {id}: {error}")),
        }
    }
}

/// The place in a log from which lines count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) unix_s: i32,
    pub(super) offset_bytes: u64,
}

impl Start {
    /// Its end, now. Taken before the following begins, so that no line falls between the two.
    pub(super) fn at_end_of(source: &Source) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let offset_bytes = match source {
            Source::File(path) => std::fs::metadata(path).map_or(0, |file| file.len()),
            Source::Container(_) => 0,
        };
        Self { unix_s: i32::try_from(since).unwrap_or(i32::MAX), offset_bytes }
    }
}

async fn follow_file(path: &Path, from: Start, tell: impl Fn(String)) -> std::io::Result<()> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(from.offset_bytes)).await?;
    let mut lines = Lines::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match file.read(&mut buffer).await? {
            0 => sleep(FILE_INTERVAL).await,
            read => lines.push(&buffer[..read], &tell),
        }
    }
}

async fn follow_container(
    id: &str,
    from: Start,
    tell: impl Fn(String),
) -> Result<(), bollard::errors::Error> {
    let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).since(from.unix_s).build();
    let mut stream = docker.logs(id, Some(options));
    let mut lines = Lines::default();
    while let Some(chunk) = stream.next().await {
        lines.push(&chunk?.into_bytes(), &tell);
    }
    Ok(())
}

/// Puts lines together from chunks that end anywhere.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8], tell: &impl Fn(String)) {
        self.0.extend_from_slice(bytes);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            tell(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }
}
