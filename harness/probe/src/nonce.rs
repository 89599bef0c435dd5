//! Values that occur once: they tell one's own message from everybody else's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A random word of 16 hexadecimal characters, safe in a subject, a stream name and a payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh one.
    #[must_use]
    pub fn fresh() -> Self {
        Self(random_hex::<8>())
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text looks like one.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A W3C trace id (32 hexadecimal characters), sent in `traceparent` and found again in audit records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceId(String);

impl TraceId {
    /// A fresh one.
    #[must_use]
    pub fn fresh() -> Self {
        Self(random_hex::<16>())
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a `traceparent` header (<https://www.w3.org/TR/trace-context/>).
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.0, &self.0[..16])
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[allow(clippy::expect_used, reason = "ring's system randomness fails only where nothing else works either")]
fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the system's random source answers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
