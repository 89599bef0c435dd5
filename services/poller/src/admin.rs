//! `admin.results.<slug>`: the platform's administrator reads the last messages of one tenant's stream.
//!
//! Who asks is read from `Nats-Request-Info`, which the server writes over whatever a client put there, and
//! which names account and user because the administrator's account shares them (`share: true`). A request
//! of anybody else is not answered at all: nothing in the platform's account may answer a message whose reply
//! subject somebody else chose.

use async_nats::jetstream;
use async_nats::{HeaderMap, Message};
use bulkhead_identity::seeded::{self, SeededFault};
use bulkhead_identity::{PlatformName, TenantSlug};
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;

use crate::foreign;

/// What the administrator's requests are sent to.
pub const SUBJECTS: &str = "admin.results.*";
const SUBJECT_PREFIX: &str = "admin.results.";
/// The account whose users are administrators.
const ADMIN_ACCOUNT: &str = "ADMIN";
/// Written by the server alone, in this spelling: another spelling is another header, and a client's.
const REQUEST_INFO: &str = "Nats-Request-Info";
/// How many messages are returned when the request does not say.
const COUNT_DEFAULT: u64 = 20;
/// What a message takes in the answer besides its subject and its body, at most, in bytes.
const ENVELOPE_BYTES: usize = 128;
/// How many messages one request may ask for.
const COUNT_MAXIMUM: u64 = 100;

/// How many messages are asked of the broker at once: one after the other, a hundred take seconds where it is busy.
const READ_AT_ONCE: usize = 8;

/// Who asks, as the server says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Caller {
    /// The account that the request came from.
    #[serde(rename = "acc", default)]
    pub account: String,
    /// The user, which is the DNS name in the certificate that it connected with.
    #[serde(default)]
    pub user: String,
    /// The address that it connected from.
    #[serde(default)]
    pub host: String,
}

impl Caller {
    /// Reads the server's header. Without one, or with two, nobody is known to ask.
    #[must_use]
    pub fn from_headers(headers: Option<&HeaderMap>) -> Self {
        let mut values = headers.into_iter().flat_map(|headers| headers.get_all(REQUEST_INFO));
        match (values.next(), values.next()) {
            (Some(value), None) => serde_json::from_str(value.as_str()).unwrap_or_default(),
            _ => Self::default(),
        }
    }

    fn is_admin(&self) -> bool {
        seeded::is_on(SeededFault::AdminAnybody)
            || self.account == ADMIN_ACCOUNT && self.user == PlatformName::Admin.common_name()
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminRefusal {
    /// Somebody else than the administrator asks.
    #[error("only {} may ask, in account {ADMIN_ACCOUNT}", PlatformName::Admin)]
    NotAdmin,
    /// No such tenant is configured here.
    #[error("no tenant {0:?} is configured at this poller")]
    UnknownTenant(String),
    /// The body is not what is expected.
    #[error("the request is not {{\"count\": 1..={COUNT_MAXIMUM}}}: {0}")]
    Malformed(String),
}

impl AdminRefusal {
    /// Stable word for audit records and replies.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAdmin => "not-admin",
            Self::UnknownTenant(_) => "unknown-tenant",
            Self::Malformed(_) => "malformed-request",
        }
    }
}

/// A request that may be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminRequest {
    /// Whose messages are read.
    pub tenant: TenantSlug,
    /// How many at most.
    pub count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    count: Option<u64>,
}

/// Judges a request: first who asks, then what.
///
/// # Errors
/// It is refused, and why.
pub fn judge(
    caller: &Caller,
    message: &Message,
    tenants: &[TenantSlug],
) -> Result<AdminRequest, AdminRefusal> {
    if !caller.is_admin() {
        return Err(AdminRefusal::NotAdmin);
    }
    let wanted = message.subject.strip_prefix(SUBJECT_PREFIX).unwrap_or_default();
    let tenant = tenants.iter().find(|tenant| tenant.as_str() == wanted);
    let tenant = tenant.ok_or_else(|| AdminRefusal::UnknownTenant(wanted.chars().take(64).collect()))?;
    Ok(AdminRequest { tenant: tenant.clone(), count: count(&message.payload)? })
}

fn count(payload: &[u8]) -> Result<u64, AdminRefusal> {
    if payload.is_empty() {
        return Ok(COUNT_DEFAULT);
    }
    let malformed = |problem: String| AdminRefusal::Malformed(problem);
    let body: Body = serde_json::from_slice(payload).map_err(|error| malformed(error.to_string()))?;
    match body.count.unwrap_or(COUNT_DEFAULT) {
        count @ 1..=COUNT_MAXIMUM => Ok(count),
        count => Err(malformed(format!("count is {count}"))),
    }
}

/// The answer to a request.
#[derive(Debug, Clone, Serialize)]
pub struct AdminReply {
    /// Whose messages these are.
    pub tenant: TenantSlug,
    /// The stream that they were read from.
    pub stream: String,
    /// The messages, oldest first.
    pub messages: Vec<StoredMessage>,
    /// Whether something of them was left out because it does not fit into one answer.
    pub truncated: bool,
}

/// One message of a tenant's stream.
#[derive(Debug, Clone, Serialize)]
pub struct StoredMessage {
    /// Its place in the stream.
    pub sequence: u64,
    /// What it was published on.
    pub subject: String,
    /// When the server stored it.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// What it says.
    #[serde(flatten)]
    pub body: StoredBody,
}

/// What a stored message says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredBody {
    /// Its body; text when it is no JSON.
    Data(Box<RawValue>),
    /// Its body's size, when there is no room for it: a tenant must not hide its other messages behind a large one.
    OmittedBytes(usize),
}

/// Reads the last messages of the tenant's stream into at most `limit` bytes of JSON, the newest first of all. Of those
/// for which there is no room it is said that they are there.
///
/// # Errors
/// The stream cannot be read.
pub async fn read(
    context: &jetstream::Context,
    request: &AdminRequest,
    limit: usize,
) -> Result<AdminReply, ReadError> {
    let name = crate::streams::name(&request.tenant);
    let kept = context.get_stream(&name).await?;
    let state = &kept.cached_info().state;
    let mut messages = Vec::new();
    let mut truncated = false;
    let mut room = limit;
    let oldest = state.last_sequence.saturating_sub(request.count - 1).max(state.first_sequence.max(1));
    let looks = stream::iter((oldest..=state.last_sequence).rev());
    let looks = looks.map(async |sequence| (sequence, kept.get_raw_message(sequence).await));
    let mut looks = std::pin::pin!(looks.buffered(READ_AT_ONCE));
    while let Some((sequence, read)) = looks.next().await {
        let message = match read {
            Ok(message) => message,
            // Evicted since: everything older is gone as well.
            Err(error) if error.kind() == jetstream::stream::RawMessageErrorKind::NoMessageFound => break,
            Err(error) => return Err(error.into()),
        };
        let subject = message.subject.to_string();
        let Some(rest) = room.checked_sub(subject.len() + ENVELOPE_BYTES) else {
            truncated = true;
            break;
        };
        let body = body(&message.payload)?;
        room = rest;
        let body = match room.checked_sub(body.get().len()) {
            Some(rest) => {
                room = rest;
                StoredBody::Data(body)
            }
            None => {
                truncated = true;
                StoredBody::OmittedBytes(message.payload.len())
            }
        };
        messages.push(StoredMessage { sequence, subject, time: message.time, body });
    }
    messages.reverse();
    Ok(AdminReply { tenant: request.tenant.clone(), stream: name, messages, truncated })
}

/// Why a tenant's stream could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream itself.
    #[error("cannot find the tenant's stream: {0}")]
    Stream(#[from] jetstream::context::GetStreamError),
    /// One of its messages.
    #[error("cannot read a message of the tenant's stream: {0}")]
    Message(#[from] jetstream::stream::RawMessageError),
    /// What a message says cannot be written down.
    #[error("cannot write a message of the tenant's stream as JSON: {0}")]
    Body(#[from] serde_json::Error),
}

fn body(payload: &[u8]) -> Result<Box<RawValue>, serde_json::Error> {
    let text = String::from_utf8_lossy(payload);
    match foreign::check(payload, &[]) {
        Ok(()) => RawValue::from_string(text.into_owned()),
        Err(_) => to_raw_value(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str =
        r#"{"start":"x","host":"127.0.0.1","id":10,"acc":"ADMIN","user":"admin.platform.serviceradar"}"#;

    fn tenants() -> Vec<TenantSlug> {
        ["acme", "acme2"].map(|slug| slug.parse().unwrap()).into()
    }

    fn message(subject: &str, payload: &'static str) -> Message {
        Message {
            subject: subject.into(),
            reply: Some("_R_.x.y".into()),
            payload: payload.into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    fn caller(headers: &[(&str, &str)]) -> Caller {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, *value);
        }
        Caller::from_headers(Some(&map))
    }

    #[test]
    fn the_administrator_is_who_the_server_says() {
        let caller = caller(&[("Nats-Request-Info", ADMIN), ("nats-request-info", "{}")]);
        let request = judge(&caller, &message("admin.results.acme", ""), &tenants()).unwrap();
        assert_eq!((request.tenant.as_str(), request.count), ("acme", COUNT_DEFAULT));
        let request = judge(&caller, &message("admin.results.acme2", r#"{"count":3}"#), &tenants()).unwrap();
        assert_eq!((request.tenant.as_str(), request.count), ("acme2", 3));
    }

    #[test]
    fn nobody_else_is() {
        let foreign = [
            vec![],
            vec![("nats-request-info", ADMIN)],
            vec![("Nats-Request-Info", ADMIN), ("Nats-Request-Info", ADMIN)],
            vec![("Nats-Request-Info", "not json")],
            vec![("Nats-Request-Info", r#"{"acc":"ADMIN"}"#)],
            vec![("Nats-Request-Info", r#"{"acc":"T_acme","user":"admin.platform.serviceradar"}"#)],
            vec![("Nats-Request-Info", r#"{"acc":"ADMIN","user":"agent-001.p1.acme.serviceradar"}"#)],
        ];
        for headers in foreign {
            let refusal = judge(&caller(&headers), &message("admin.results.acme", ""), &tenants());
            assert_eq!(refusal, Err(AdminRefusal::NotAdmin), "{headers:?}");
        }
        assert_eq!(Caller::from_headers(None), Caller::default());
    }

    #[test]
    fn what_is_asked_is_judged_after_who_asks() {
        let admin = caller(&[("Nats-Request-Info", ADMIN)]);
        for subject in ["admin.results.globex", "admin.results.ac", "admin.results.*", "admin.results.acme.x"]
        {
            let refusal = judge(&admin, &message(subject, ""), &tenants()).unwrap_err();
            assert_eq!(refusal.code(), "unknown-tenant", "{subject}");
        }
        for body in
            ["[]", "{\"count\":0}", "{\"count\":101}", "{\"count\":-1}", "{\"tenant\":\"globex\"}", "x"]
        {
            let refusal = judge(&admin, &message("admin.results.acme", body), &tenants()).unwrap_err();
            assert_eq!(refusal.code(), "malformed-request", "{body}");
        }
    }
}
