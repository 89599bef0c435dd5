//! An observation and the server's record of it, found by connection or trace.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_plan::access::Outcome;

use super::word::judge_by_word;
use super::{Judged, Record, judge, judge_operation};
use crate::probe::records::{Audit, Book, Event, Line, Place};
use crate::probe::{Observation, Refusal, Sight, TraceId};

/// How long a server's record may take to appear in its log.
pub const RECORD_DEADLINE: Duration = Duration::from_secs(3);

/// In whose words a server keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// One of the platform's own services: audit records.
    Service,
    /// The broker: lines of its log.
    Broker,
}

/// Finds the server's record on `page`, written since the attempt began, of what was seen, and judges the two together.
///
/// Where nobody can read the server's records, its word alone decides, as far as it says anything.
pub async fn join<T>(book: &Book, door: Door, page: &str, since: Place, seen: &Observation<T>) -> Judged {
    if !book.follows(page) {
        return judge_by_word(seen);
    }
    let mut evidence = vec![seen.to_string()];
    if let Sight::Refused(Refusal::TlsDemanded) = &seen.sight {
        // The broker's log has no line of it; its own word on this very connection stands in the sight.
        return Judged::new(judge_operation(&seen.sight, ""), evidence);
    }
    if !matches!(seen.sight, Sight::Refused(_) | Sight::Closed(_)) {
        return Judged::new(judge(&seen.sight, &Record::None("")), evidence);
    }
    let Some(local) = seen.local else {
        return Judged::inconclusive(format!("{seen}: the attempt's own address is not known"));
    };
    let wanted = format!("a refusal of {local}");
    let is_it = |line: &Line| match door {
        Door::Broker => line.broker.as_ref().is_some_and(|record| record.peer == local),
        Door::Service => {
            line.audit.as_ref().is_some_and(|audit| refuses(audit, local, seen.trace_id.as_ref()))
        }
    };
    let found = book.find(page, since, &wanted, RECORD_DEADLINE, is_it).await;
    let outcome = match &found {
        Ok(line) => {
            evidence.push(format!("{page} recorded: {}", line.text));
            let record = match (&line.audit, &line.broker) {
                (Some(audit), _) => Record::Refused(audit),
                (None, Some(broker)) => Record::Broker(broker),
                (None, None) => Record::None(&wanted),
            };
            match served_after_all(book, page, since, local) {
                Some(line) => Outcome::Inconclusive(format!("it was refused, and served as well: {line}")),
                None => judge(&seen.sight, &record),
            }
        }
        Err(missing) => {
            evidence.push(missing.to_string());
            judge(&seen.sight, &Record::None(&wanted))
        }
    };
    Judged::new(outcome, evidence)
}

/// The service's own record of having let in what was answered: by the call's trace, or the connection's address.
///
/// # Errors
/// It is not there: an access that leaves no trace is not as specified.
pub async fn recorded_acceptance<T>(
    book: &Book,
    page: &str,
    since: Place,
    seen: &Observation<T>,
) -> Result<String, String> {
    let wanted = format!("having let in {}", seen.local.map(|local| local.to_string()).unwrap_or_default());
    let is_it = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            let trace = seen.trace_id.as_ref().map(TraceId::as_str);
            let same = match trace {
                Some(trace) => audit.trace_id.as_deref() == Some(trace),
                None => seen.local.is_some() && audit.peer() == seen.local,
            };
            audit.event == Event::Accepted && same
        })
    };
    let found = book.find(page, since, &wanted, RECORD_DEADLINE, is_it).await;
    found.map(|line| line.text).map_err(|missing| missing.to_string())
}

/// A call that was let in on the connection from this address (not only this port: an agent in a container of its own
/// may have the same). The services write a refusal before they could serve anything more on the connection, so after
/// the refusal was found an acceptance is there or never was.
fn served_after_all(book: &Book, page: &str, since: Place, local: SocketAddr) -> Option<String> {
    let accepted = |line: &Line| {
        line.audit.as_ref().is_some_and(|audit| {
            audit.event == Event::Accepted && audit.layer == "grpc" && audit.peer() == Some(local)
        })
    };
    book.has(page, since, accepted).then(|| format!("{page} has a record of a call from {local}"))
}

/// A refusal of this very attempt: by its trace where the call was read, else by its address. A call that was
/// let in first and refused afterwards has an accepted handshake, which is why only refusals count here.
fn refuses(audit: &Audit, local: SocketAddr, trace: Option<&TraceId>) -> bool {
    let same_trace = trace.is_some() && audit.trace_id.as_deref() == trace.map(TraceId::as_str);
    audit.event == Event::Refused && (same_trace || audit.peer() == Some(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_another_address_with_the_same_port_is_not_ours() {
        let line = r#"{"kind":"audit","event":"refused","layer":"tls","peer":"10.76.0.35:51156","reason":"expired"}"#;
        let audit = Audit::parse(line).unwrap();
        assert!(refuses(&audit, ([10, 76, 0, 35], 51156).into(), None));
        assert!(!refuses(&audit, ([10, 76, 0, 1], 51156).into(), None));
    }
}
