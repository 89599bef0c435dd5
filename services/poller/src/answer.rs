//! Judges what an agent answered: an agent speaks for itself only.
//!
//! The certificate has decided already who answers. An answer that names another agent, partition or tenant
//! is refused as a whole: it is either an attack or two agents mixed up, and neither may be stored.

use bulkhead_identity::TenantName;
use serde_json::Value;

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
    if claimed.is_empty() || claimed == expected {
        return Ok(());
    }
    Err(AnswerFault::Foreign { field, claimed: shown(claimed), expected: expected.to_owned() })
}

/// Refuses a JSON object whose `tenant`, `tenant_id`, `agent_id` or `partition` is somebody else's.
/// Anything but the exact text is a foreign claim: a number or `null` is no way around.
///
/// # Errors
/// It names somebody else.
pub fn check_claims(agent: &TenantName, value: &Value) -> Result<(), AnswerFault> {
    let Value::Object(fields) = value else {
        return Ok(());
    };
    let expectations = [
        ("tenant", agent.tenant.to_string()),
        ("tenant_id", agent.tenant.to_string()),
        ("agent_id", agent.agent_id().to_string()),
        ("partition", agent.partition.to_string()),
    ];
    for (field, expected) in expectations {
        match fields.get(field) {
            None => {}
            Some(Value::String(claimed)) if *claimed == expected => {}
            Some(claimed) => {
                return Err(AnswerFault::Foreign { field, claimed: shown(&claimed.to_string()), expected });
            }
        }
    }
    Ok(())
}

/// The message of a status answer. Bytes that are no JSON are kept as text, as ServiceRadar's older
/// checkers send it; `limit` is the largest that is taken, in bytes.
///
/// # Errors
/// It is too large, or names somebody else.
pub fn status_message(agent: &TenantName, message: &[u8], limit: usize) -> Result<Value, AnswerFault> {
    if message.len() > limit {
        return Err(AnswerFault::Oversized { bytes: message.len(), limit });
    }
    if message.is_empty() {
        return Ok(Value::Null);
    }
    let value = serde_json::from_slice(message)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(message).into_owned()));
    // Bytes that are no text grow when they are written as JSON.
    let bytes = value.to_string().len();
    if bytes > limit {
        return Err(AnswerFault::Oversized { bytes, limit });
    }
    check_claims(agent, &value)?;
    Ok(value)
}

/// The services that an agent lists in the status of itself, `{"services":[{"name","type"}…]}`. An agent
/// that lists none (as ServiceRadar's own) has none here.
///
/// # Errors
/// The list has another form, or is too long.
pub fn listed_services(own_status: &Value) -> Result<Vec<ServiceKey>, AnswerFault> {
    let Some(services) = own_status.get("services") else {
        return Ok(Vec::new());
    };
    let list = services.as_array().ok_or_else(|| malformed("services is not a list"))?;
    if list.len() > SERVICES_MAXIMUM {
        return Err(malformed(&format!("{} services, more than {SERVICES_MAXIMUM}", list.len())));
    }
    list.iter().map(service_key).collect()
}

fn service_key(entry: &Value) -> Result<ServiceKey, AnswerFault> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    service(text("name"), text("type"))
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

/// The results of a service: a JSON list, in which no entry is somebody else's.
///
/// # Errors
/// It is no list, or an entry names somebody else.
pub fn results(agent: &TenantName, data: &[u8]) -> Result<Vec<Value>, AnswerFault> {
    if data.is_empty() {
        return Ok(Vec::new());
    }
    let value: Value =
        serde_json::from_slice(data).map_err(|error| malformed(&format!("results are not JSON: {error}")))?;
    let items = match value {
        Value::Array(items) => items,
        object @ Value::Object(_) => vec![object],
        _ => return Err(malformed("results are neither a list nor an object")),
    };
    items.iter().try_for_each(|item| check_claims(agent, item))?;
    Ok(items)
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
    use serde_json::json;

    fn agent() -> TenantName {
        "agent-001.p1.acme.serviceradar".parse().unwrap()
    }

    #[test]
    fn an_agent_speaks_for_itself() {
        assert_eq!(check_agent_id(&agent(), "agent-001.p1"), Ok(()));
        assert_eq!(check_agent_id(&agent(), ""), Ok(()));
        assert_eq!(check_partition(&agent(), "p1"), Ok(()));
        let own = json!([{"tenant": "acme", "agent_id": "agent-001.p1", "partition": "p1"}, {"n": 1}, 7]);
        assert_eq!(results(&agent(), own.to_string().as_bytes()).unwrap().len(), 3);
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
            let listed = json!([{"tenant": "acme"}, claim]);
            let results = results(&agent(), listed.to_string().as_bytes());
            assert_eq!(results.unwrap_err().code(), "foreign-claim", "{claim}");
        }
    }

    #[test]
    fn the_last_of_two_claims_is_judged_and_the_only_one_that_is_kept() {
        let message = br#"{"tenant":"globex","tenant":"acme"}"#;
        assert_eq!(status_message(&agent(), message, 1000).unwrap(), json!({"tenant": "acme"}));
        let message = br#"{"tenant":"acme","tenant":"globex"}"#;
        assert!(status_message(&agent(), message, 1000).is_err());
    }

    #[test]
    fn a_foreign_claim_is_shown_shortened() {
        let claimed = "x".repeat(10_000);
        assert!(check_agent_id(&agent(), &claimed).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn text_is_kept_and_too_much_is_refused() {
        assert_eq!(status_message(&agent(), b"all well", 1000).unwrap(), json!("all well"));
        assert_eq!(status_message(&agent(), b"", 1000).unwrap(), Value::Null);
        let fault = status_message(&agent(), &[b'x'; 1001], 1000).unwrap_err();
        assert_eq!(fault, AnswerFault::Oversized { bytes: 1001, limit: 1000 });
        let fault = status_message(&agent(), &[b'\\'; 600], 1000).unwrap_err();
        assert_eq!(fault, AnswerFault::Oversized { bytes: 1202, limit: 1000 });
    }

    #[test]
    fn services_are_listed_or_refused() {
        let listed =
            listed_services(&json!({"services": [{"name": "web", "type": "port", "more": 1}]})).unwrap();
        assert_eq!(listed, [ServiceKey { name: "web".into(), kind: "port".into() }]);
        assert_eq!(listed_services(&json!({})).unwrap(), []);
        assert_eq!(listed_services(&Value::Null).unwrap(), []);
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
            assert_eq!(listed_services(&bad).unwrap_err().code(), "malformed-answer", "{bad}");
        }
    }

    #[test]
    fn results_are_a_list() {
        assert!(results(&agent(), b"").unwrap().is_empty());
        assert_eq!(results(&agent(), br#"{"a":1}"#).unwrap(), [json!({"a": 1})]);
        for bad in [&b"7"[..], b"[1", b"\xff", "[".repeat(1000).as_bytes()] {
            assert_eq!(results(&agent(), bad).unwrap_err().code(), "malformed-answer");
        }
        assert!(sequence("9".repeat(300)).is_err());
    }
}
