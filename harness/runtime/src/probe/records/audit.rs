//! An audit record of the platform's own services.

use std::net::SocketAddr;

use bulkhead_plan::access::DenialReason;
use serde::Deserialize;

/// Whether the peer was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It was.
    Accepted,
    /// It was not.
    Refused,
}

/// One line of `kind: audit`. Fields that a service leaves out are empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Audit {
    /// Accepted or refused.
    pub event: Event,
    /// `tls`, `grpc` or `nats`.
    #[serde(default)]
    pub layer: String,
    /// The tenant concerned.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The peer's certified name.
    #[serde(default)]
    pub identity: Option<String>,
    /// The peer's address.
    #[serde(default)]
    pub peer: Option<String>,
    /// The stable code of the reason of a refusal.
    #[serde(default)]
    pub reason: Option<String>,
    /// The trace id of the call.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// The method that was called.
    #[serde(default)]
    pub method: Option<String>,
}

impl Audit {
    /// Reads a log line; `None` for everything that is not an audit record.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        (value.get("kind")?.as_str()? == "audit").then(|| serde_json::from_value(value).ok()).flatten()
    }

    /// The address of the peer. All of it: two peers at different addresses may have the same port.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer.as_deref()?.parse().ok()
    }

    /// The port of the peer.
    #[must_use]
    pub fn peer_port(&self) -> Option<u16> {
        self.peer.as_deref()?.rsplit_once(':')?.1.parse().ok()
    }

    /// The reason as the access model knows it; `None` for a code that it does not know, which therefore
    /// never counts as the expected reason.
    #[must_use]
    pub fn denial(&self) -> Option<DenialReason> {
        self.reason.as_deref().and_then(DenialReason::from_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_refusal() {
        let line =
            r#"{"kind":"audit","event":"refused","layer":"tls","peer":"127.0.0.1:4711","reason":"expired"}"#;
        let audit = Audit::parse(line).unwrap();
        assert_eq!(audit.event, Event::Refused);
        assert_eq!(audit.peer_port(), Some(4711));
        assert_eq!(audit.peer(), Some(([127, 0, 0, 1], 4711).into()));
        assert_eq!(audit.denial(), Some(DenialReason::Expired));
    }

    #[test]
    fn an_unknown_reason_is_no_reason() {
        let line = r#"{"kind":"audit","event":"refused","reason":"bad-luck"}"#;
        assert_eq!(Audit::parse(line).unwrap().denial(), None);
    }

    #[test]
    fn other_lines_are_not_audit_records() {
        for line in ["", "listening", r#"{"kind":"log","event":"refused"}"#, r#"{"kind":"audit"}"#] {
            assert_eq!(Audit::parse(line), None, "{line}");
        }
    }
}
