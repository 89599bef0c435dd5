//! One log line: read from the services' JSON, written for people.

use std::fmt;

use bulkhead_identity::TenantSlug;
use bulkhead_plan::ServiceId;
use serde_json::{Map, Value};

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details.
    Debug,
    /// What happens.
    Info,
    /// What should not happen.
    Warning,
    /// What must not happen.
    Error,
}

/// One line of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub service: ServiceId,
    /// The service's tenant.
    pub tenant: Option<TenantSlug>,
    /// RFC 3339, when the line has a time.
    pub timestamp: String,
    /// How important.
    pub level: Level,
    /// The line for people, without time and level.
    pub text: String,
    /// Whether it tells a person who watches nothing: the audit record of an access that was accepted, of which there is
    /// one for each call, several a second from every agent; or what NATS says of a connection that was closed before it
    /// began, as the agents' checks of its port are. All of them are evidence, and kept.
    pub is_routine: bool,
    /// The line as it was written.
    pub raw: String,
}

/// Fields that are shown elsewhere, or say nothing to a person.
const NOT_REPEATED: [&str; 8] =
    ["timestamp", "level", "message", "target", "tenant", "service", "kind", "trace_id"];

impl LogLine {
    /// Reads a line as our services write it (one JSON object), or as NATS does
    /// (`[1] 2026/01/02 03:04:05.678901 [INF] text`), or takes it as it is.
    pub fn read(service: ServiceId, tenant: Option<TenantSlug>, raw: &str) -> Self {
        let fields = serde_json::from_str::<Map<String, Value>>(raw).ok();
        let (timestamp, level, text) = match &fields {
            Some(fields) => from_json(fields),
            None => from_nats(raw).unwrap_or_else(|| (String::new(), Level::Info, raw.to_owned())),
        };
        let is_routine = match &fields {
            Some(fields) => {
                let is = |name: &str, value: &str| fields.get(name).and_then(Value::as_str) == Some(value);
                is("kind", "audit") && is("event", "accepted")
            }
            None => service == ServiceId::Nats && is_silent_connection(&text),
        };
        Self { service, tenant, timestamp, level, text, is_routine, raw: raw.to_owned() }
    }

    /// Hours to milliseconds, when the line has a time.
    pub fn clock(&self) -> &str {
        let time = self.timestamp.split('T').nth(1).unwrap_or("");
        time.get(..12).unwrap_or(time)
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.clock(), self.service.dotted(), self.text)
    }
}

fn from_json(fields: &Map<String, Value>) -> (String, Level, String) {
    // tracing nests the fields of an event unless it is told to flatten them.
    let nested = fields.get("fields").and_then(Value::as_object);
    let get = |name: &str| fields.get(name).or_else(|| nested.and_then(|nested| nested.get(name)));
    let text = |name: &str| get(name).and_then(Value::as_str).unwrap_or_default();
    let all = nested.into_iter().flatten().chain(fields.iter().filter(|(name, _)| *name != "fields"));
    let shown = all.filter(|(name, _)| !NOT_REPEATED.contains(&name.as_str()));
    let rest: Vec<String> =
        shown.filter_map(|(name, value)| Some(format!("{name}={}", plain(value)?))).collect();
    let message = text("message");
    let head = match (text("kind"), message) {
        ("audit", "") => "audit",
        (_, message) => message,
    };
    let parts = [head.to_owned(), rest.join(" ")];
    let line = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    (text("timestamp").to_owned(), level(text("level")), line)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) if text.contains(' ') => Some(format!("{text:?}")),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// `10.0.0.2:45092 - cid:31 - TLS handshake error: EOF`, or the same with a reset, depending on who was faster.
fn is_silent_connection(text: &str) -> bool {
    let reason = text.split_once("TLS handshake error: ").map(|(_, reason)| reason);
    reason.is_some_and(|reason| reason == "EOF" || reason.ends_with("connection reset by peer"))
}

fn from_nats(raw: &str) -> Option<(String, Level, String)> {
    let mut words = raw.strip_prefix('[')?.splitn(5, ' ');
    let (_pid, date, time) = (words.next()?, words.next()?, words.next()?);
    let (mark, text) = (words.next()?, words.next()?);
    let level = match mark {
        "[INF]" => Level::Info,
        "[WRN]" => Level::Warning,
        "[ERR]" | "[FTL]" => Level::Error,
        "[DBG]" | "[TRC]" => Level::Debug,
        _ => return None,
    };
    Some((format!("{}T{time}Z", date.replace('/', "-")), level, text.to_owned()))
}

fn level(text: &str) -> Level {
    match text.to_ascii_uppercase().as_str() {
        "ERROR" => Level::Error,
        "WARN" => Level::Warning,
        "DEBUG" | "TRACE" => Level::Debug,
        _ => Level::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> LogLine {
        LogLine::read(ServiceId::Nats, None, raw)
    }

    #[test]
    fn reads_a_services_line() {
        let line = read(
            r#"{"timestamp":"2026-11-23T16:00:01.234567Z","level":"WARN","tenant":"acme","service":"agent-001.p1","message":"nats is away","retry_ms":100,"reason":"connection refused"}"#,
        );
        assert_eq!(
            line.to_string(),
            "16:00:01.234 nats nats is away  reason=\"connection refused\" retry_ms=100"
        );
        assert_eq!(line.level, Level::Warning);
    }

    #[test]
    fn tells_an_accepted_access_from_a_refused_one() {
        assert!(read(r#"{"kind":"audit","event":"accepted"}"#).is_routine);
        assert!(!read(r#"{"kind":"audit","event":"refused"}"#).is_routine);
        assert!(!read(r#"{"message":"accepted"}"#).is_routine);
    }

    #[test]
    fn reads_an_audit_record() {
        let line = read(
            r#"{"timestamp":"2026-11-23T16:00:01.2Z","level":"INFO","kind":"audit","event":"refused","layer":"tls","tenant":"acme","peer":"10.0.0.1:5","reason":"unknown-issuer","trace_id":""}"#,
        );
        assert_eq!(line.text, "audit  event=refused layer=tls peer=10.0.0.1:5 reason=unknown-issuer");
    }

    #[test]
    fn reads_a_line_of_nats() {
        let line = read("[1] 2026/11/23 16:00:01.234567 [ERR] 10.0.0.1:5 - cid:7 - TLS handshake error: EOF");
        assert_eq!(line.to_string(), "16:00:01.234 nats 10.0.0.1:5 - cid:7 - TLS handshake error: EOF");
        assert_eq!(line.level, Level::Error);
    }

    #[test]
    fn a_check_of_the_port_is_told_from_an_attempt_that_was_refused() {
        let line =
            |text: &str| read(&format!("[1] 2026/11/23 16:00:01.234567 [ERR] 10.0.0.1:5 - cid:7 - {text}"));
        let reset = "TLS handshake error: read tcp 10.0.0.2:4222->10.0.0.1:5: read: connection reset by peer";
        assert!(line("TLS handshake error: EOF").is_routine && line(reset).is_routine);
        let refused = "TLS handshake error: tls: failed to verify certificate: x509: unknown authority";
        assert!(!line(refused).is_routine);
        assert!(!line("authentication error").is_routine);
    }

    #[test]
    fn takes_anything_else_as_it_is() {
        for raw in ["thread 'main' panicked at src/main.rs:1:1:", "", "[", "[1] short", "{\"broken\":"] {
            assert_eq!(read(raw).text, raw);
        }
    }
}
