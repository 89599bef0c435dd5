//! Texts with places in them, as in `{tenant}.agents.results.{nonce}`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// The places that a template may have.
const PLACES: [&str; 7] = ["tenant", "component", "partition", "agent", "nonce", "name", "stream"];

/// A text with places in it. Each place stands in braces and is one of those that are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(String);

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its other half.
    #[error("{0:?} has a brace without its other half: write places as in {{tenant}}")]
    Brace(String),
    /// A place that nothing could be put in.
    #[error("{text:?} has the place {{{place}}}, which is none of {}", known())]
    Place {
        /// The whole text.
        text: String,
        /// What stands in braces.
        place: String,
    },
}

fn known() -> String {
    PLACES.map(|place| format!("{{{place}}}")).join(", ")
}

impl Template {
    /// A template of this program's own, which the tests of this module read.
    pub(super) fn own(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text with these values in its places.
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        let mut text = self.0.clone();
        for (place, value) in values {
            text = text.replace(&format!("{{{place}}}"), value);
        }
        text
    }

    /// Whether it has this place.
    pub fn has(&self, place: &str) -> bool {
        self.0.contains(&format!("{{{place}}}"))
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        let mut rest = text.as_str();
        while let Some(begin) = rest.find(['{', '}']) {
            let after = &rest[begin..];
            let inside = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((place, beyond)) = inside else { return Err(TemplateError::Brace(text)) };
            if !PLACES.contains(&place) {
                return Err(TemplateError::Place { place: place.to_owned(), text });
            }
            rest = beyond;
        }
        Ok(Self(text))
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.0
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_unknown_ones_refused() {
        let template = Template::try_from("org.{tenant}.results.{nonce}".to_owned()).unwrap();
        assert_eq!(template.fill(&[("tenant", "acme"), ("nonce", "7")]), "org.acme.results.7");
        assert!(template.has("tenant") && !template.has("agent"));
        for (bad, word) in [("{slug}.x", "{slug}"), ("{tenant.x", "other half"), ("a}b", "other half")] {
            let error = Template::try_from(bad.to_owned()).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }
}
