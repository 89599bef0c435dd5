//! An image's reference, in the two halves that testcontainers wants it in.

use std::fmt;
use std::str::FromStr;

/// A reference such as `nats:2.15-alpine`, `registry.example:5000/agent:1`, or `agent@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    name: String,
    tag: String,
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no image: use `name:tag`, `registry/name:tag` or `name@sha256:digest`")]
pub struct ReferenceError(String);

impl Reference {
    /// What stands before the last colon; of a digest, `name@sha256`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands behind it; `latest` when there is none.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        // The colon of a registry's port has a slash behind it.
        let (name, tag) = match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (text, "latest"),
        };
        let halves_are_there = !name.is_empty() && !tag.is_empty();
        if !halves_are_there || text.contains(char::is_whitespace) || name.starts_with('/') {
            return Err(ReferenceError(text.to_owned()));
        }
        Ok(Self { name: name.to_owned(), tag: tag.to_owned() })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_where_an_engine_splits() {
        let cases = [
            ("nats:2.15-alpine", "nats", "2.15-alpine"),
            ("nats", "nats", "latest"),
            ("registry.example:5000/team/agent", "registry.example:5000/team/agent", "latest"),
            ("registry.example:5000/team/agent:1", "registry.example:5000/team/agent", "1"),
            ("agent@sha256:0123", "agent@sha256", "0123"),
        ];
        for (text, name, tag) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.name(), reference.tag()), (name, tag), "{text}");
        }
    }

    #[test]
    fn refuses_what_names_nothing() {
        for text in ["", ":", "nats:", ":1", "/nats", "na ts:1", "nats:1 "] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }
}
