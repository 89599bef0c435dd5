//! The services' own records of whom they refused, and why.

use std::collections::HashSet;
use std::time::Duration;

use bulkhead_plan::access::DenialReason;
use bulkhead_runtime::probe::records::{Book, Complaint, Event, Line, Missing, Place};

/// How long a service may take to write its record.
const DEADLINE: Duration = Duration::from_secs(5);

/// Reads refusals from the services' logs, each once, from the moment it was made.
///
/// A refused client often cannot tell why it was refused. The service's record can, and the two are joined by order:
/// ports are published, so the address in a record is the engine's and not the client's. Make one refused attempt at a
/// time, and ask for its reason before the next.
#[derive(Debug)]
pub struct Refusals {
    book: Book,
    seen: HashSet<String>,
}

impl Refusals {
    pub(crate) fn of(book: Book) -> Self {
        Self { book, seen: HashSet::new() }
    }

    /// The reason of the next refusal that a service has written down. Services are named as their
    /// [`ServiceId`](bulkhead_plan::ServiceId) prints: `nats`, `poller`, `tenants/acme/agent-001.p1`.
    ///
    /// # Errors
    /// When there is none within 5 s; the error has the end of the log.
    pub async fn next(&mut self, service: &str) -> Result<DenialReason, Missing> {
        let is_new = |line: &Line| reason(line).is_some() && !self.seen.contains(&line.text);
        let line = self.book.find(service, Place::default(), "a refusal", DEADLINE, is_new).await?;
        let missing = || Missing {
            wanted: "a refusal".to_owned(),
            service: service.to_owned(),
            instead: vec![line.text.clone()],
        };
        let reason = reason(&line).ok_or_else(missing)?;
        self.seen.insert(line.text);
        Ok(reason)
    }

    /// The logs themselves.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }
}

fn reason(line: &Line) -> Option<DenialReason> {
    if let Some(audit) = &line.audit {
        return (audit.event == Event::Refused).then(|| audit.denial()).flatten();
    }
    match line.broker.as_ref()?.complaint {
        Complaint::Denied(reason) => Some(reason),
        Complaint::Other => None,
    }
}
