//! The logs of all services of an environment, as they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Follows logs until it is dropped.
#[derive(Debug)]
pub struct Book {
    pages: BTreeMap<String, Page>,
    _followers: JoinSet<()>,
}

#[derive(Debug, Clone)]
struct Page {
    lines: Arc<Mutex<Vec<Line>>>,
    /// Counts the lines, and carries the error that ended the following.
    progress: watch::Receiver<Result<u64, String>>,
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
            let lines = Arc::new(Mutex::new(Vec::new()));
            let start = Start::at_end_of(&source);
            let (told, progress) = watch::channel(Ok(0));
            followers.spawn(follow(source, start, Arc::clone(&lines), told));
            (name, Page { lines, progress })
        });
        Self { pages: pages.collect(), _followers: followers }
    }

    /// The first line of a service's log that satisfies a condition, as soon as it is there.
    ///
    /// # Errors
    /// [`Missing`] when it is not there by the deadline.
    pub async fn find(
        &self,
        service: &str,
        wanted: &str,
        deadline: Duration,
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
                if let Some(line) = page.first(&is_it) {
                    return Some(line);
                }
                if progress.changed().await.is_err() {
                    return page.first(&is_it);
                }
            }
        };
        match timeout(deadline, search).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) | Err(_) => Err(missing(page.last(5))),
        }
    }

    /// Whether such a line is there now. Only meaningful after a later line of the same service was found.
    #[must_use]
    pub fn has(&self, service: &str, is_it: impl Fn(&Line) -> bool) -> bool {
        self.pages.get(service).is_some_and(|page| page.first(is_it).is_some())
    }

    /// The last lines of a service's log.
    #[must_use]
    pub fn last(&self, service: &str, count: usize) -> Vec<String> {
        self.pages.get(service).map(|page| page.last(count)).unwrap_or_default()
    }
}

impl Page {
    fn first(&self, is_it: impl Fn(&Line) -> bool) -> Option<Line> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|line| is_it(line)).cloned()
    }

    fn last(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let from = lines.len().saturating_sub(count);
        let mut last: Vec<String> = lines[from..].iter().map(|line| line.text.clone()).collect();
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
    lines: Arc<Mutex<Vec<Line>>>,
    told: watch::Sender<Result<u64, String>>,
) {
    let ended = source.follow(start, |text| {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES_MAX {
            lines.drain(..LINES_MAX / 2);
        }
        lines.push(Line::parse(text));
        drop(lines);
        told.send_modify(|count| *count = count.as_ref().map_or(Ok(1), |count| Ok(count + 1)));
    });
    let why = ended.await.err().unwrap_or_else(|| "the log ended".to_owned());
    told.send_modify(|count| *count = Err(why));
    // The receivers may still want to read why; the sender stays until the book is dropped.
    std::future::pending::<()>().await;
}
