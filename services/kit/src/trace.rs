//! Trace ids, as in W3C Trace Context (`traceparent`), so that the records of one call can be joined.

use std::fmt;

use crate::tls::provider;

/// The header and metadata key that carries a trace.
pub const TRACEPARENT: &str = "traceparent";

/// A trace: 16 bytes, not all zero, written as 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// A new trace.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        // Ids need to differ and need not be secret: should the system have no randomness, TLS fails first.
        let _ = provider().secure_random.fill(&mut bytes);
        bytes[0] |= 1;
        Self(bytes)
    }

    /// The trace of a `traceparent` value, or `None` when it is not one of version 00.
    #[must_use]
    pub fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = version == "00" && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        let lower_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !sizes || parts.next().is_some() || ![trace, span, flags].into_iter().all(lower_hex) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        Some(Self(trace.to_be_bytes()))
    }

    /// A `traceparent` value to send along with a call. The span is derived from the trace: one call is
    /// one span here.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let trace = self.to_string();
        format!("00-{trace}-{}-01", &trace[..16])
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_survives_its_traceparent() {
        let trace = TraceId::random();
        assert_eq!(TraceId::from_traceparent(&trace.traceparent()), Some(trace));
        assert_ne!(trace, TraceId::random());
    }

    #[test]
    fn what_is_no_traceparent_gives_no_trace() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(TraceId::from_traceparent(good).is_some());
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        ] {
            assert_eq!(TraceId::from_traceparent(bad), None, "{bad}");
        }
    }
}
