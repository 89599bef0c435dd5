//! What one attempt showed to the one who made it.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::AlertDescription;
use serde::{Deserialize, Serialize};

use super::TraceId;

/// One attempt and what was seen of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Observation<T> {
    /// What was tried, for people: who, what, where.
    pub attempt: String,
    /// What the one who tried saw.
    pub sight: Sight<T>,
    /// The attempt's own end of the connection; the server's record names its port.
    pub local: Option<SocketAddr>,
    /// From the first packet to the last word.
    pub took: Duration,
    /// The trace id that was sent, where the protocol can carry one.
    pub trace_id: Option<TraceId>,
}

/// What an attempt saw. Only [`Sight::Answered`] and [`Sight::Refused`] are words of the other side.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight<T> {
    /// The operation was carried out, and this came back.
    Answered(T),
    /// The other side said no, in its protocol's own words.
    Refused(Refusal),
    /// A connection existed and was ended without a word. Under TLS 1.3 a refusal can look like this, and
    /// so can a crash: it is never a denial without the server's record.
    Closed(String),
    /// A connection existed and nothing came until the deadline. Never a denial.
    Silence(Duration),
    /// No connection came about. Never a denial.
    Unreachable(String),
    /// The attempt could not be made as it was meant.
    NotMade(String),
}

/// An explicit no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A fatal TLS alert (RFC 8446, section 6.2).
    Alert(#[serde(with = "alert")] AlertDescription),
    /// A gRPC status that the server sent.
    Status {
        /// The status code's name, e.g. `PermissionDenied`.
        #[serde(with = "code")]
        code: tonic::Code,
        /// Its message; this platform's services put a stable reason code here.
        message: String,
    },
    /// The broker's `-ERR`, without the quotes.
    Broker(String),
    /// The broker's INFO demands TLS, and it ended the connection on which something else came.
    TlsDemanded,
    /// The broker answered that nobody listens on the subject (status 503).
    NoResponders,
    /// A JetStream API error.
    JetStream {
        /// HTTP-like code.
        code: u64,
        /// The server's own error number.
        error: u64,
        /// The server's sentence.
        description: String,
    },
}

impl Refusal {
    /// JetStream knows no such stream in the caller's account (error 10059).
    #[must_use]
    pub fn is_stream_not_found(&self) -> bool {
        matches!(self, Self::JetStream { error: 10059, .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(formatter, "TLS alert {alert:?}"),
            Self::Status { code, message } => write!(formatter, "gRPC status {code:?}: {message}"),
            Self::Broker(text) => write!(formatter, "broker error: {text}"),
            Self::TlsDemanded => {
                formatter.write_str("the broker demands TLS (INFO) and ended the connection")
            }
            Self::NoResponders => formatter.write_str("no responders (503)"),
            Self::JetStream { code, error, description } => {
                write!(formatter, "JetStream error {code}/{error}: {description}")
            }
        }
    }
}

impl<T> Sight<T> {
    /// The answer, if there was one.
    pub fn answer(&self) -> Option<&T> {
        match self {
            Self::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    /// The answer, or the sight of something else (for `?`).
    ///
    /// # Errors
    /// Everything but [`Sight::Answered`].
    pub fn ok<U>(self) -> Result<T, Sight<U>> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Refused(refusal) => Err(Sight::Refused(refusal)),
            Self::Closed(how) => Err(Sight::Closed(how)),
            Self::Silence(after) => Err(Sight::Silence(after)),
            Self::Unreachable(how) => Err(Sight::Unreachable(how)),
            Self::NotMade(why) => Err(Sight::NotMade(why)),
        }
    }

    /// The same sight with another answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sight<U> {
        match self.ok() {
            Ok(answer) => Sight::Answered(change(answer)),
            Err(sight) => sight,
        }
    }
}

impl<T> fmt::Display for Sight<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(_) => formatter.write_str("answered"),
            Self::Refused(refusal) => write!(formatter, "refused: {refusal}"),
            Self::Closed(how) => write!(formatter, "connection ended without a word: {how}"),
            Self::Silence(after) => write!(formatter, "silence for {} ms", after.as_millis()),
            Self::Unreachable(how) => write!(formatter, "unreachable: {how}"),
            Self::NotMade(why) => write!(formatter, "attempt not made: {why}"),
        }
    }
}

impl<T> Observation<T> {
    /// The same observation with another answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observation<U> {
        let Self { attempt, sight, local, took, trace_id } = self;
        Observation { attempt, sight: sight.map(change), local, took, trace_id }
    }

    /// The same observation of something that was not answered.
    ///
    /// Of an answer nothing is left but that it could not be used.
    pub(crate) fn retyped<U>(self) -> Observation<U> {
        let Self { attempt, sight, local, took, trace_id } = self;
        let sight = match sight.ok::<U>() {
            Ok(_) => Sight::NotMade("an answer of the wrong kind".to_owned()),
            Err(sight) => sight,
        };
        Observation { attempt, sight, local, took, trace_id }
    }

    /// The same observation with this answer.
    pub(crate) fn answered<U>(self, answer: U) -> Observation<U> {
        let Self { attempt, local, took, trace_id, .. } = self;
        Observation { attempt, sight: Sight::Answered(answer), local, took, trace_id }
    }

    /// The same observation of an attempt that could not be made.
    pub(crate) fn not_made<U>(self, why: &str) -> Observation<U> {
        let Self { attempt, local, took, trace_id, .. } = self;
        Observation { attempt, sight: Sight::NotMade(why.to_owned()), local, took, trace_id }
    }

    /// Takes the answer out and leaves the report of the attempt.
    pub fn split(self) -> (Observation<()>, Option<T>) {
        let mut taken = None;
        let report = self.map(|answer| taken = Some(answer));
        (report, taken)
    }
}

impl<T> fmt::Display for Observation<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.attempt, self.sight)?;
        if let Some(local) = self.local {
            write!(formatter, " (from {local})")?;
        }
        write!(formatter, " in {} ms", self.took.as_millis())
    }
}

/// Measures one attempt and turns it into an [`Observation`].
#[derive(Debug)]
pub struct Stopwatch {
    attempt: String,
    started: Instant,
}

impl Stopwatch {
    /// Starts with a description of what is tried.
    pub fn start(attempt: impl Into<String>) -> Self {
        Self { attempt: attempt.into(), started: Instant::now() }
    }

    /// Ends with what was seen.
    pub fn stop<T>(self, sight: Sight<T>, local: Option<SocketAddr>) -> Observation<T> {
        Observation { attempt: self.attempt, sight, local, took: self.started.elapsed(), trace_id: None }
    }
}

/// An alert as its number (RFC 8446, section 6).
mod alert {
    use rustls::AlertDescription;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(alert: &AlertDescription, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(u8::from(*alert))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<AlertDescription, D::Error> {
        u8::deserialize(from).map(AlertDescription::from)
    }
}

/// A gRPC status code as its number.
mod code {
    use serde::{Deserialize, Deserializer, Serializer};
    use tonic::Code;

    pub(super) fn serialize<S: Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i32(i32::from(*code))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
        i32::deserialize(from).map(Code::from)
    }
}
