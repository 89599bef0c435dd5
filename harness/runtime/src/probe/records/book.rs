//! The logs of all services of an environment, as they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::audit::Audit;
use super::broker::BrokerRecord;
use super::source::{Source, Start};

/// How many lines are kept for each service.
const LINES_MAX: usize = 20_000;

/// One line of a service's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As it was written.
    pub text: String,
    /// When it is an audit record.
    pub audit: Option<Audit>,
    /// When it is a line of the broker about a connection.
    pub broker: Option<BrokerRecord>,
}

impl Line {
    fn parse(text: String) -> Self {
        let audit = Audit::parse(&text);
        let broker = if audit.is_none() { BrokerRecord::parse(&text) } else { None };
        Self { text, audit, broker }
    }
}

/// How far a service's log was read at some moment. The system gives a client's port out again soon after it was
/// closed, within the same second even: a record from before an attempt is not a record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place(usize);

/// Follows logs until it is dropped.
#[derive(Debug)]
pub struct Book {
    pages: BTreeMap<String, Page>,
    _followers: JoinSet<()>,
}

#[derive(Debug, Clone)]
struct Page {
    lines: Arc<Mutex<Lines>>,
    /// Counts the lines, and carries the error that ended the following.
    progress: watch::Receiver<Result<u64, String>>,
}

/// The lines that are kept, and how many older ones are not.
#[derive(Debug, Default)]
struct Lines {
    forgotten: usize,
    kept: Vec<Line>,
}

impl Lines {
    fn push(&mut self, line: Line) {
        if self.kept.len() >= LINES_MAX {
            self.kept.drain(..LINES_MAX / 2);
            self.forgotten += LINES_MAX / 2;
        }
        self.kept.push(line);
    }

    fn end(&self) -> Place {
        Place(self.forgotten + self.kept.len())
    }

    fn since(&self, Place(place): Place) -> &[Line] {
        self.kept.get(place.saturating_sub(self.forgotten)..).unwrap_or_default()
    }
}

/// A record that did not come in time.
#[derive(Debug)]
pub struct Missing {
    /// What was looked for.
    pub wanted: String,
    /// Whose log was read.
    pub service: String,
    /// Why it could not be read, or what stood there last.
    pub instead: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} has no record of {}; its log ends with:", self.service, self.wanted)?;
        self.instead.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
    }
}

impl Book {
    /// Follows each named service's log from now on.
    #[must_use]
    pub fn open(services: impl IntoIterator<Item = (String, Source)>) -> Self {
        let mut followers = JoinSet::new();
        let pages = services.into_iter().map(|(name, source)| {
            let lines = Arc::new(Mutex::new(Lines::default()));
            let start = Start::at_end_of(&source);
            let (told, progress) = watch::channel(Ok(0));
            followers.spawn(follow(source, start, Arc::clone(&lines), told));
            (name, Page { lines, progress })
        });
        Self { pages: pages.collect(), _followers: followers }
    }

    /// Whether a service's log is followed at all.
    #[must_use]
    pub fn follows(&self, service: &str) -> bool {
        self.pages.contains_key(service)
    }

    /// Where a service's log ends now, as far as it was read.
    #[must_use]
    pub fn end(&self, service: &str) -> Place {
        self.pages.get(service).map(|page| page.lines().end()).unwrap_or_default()
    }

    /// The first line of a service's log after `since` that satisfies a condition, as soon as it is there.
    ///
    /// # Errors
    /// [`Missing`] when it is not there by the deadline.
    pub async fn find(
        &self,
        service: &str,
        since: Place,
        wanted: &str,
        deadline: Duration,
        is_it: impl Fn(&Line) -> bool,
    ) -> Result<Line, Missing> {
        self.find_nth(service, since, 0, (wanted, deadline), is_it).await
    }

    /// The same after `skipped` such lines.
    ///
    /// # Errors
    /// [`Missing`] when it is not there by the deadline.
    pub async fn find_nth(
        &self,
        service: &str,
        since: Place,
        skipped: usize,
        (wanted, deadline): (&str, Duration),
        is_it: impl Fn(&Line) -> bool,
    ) -> Result<Line, Missing> {
        let missing = |instead| Missing { wanted: wanted.to_owned(), service: service.to_owned(), instead };
        let Some(page) = self.pages.get(service) else {
            return Err(missing(vec!["(there is no such service in this environment)".to_owned()]));
        };
        let mut progress = page.progress.clone();
        let search = async {
            loop {
                progress.mark_unchanged();
                if let Some(line) = page.nth(since, skipped, &is_it) {
                    return Some(line);
                }
                if progress.changed().await.is_err() {
                    return page.nth(since, skipped, &is_it);
                }
            }
        };
        match timeout(deadline, search).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) | Err(_) => Err(missing(page.last(5))),
        }
    }

    /// Has somebody look at all lines after `since` that were read; nothing where the log is not followed.
    pub fn look<T>(&self, service: &str, since: Place, look: impl FnOnce(&[Line]) -> T) -> Option<T> {
        self.pages.get(service).map(|page| look(page.lines().since(since)))
    }

    /// The last lines of a service's log.
    #[must_use]
    pub fn last(&self, service: &str, count: usize) -> Vec<String> {
        self.pages.get(service).map(|page| page.last(count)).unwrap_or_default()
    }
}

impl Page {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nth(&self, since: Place, skipped: usize, is_it: impl Fn(&Line) -> bool) -> Option<Line> {
        self.lines().since(since).iter().filter(|line| is_it(line)).nth(skipped).cloned()
    }

    fn last(&self, count: usize) -> Vec<String> {
        let lines = self.lines();
        let from = lines.kept.len().saturating_sub(count);
        let mut last: Vec<String> = lines.kept[from..].iter().map(|line| line.text.clone()).collect();
        if let Err(error) = &*self.progress.borrow() {
            last.push(format!("({error})"));
        }
        if last.is_empty() {
            last.push("(nothing was written since the run began)".to_owned());
        }
        last
    }
}

async fn follow(
    source: Source,
    start: Start,
    lines: Arc<Mutex<Lines>>,
    told: watch::Sender<Result<u64, String>>,
) {
    let ended = source.follow(start, |text| {
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(Line::parse(text));
        told.send_modify(|count| *count = count.as_ref().map_or(Ok(1), |count| Ok(count + 1)));
    });
    let why = ended.await.err().unwrap_or_else(|| "the log ended".to_owned());
    told.send_modify(|count| *count = Err(why));
    // The receivers may still want to read why; the sender stays until the book is dropped.
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::parse(text.to_owned())
    }

    #[test]
    fn a_place_stays_where_it_is_when_old_lines_are_forgotten() {
        let mut lines = Lines::default();
        lines.push(line("before"));
        let place = lines.end();
        assert!(lines.since(place).is_empty());
        lines.push(line("after"));
        assert_eq!(lines.since(place)[0].text, "after");
        assert_eq!(lines.since(Place::default()).len(), 2);
        for _ in 0..LINES_MAX {
            lines.push(line("later"));
        }
        assert!(lines.forgotten > 0);
        assert!(lines.since(place).iter().all(|line| line.text == "later"));
        let end = lines.end();
        lines.push(line("last"));
        assert_eq!(lines.since(end), [line("last")]);
    }
}
