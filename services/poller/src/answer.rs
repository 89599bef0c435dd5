//! Judges what an agent answered: an agent speaks for itself only.
//!
//! The certificate has decided already who answers. An answer that names another agent, partition or tenant
//! is refused as a whole: it is either an attack or two agents mixed up, and neither may be stored.

use std::fmt;

use bulkhead_identity::TenantName;
use bulkhead_identity::seeded::{self, SeededFault};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};

use crate::foreign::{self, Claim, Flaw};
use crate::parts::{Cutter, Parts};

/// More services than this in one agent's list are an attack on the poller.
const SERVICES_MAXIMUM: usize = 256;
/// Longest name of a service or of its kind, in bytes.
const NAME_LENGTH_MAXIMUM: usize = 128;
/// Longest sequence, in bytes.
const SEQUENCE_LENGTH_MAXIMUM: usize = 256;
/// How much of a foreign text is repeated in logs and audit records, in characters.
const SHOWN_CHARACTERS: usize = 64;

/// Why an answer was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It names somebody else.
    #[error("the answer's {field} is {claimed:?} where {expected:?} was asked")]
    Foreign {
        /// The field that names somebody else.
        field: &'static str,
        /// What stands there, shortened.
        claimed: String,
        /// Who was asked.
        expected: String,
    },
    /// It has another form than the contract's.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
    /// It is larger than anything that is published.
    #[error("the answer has {bytes} bytes, more than {limit}")]
    Oversized {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
}

impl AnswerFault {
    /// Stable word for audit records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "foreign-claim",
            Self::Malformed(_) => "malformed-answer",
            Self::Oversized { .. } => "oversized-answer",
        }
    }
}

/// A service that an agent says to check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// Name of the service.
    pub name: String,
    /// Kind of the check.
    pub kind: String,
}

/// Refuses an agent id other than the agent's own; an empty one says nothing.
///
/// # Errors
/// It names somebody else.
pub fn check_agent_id(agent: &TenantName, claimed: &str) -> Result<(), AnswerFault> {
    check_text("agent_id", &agent.agent_id().to_string(), claimed)
}

/// Refuses a partition other than the agent's own; an empty one says nothing.
///
/// # Errors
/// It names another one.
pub fn check_partition(agent: &TenantName, claimed: &str) -> Result<(), AnswerFault> {
    check_text("partition", agent.partition.as_ref(), claimed)
}

fn check_text(field: &'static str, expected: &str, claimed: &str) -> Result<(), AnswerFault> {
    if claimed.is_empty() || claimed == expected || seeded::is_on(SeededFault::ForeignAnswersAccepted) {
        return Ok(());
    }
    Err(AnswerFault::Foreign { field, claimed: shown(claimed), expected: expected.to_owned() })
}

/// What an agent's words may say of their origin, wherever it stands in them.
fn claims(agent: &TenantName) -> Vec<Claim> {
    if seeded::is_on(SeededFault::ForeignAnswersAccepted) {
        return Vec::new();
    }
    let claim = |field, expected: &dyn ToString| Claim { field, expected: expected.to_string() };
    vec![
        claim("tenant", &agent.tenant),
        claim("tenant_id", &agent.tenant),
        claim("agent_id", &agent.agent_id()),
        claim("partition", &agent.partition),
    ]
}

/// The message of a status answer. Bytes that are no JSON are kept as text, as ServiceRadar's older
/// checkers send it; `limit` is the largest that is taken, in bytes.
///
/// # Errors
/// It is too large, or names somebody else.
pub fn status_message(
    agent: &TenantName,
    message: &[u8],
    limit: usize,
) -> Result<Box<RawValue>, AnswerFault> {
    let oversized = |bytes| AnswerFault::Oversized { bytes, limit };
    if message.len() > limit {
        return Err(oversized(message.len()));
    }
    let text = String::from_utf8_lossy(message);
    let kept = match foreign::check(message, &claims(agent)) {
        Ok(()) => RawValue::from_string(text.into_owned()),
        Err(Flaw::Foreign { claim, claimed }) => return Err(foreign_claim(claim, &claimed)),
        Err(Flaw::NotJson(_)) if message.is_empty() => return Ok(RawValue::NULL.to_owned()),
        Err(Flaw::NotJson(_)) => to_raw_value(&text),
    };
    let kept = kept.map_err(|error| malformed(&error.to_string()))?;
    // Bytes that are no text grow when they are written as JSON.
    if kept.get().len() > limit {
        return Err(oversized(kept.get().len()));
    }
    Ok(kept)
}

fn foreign_claim(claim: Claim, claimed: &str) -> AnswerFault {
    AnswerFault::Foreign { field: claim.field, claimed: shown(claimed), expected: claim.expected }
}

/// The services that an agent lists in the status of itself, `{"services":[{"name","type"}…]}`. An agent
/// that lists none (as ServiceRadar's own) has none here.
///
/// # Errors
/// The list has another form, or is too long.
pub fn listed_services(own_status: &RawValue) -> Result<Vec<ServiceKey>, AnswerFault> {
    if !own_status.get().starts_with('{') {
        return Ok(Vec::new());
    }
    let own: OwnStatus = serde_json::from_str(own_status.get())
        .map_err(|error| malformed(&format!("services cannot be read: {error}")))?;
    if own.services.len() > SERVICES_MAXIMUM {
        return Err(malformed(&format!("{} services, more than {SERVICES_MAXIMUM}", own.services.len())));
    }
    own.services.iter().map(|entry| service(&entry.name, &entry.kind)).collect()
}

#[derive(Deserialize)]
struct OwnStatus {
    #[serde(default)]
    services: Vec<ListedService>,
}

#[derive(Deserialize)]
struct ListedService {
    #[serde(default)]
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

/// A service of which an agent speaks.
///
/// # Errors
/// Its name or kind is empty, too long, or has control characters.
pub fn service(name: &str, kind: &str) -> Result<ServiceKey, AnswerFault> {
    if !is_name(name) || !is_name(kind) {
        return Err(malformed("a service has no usable name or type"));
    }
    Ok(ServiceKey { name: name.to_owned(), kind: kind.to_owned() })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_LENGTH_MAXIMUM && !text.chars().any(char::is_control)
}

/// The results of a service: a JSON list, in which no entry is somebody else's, cut into parts of at most
/// `limit` bytes. A single object is a list of one.
///
/// # Errors
/// It is no list, or an entry names somebody else.
pub fn results(agent: &TenantName, data: &[u8], limit: usize) -> Result<Parts, AnswerFault> {
    if data.is_empty() {
        return Ok(Parts::default());
    }
    let not_json = |error: serde_json::Error| malformed(&format!("results are not JSON: {error}"));
    foreign::check(data, &claims(agent)).map_err(|flaw| match flaw {
        Flaw::Foreign { claim, claimed } => foreign_claim(claim, &claimed),
        Flaw::NotJson(error) => not_json(error),
    })?;
    let mut cutter = Cutter::new(limit);
    match data.trim_ascii_start().first() {
        Some(b'[') => serde_json::Deserializer::from_slice(data).deserialize_seq(Items(&mut cutter)),
        Some(b'{') => serde_json::from_slice(data).and_then(|object| cutter.push(object)),
        _ => return Err(malformed("results are neither a list nor an object")),
    }
    .and_then(|()| cutter.finish())
    .map_err(not_json)
}

/// Hands on the items of a list, none of which is kept here.
struct Items<'a>(&'a mut Cutter);

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&RawValue>()? {
            self.0.push(item).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// A sequence that may be sent back to the agent.
///
/// # Errors
/// It is too long.
pub fn sequence(text: String) -> Result<String, AnswerFault> {
    if text.len() > SEQUENCE_LENGTH_MAXIMUM {
        return Err(malformed(&format!("a sequence of {} bytes", text.len())));
    }
    Ok(text)
}

fn malformed(problem: &str) -> AnswerFault {
    AnswerFault::Malformed(problem.to_owned())
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn agent() -> TenantName {
        "agent-001.p1.acme.serviceradar".parse().unwrap()
    }

    fn listed(data: &str) -> Result<Vec<String>, AnswerFault> {
        let parts = results(&agent(), data.as_bytes(), 1000)?;
        Ok(parts.lists.iter().map(|list| list.get().to_owned()).collect())
    }

    #[test]
    fn an_agent_speaks_for_itself() {
        assert_eq!(check_agent_id(&agent(), "agent-001.p1"), Ok(()));
        assert_eq!(check_agent_id(&agent(), ""), Ok(()));
        assert_eq!(check_partition(&agent(), "p1"), Ok(()));
        let own = json!([{"tenant": "acme", "agent_id": "agent-001.p1", "partition": "p1"}, {"n": 1}, 7]);
        assert_eq!(listed(&own.to_string()).unwrap(), [own.to_string()]);
    }

    #[test]
    fn an_agent_speaks_for_nobody_else() {
        for claimed in ["agent-002.p1", "agent-001.p2", "agent-001", "AGENT-001.p1", "agent-001.p1 "] {
            assert_eq!(check_agent_id(&agent(), claimed).unwrap_err().code(), "foreign-claim", "{claimed}");
        }
        assert!(check_partition(&agent(), "p2").is_err());
        for claim in [
            json!({"tenant": "globex"}),
            json!({"tenant_id": "globex"}),
            json!({"tenant": null}),
            json!({"tenant": ["acme"]}),
            json!({"agent_id": "agent-002.p1"}),
            json!({"partition": "p2"}),
        ] {
            let status = status_message(&agent(), claim.to_string().as_bytes(), 1000);
            assert_eq!(status.unwrap_err().code(), "foreign-claim", "{claim}");
            for list in [json!([{"tenant": "acme"}, claim]), json!([{"inside": [claim]}])] {
                assert_eq!(listed(&list.to_string()).unwrap_err().code(), "foreign-claim", "{list}");
                let status = status_message(&agent(), list.to_string().as_bytes(), 1000);
                assert_eq!(status.unwrap_err().code(), "foreign-claim", "{list}");
            }
        }
    }

    #[test]
    fn a_foreign_claim_is_shown_shortened() {
        let claimed = "x".repeat(10_000);
        assert!(check_agent_id(&agent(), &claimed).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn text_is_kept_and_too_much_is_refused() {
        let kept = |message: &[u8]| status_message(&agent(), message, 1000).unwrap().get().to_owned();
        assert_eq!(kept(b"all well"), "\"all well\"");
        assert_eq!(kept(b" {\"a\": 1} "), "{\"a\": 1}");
        assert_eq!(kept(b"{\"a\": 1"), "\"{\\\"a\\\": 1\"");
        assert_eq!(kept(b""), "null");
        let fault = status_message(&agent(), &[b'x'; 1001], 1000).unwrap_err();
        assert_eq!(fault, AnswerFault::Oversized { bytes: 1001, limit: 1000 });
        let fault = status_message(&agent(), &[b'\\'; 600], 1000).unwrap_err();
        assert_eq!(fault, AnswerFault::Oversized { bytes: 1202, limit: 1000 });
    }

    #[test]
    fn services_are_listed_or_refused() {
        let listed = |status: &Value| listed_services(&to_raw_value(status).unwrap());
        let web = json!({"services": [{"name": "web", "type": "port", "more": 1}], "more": 1});
        assert_eq!(listed(&web).unwrap(), [ServiceKey { name: "web".into(), kind: "port".into() }]);
        for none in [json!({}), Value::Null, json!("all well"), json!([1])] {
            assert_eq!(listed(&none).unwrap(), []);
        }
        let many: Vec<_> =
            (0..=SERVICES_MAXIMUM).map(|n| json!({"name": n.to_string(), "type": "port"})).collect();
        for bad in [
            json!({"services": 1}),
            json!({"services": [1]}),
            json!({"services": [{"name": "", "type": "port"}]}),
            json!({"services": [{"name": "a\nb", "type": "port"}]}),
            json!({"services": [{"name": "a"}]}),
            json!({ "services": many }),
        ] {
            assert_eq!(listed(&bad).unwrap_err().code(), "malformed-answer", "{bad}");
        }
    }

    #[test]
    fn results_are_a_list() {
        assert_eq!(listed("").unwrap(), [""; 0]);
        assert_eq!(listed(r#" {"a":1}"#).unwrap(), [r#"[{"a":1}]"#]);
        assert_eq!(listed(" [1 , 2] ").unwrap(), ["[1,2]"]);
        for bad in ["7", "[1", "[1]2", &"[".repeat(1000)] {
            assert_eq!(listed(bad).unwrap_err().code(), "malformed-answer");
        }
        assert_eq!(results(&agent(), b"\xff", 1000).unwrap_err().code(), "malformed-answer");
        assert!(sequence("9".repeat(300)).is_err());
    }
}
