//! Lines of a log file, those that are there and those that come.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::backend::LogPart;

/// How often a file that is followed is looked at again.
const POLL: Duration = Duration::from_millis(100);
/// How much of a file's end is read for its last lines.
const TAIL_BYTES: usize = 64 * 1024;

/// The last lines of a file; none when it cannot be read.
pub(crate) fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let bytes = tail(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The lines of a file. A half-written last line is held back until its end is there.
pub(crate) fn lines(path: PathBuf, part: LogPart) -> BoxStream<'static, String> {
    stream::once(Follower::open(path, part))
        .flat_map(|follower| match follower {
            Some(follower) => stream::unfold(follower, Follower::next).boxed(),
            None => stream::empty().boxed(),
        })
        .boxed()
}

struct Follower {
    reader: BufReader<File>,
    ready: VecDeque<String>,
    partial: Vec<u8>,
    follow: bool,
}

impl Follower {
    async fn open(path: PathBuf, part: LogPart) -> Option<Self> {
        let reader = BufReader::new(File::open(path).await.ok()?);
        let mut follower = Self { reader, ready: VecDeque::new(), partial: Vec::new(), follow: part.follow };
        while let Some(line) = follower.read().await {
            follower.ready.push_back(line);
            if part.last.is_some_and(|last| follower.ready.len() > last) {
                follower.ready.pop_front();
            }
        }
        Some(follower)
    }

    /// One whole line, or nothing when the file has no more for now.
    async fn read(&mut self) -> Option<String> {
        let read = self.reader.read_until(b'\n', &mut self.partial).await.ok()?;
        if read == 0 || self.partial.last() != Some(&b'\n') {
            return None;
        }
        let line = std::mem::take(&mut self.partial);
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    async fn next(mut self) -> Option<(String, Self)> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some((line, self));
            }
            match self.read().await {
                Some(line) => return Some((line, self)),
                None if self.follow => tokio::time::sleep(POLL).await,
                None => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(contents: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(contents.as_bytes()).unwrap();
        file
    }

    #[tokio::test]
    async fn gives_the_last_lines_and_holds_back_half_a_line() {
        let file = file("one\ntwo\nthree\nhal");
        let part = LogPart { last: Some(2), follow: false };
        let seen: Vec<String> = lines(file.path().to_owned(), part).collect().await;
        assert_eq!(seen, ["two", "three"]);
        assert_eq!(last_lines(file.path(), 2), ["three", "hal"]);
    }

    #[tokio::test]
    async fn follows_what_is_written_later() {
        let mut file = file("one\nhal");
        let mut seen = lines(file.path().to_owned(), LogPart { last: None, follow: true });
        assert_eq!(seen.next().await.as_deref(), Some("one"));
        file.write_all(b"f\n").unwrap();
        assert_eq!(seen.next().await.as_deref(), Some("half"));
    }

    #[tokio::test]
    async fn a_missing_file_has_no_lines() {
        let part = LogPart { last: None, follow: true };
        assert_eq!(
            lines(PathBuf::from("/nonexistent/log"), part).collect::<Vec<_>>().await,
            Vec::<String>::new()
        );
    }
}
