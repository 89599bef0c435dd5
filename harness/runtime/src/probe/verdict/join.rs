//! An observation and the server's record of it, found by connection or trace.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_plan::access::{DenialReason, Outcome};

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
    join_within(RECORD_DEADLINE, book, door, (page, since), seen).await
}

async fn join_within<T>(
    deadline: Duration,
    book: &Book,
    door: Door,
    (page, since): (&str, Place),
    seen: &Observation<T>,
) -> Judged {
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
    let found = book.find(page, since, &wanted, deadline, is_it).await;
    let outcome = match &found {
        Ok(line) => {
            evidence.push(format!("{page} recorded: {}", line.text));
            let record = match (&line.audit, &line.broker) {
                (Some(audit), _) => Record::Refused(audit),
                (None, Some(broker)) => Record::Broker(broker),
                (None, None) => Record::None(&wanted),
            };
            let refused = |line: &Line| is_it(line);
            match book.look(page, since, |lines| served_as_well(lines, refused, local)).flatten() {
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
    accepted_within(RECORD_DEADLINE, book, page, since, seen).await
}

async fn accepted_within<T>(
    deadline: Duration,
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
    let found = book.find(page, since, &wanted, deadline, is_it).await;
    found.map(|line| line.text).map_err(|missing| missing.to_string())
}

/// A call that was let in on the connection that was refused, from this address (not only this port: an agent in a container
/// of its own may have the same). The services write a refusal before they could serve anything more on the connection, so
/// after the refusal was found an acceptance is there or never was.
///
/// Each connection has one record of its handshake, before those of its calls: where another handshake of the address is
/// recorded, another connection begins. A server that refuses closes first, and the system may then give the client's port
/// out again at once.
pub fn served_as_well(lines: &[Line], refused: impl Fn(&Line) -> bool, local: SocketAddr) -> Option<String> {
    let refusal = lines.iter().position(refused)?;
    let handshake = |line: &Line| is_of(line, "tls", local);
    let begins = lines[..=refusal].iter().rposition(handshake).unwrap_or_default();
    let ends = lines[refusal + 1..].iter().position(handshake).map_or(lines.len(), |next| refusal + 1 + next);
    let refused = lines[refusal].audit.as_ref();
    let served = |line: &&Line| {
        let handled =
            |audit: &Audit| refused.is_some_and(|refused| is_refused_by_its_handler(audit, refused));
        let accepted = |audit: &Audit| audit.event == Event::Accepted && !handled(audit);
        is_of(line, "grpc", local) && line.audit.as_ref().is_some_and(accepted)
    };
    lines[begins..ends].iter().find(served).map(|line| line.text.clone())
}

fn is_of(line: &Line, layer: &str, local: SocketAddr) -> bool {
    line.audit.as_ref().is_some_and(|audit| audit.layer == layer && audit.peer() == Some(local))
}

/// Reasons for which a call is refused by what it says, after its caller was let in: its handler is who refuses.
const REFUSED_BY_HANDLERS: [DenialReason; 3] =
    [DenialReason::ForeignClaim, DenialReason::AgentOther, DenialReason::TenantOther];

/// Whether a call was let in to be refused by its handler. For any other reason it never comes there, and a record that says so
/// is one of a call that was served.
fn is_refused_by_its_handler(accepted: &Audit, refused: &Audit) -> bool {
    let one_call = accepted.layer == refused.layer
        && accepted.trace_id.is_some()
        && accepted.trace_id == refused.trace_id;
    let reason = refused.reason.as_deref();
    one_call && REFUSED_BY_HANDLERS.iter().any(|handled| Some(handled.code()) == reason)
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
    use crate::probe::records::Source;

    /// What is recorded of one port: `T` and `t` a handshake that was accepted, refused, `G` and `g` a call.
    fn records(of: &str) -> Vec<Line> {
        let of_one = |(number, kind): (usize, char)| {
            let event = if kind.is_uppercase() { "accepted" } else { "refused" };
            let layer = if kind.eq_ignore_ascii_case(&'t') { "tls" } else { "grpc" };
            let text = format!(
                r#"{{"kind":"audit","event":"{event}","layer":"{layer}","peer":"127.0.0.1:7","reason":"no{number}"}}"#
            );
            Line { audit: Audit::parse(&text), broker: None, text }
        };
        of.chars().enumerate().map(of_one).collect()
    }

    #[test]
    fn served_as_well_is_what_is_served_on_the_same_connection() {
        let refused = |line: &Line| line.audit.as_ref().is_some_and(|audit| audit.event == Event::Refused);
        for (of, served) in [
            ("t", false),
            ("tG", true),
            // The port was given out again, to somebody who is served.
            ("tTG", false),
            ("ttG", false),
            ("Tg", false),
            ("TgG", true),
            ("TGg", true),
            ("TgGT", true),
            ("TTgGT", true),
            ("TgTG", false),
            // Somebody else had the port before, whose record was read late.
            ("Gt", false),
            ("TGt", false),
            ("TGTg", false),
        ] {
            let lines = records(of);
            let found = served_as_well(&lines, refused, ([127, 0, 0, 1], 7).into());
            assert_eq!(found.is_some(), served, "{of}: {found:?}");
            assert_eq!(served_as_well(&lines, refused, ([127, 0, 0, 1], 8).into()), None, "{of}");
        }
    }

    #[test]
    fn a_call_that_was_served_and_refused_was_refused_by_its_handler_or_not_at_all() {
        let of_one_call = |event: &str, reason: &str| {
            let text = format!(
                r#"{{"kind":"audit","event":"{event}","layer":"grpc","peer":"127.0.0.1:7","reason":"{reason}","trace_id":"one"}}"#
            );
            Line { audit: Audit::parse(&text), broker: None, text }
        };
        let refused = |line: &Line| line.audit.as_ref().is_some_and(|audit| audit.event == Event::Refused);
        for reason in DenialReason::ALL {
            let lines = [of_one_call("accepted", "none"), of_one_call("refused", reason.code())];
            let served = served_as_well(&lines, refused, ([127, 0, 0, 1], 7).into()).is_some();
            assert_eq!(served, !REFUSED_BY_HANDLERS.contains(reason), "{reason}");
        }
    }

    const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 4711);
    const PAGE: &str = "agent";

    fn seen(sight: Sight<()>) -> Observation<()> {
        Observation {
            attempt: "an attempt".to_owned(),
            sight,
            local: Some(LOCAL.into()),
            took: Duration::ZERO,
            trace_id: None,
        }
    }

    fn closed() -> Observation<()> {
        seen(Sight::Closed("end of stream".to_owned()))
    }

    /// A service that writes these lines after the attempt began.
    struct Server {
        book: Book,
        since: Place,
        _folder: tempfile::TempDir,
    }

    fn server(lines: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let earlier = audit_line("refused", "tls", "unknown-issuer");
        std::fs::write(&path, format!("{earlier}\n")).unwrap();
        let book = Book::open([(PAGE.to_owned(), Source::File(path.clone()))]);
        let since = book.end(PAGE);
        let mut text = std::fs::read_to_string(&path).unwrap();
        lines.iter().for_each(|line| text.extend([line, "\n"]));
        std::fs::write(&path, text).unwrap();
        Server { book, since, _folder: folder }
    }

    fn audit_line(event: &str, layer: &str, reason: &str) -> String {
        format!(
            r#"{{"kind":"audit","event":"{event}","layer":"{layer}","peer":"127.0.0.1:4711","reason":"{reason}"}}"#
        )
    }

    /// What comes of it where the record is there.
    async fn joined(lines: &[&str], door: Door, seen: &Observation<()>) -> Outcome {
        let server = server(lines);
        join(&server.book, door, PAGE, server.since, seen).await.outcome
    }

    /// What comes of it where it is not.
    async fn unjoined(lines: &[&str], door: Door, seen: &Observation<()>) {
        let server = server(lines);
        let found = join_within(SOON, &server.book, door, (PAGE, server.since), seen).await.outcome;
        assert!(matches!(found, Outcome::Inconclusive(_)), "{lines:?}: {found}");
    }

    /// For how long something is waited for that is not there.
    const SOON: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn what_was_seen_and_what_is_on_record_make_a_denial_together() {
        let refusal = audit_line("refused", "tls", "expired");
        let lines = [refusal.as_str()];
        let denied = Outcome::Denied(DenialReason::Expired);
        assert_eq!(joined(&lines, Door::Service, &closed()).await, denied);
        // Without the record, of somebody else, or in another's words it is none.
        let elsewhere = refusal.replace("4711", "4712");
        for lines in [&[][..], &[elsewhere.as_str()], &[audit_line("accepted", "tls", "none").as_str()]] {
            unjoined(lines, Door::Service, &closed()).await;
        }
        unjoined(&lines, Door::Broker, &closed()).await;
        // Whoever was served as well was not refused.
        let served = audit_line("accepted", "grpc", "none");
        let found = joined(&[&refusal, &served], Door::Service, &closed()).await;
        assert!(matches!(&found, Outcome::Inconclusive(why) if why.contains("served as well")), "{found}");
    }

    #[tokio::test]
    async fn the_broker_s_line_counts_for_its_own_connection() {
        let line = |port: u16| {
            format!(
                "[7] 2026/11/23 16:00:00.1 [ERR] 127.0.0.1:{port} - cid:5 - maximum payload exceeded: 9 vs 1"
            )
        };
        let denied = Outcome::Denied(DenialReason::Quota);
        assert_eq!(joined(&[&line(4711)], Door::Broker, &closed()).await, denied);
        unjoined(&[&line(4712)], Door::Broker, &closed()).await;
    }

    #[tokio::test]
    async fn what_needs_no_record_is_judged_without() {
        let demanded = seen(Sight::Refused(Refusal::TlsDemanded));
        assert_eq!(joined(&[], Door::Broker, &demanded).await, Outcome::Denied(DenialReason::NoTls));
        assert_eq!(joined(&[], Door::Service, &seen(Sight::Answered(()))).await, Outcome::Allowed);
        let silent = joined(&[], Door::Service, &seen(Sight::Silence(Duration::ZERO))).await;
        assert!(matches!(silent, Outcome::Inconclusive(_)), "{silent}");
        // A refusal that belongs to no connection cannot be looked up.
        let nowhere = Observation { local: None, ..closed() };
        let refusal = audit_line("refused", "tls", "expired");
        let found = joined(&[&refusal], Door::Service, &nowhere).await;
        assert!(matches!(found, Outcome::Inconclusive(_)), "{found}");
        // Where nobody can read the records, the word alone counts.
        let unread = Book::open([]);
        let word = seen(Sight::Refused(Refusal::TlsDemanded));
        let found = join(&unread, Door::Broker, PAGE, Place::default(), &word).await.outcome;
        assert_eq!(found, Outcome::Refused(vec![DenialReason::NoTls]));
    }

    #[tokio::test]
    async fn an_acceptance_is_found_by_its_trace_or_else_by_its_address() {
        let trace = TraceId::fresh();
        let traced = format!(
            r#"{{"kind":"audit","event":"accepted","layer":"grpc","peer":"127.0.0.1:9","trace_id":"{}"}}"#,
            trace.as_str()
        );
        let (accepted, refused) =
            (audit_line("accepted", "tls", "none"), audit_line("refused", "tls", "expired"));
        let answered = |trace_id| Observation { trace_id, ..seen(Sight::Answered(())) };
        let found = async |line: &str, trace: Option<TraceId>| {
            let server = server(&[line]);
            recorded_acceptance(&server.book, PAGE, server.since, &answered(trace)).await
        };
        assert_eq!(found(&traced, Some(trace.clone())).await, Ok(traced.clone()));
        assert_eq!(found(&accepted, None).await, Ok(accepted.clone()));
        let missed = async |line: &str, seen: Observation<()>| {
            let server = server(&[line]);
            accepted_within(SOON, &server.book, PAGE, server.since, &seen).await.is_err()
        };
        assert!(missed(&traced, answered(None)).await, "another's address");
        assert!(missed(&accepted, answered(Some(trace))).await, "another call's");
        assert!(missed(&refused, answered(None)).await, "a refusal is none");
        let of_nobody = r#"{"kind":"audit","event":"accepted","layer":"tls"}"#;
        assert!(missed(of_nobody, Observation { local: None, ..answered(None) }).await);
    }

    #[test]
    fn a_refusal_of_another_address_with_the_same_port_is_not_ours() {
        let line = r#"{"kind":"audit","event":"refused","layer":"tls","peer":"10.76.0.35:51156","reason":"expired"}"#;
        let audit = Audit::parse(line).unwrap();
        assert!(refuses(&audit, ([10, 76, 0, 35], 51156).into(), None));
        assert!(!refuses(&audit, ([10, 76, 0, 1], 51156).into(), None));
        // A call is told by its trace, wherever its connection seems to come from.
        let (ours, another) = (TraceId::fresh(), TraceId::fresh());
        let traced = line.replace("\"layer\"", &format!(r#""trace_id":"{}","layer""#, ours.as_str()));
        let traced = Audit::parse(&traced).unwrap();
        let elsewhere = ([10, 76, 0, 1], 51156).into();
        assert!(refuses(&traced, elsewhere, Some(&ours)));
        assert!(!refuses(&traced, elsewhere, Some(&another)));
    }

    #[test]
    fn a_call_that_its_handler_refused_is_one_call_and_another_on_its_connection_is_not() {
        let record = |event: &str, layer: &str, trace: &str| {
            let reason = "foreign-claim";
            let line = format!(
                r#"{{"kind":"audit","event":"{event}","layer":"{layer}","reason":"{reason}"{trace}}}"#
            );
            Audit::parse(&line).unwrap()
        };
        let refusal = record("refused", "grpc", r#","trace_id":"a""#);
        assert!(is_refused_by_its_handler(&record("accepted", "grpc", r#","trace_id":"a""#), &refusal));
        assert!(!is_refused_by_its_handler(&record("accepted", "grpc", r#","trace_id":"b""#), &refusal));
        let untraced = record("refused", "tls", "");
        assert!(!is_refused_by_its_handler(&record("accepted", "grpc", r#","trace_id":"a""#), &untraced));
        assert!(!is_refused_by_its_handler(&record("accepted", "tls", ""), &untraced));
    }
}
