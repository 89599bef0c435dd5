//! YAML, read and written in this module only, so that the library behind it can be replaced in one place.
//!
//! The library is `serde-saphyr`: it refuses duplicate keys, quotes scalars that would be read back as
//! something else, and knows the line of what it refuses.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use serde_saphyr::{DoubleQuoted, FlowMap, FlowSeq, Spanned};
use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

/// Where in a YAML text something is, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {} column {}", self.line, self.column)
    }
}

/// Why a YAML text could not be read as what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{rendered}")]
pub struct YamlError {
    /// Where, when the reader knows it.
    pub position: Option<Position>,
    /// The refusal with the lines around it, made for a person.
    rendered: String,
}

/// Reads a specification.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    read_named(text, "specification")
}

/// Reads one document, which refusals call by this name.
pub(crate) fn read_named<T: DeserializeOwned>(text: &str, name: &'static str) -> Result<T, YamlError> {
    serde_saphyr::from_str(text).map_err(|error| YamlError {
        position: error.location().map(position),
        rendered: error.render_with_options(serde_saphyr::render_options! {
            formatter: &Words,
            source_name: Some(name),
        }),
    })
}

/// The reader's refusals in words for somebody who wrote the file, not the program.
struct Words;

impl MessageFormatter for Words {
    fn format_message<'a>(&self, error: &'a Error) -> Cow<'a, str> {
        match error {
            Error::Unexpected { expected: "sequence start", .. } => "a list is expected here".into(),
            Error::Unexpected { expected: "mapping start", .. } => {
                "keys with values are expected here".into()
            }
            Error::Unexpected { expected: "string scalar", .. } => "a text is expected here".into(),
            Error::InvalidScalar { ty: "u16", .. } => {
                "a whole number from 0 to 65535 is expected here".into()
            }
            Error::InvalidScalar { ty: "u32", .. } => "a whole number from 0 on is expected here".into(),
            Error::DuplicateMappingKey { key: Some(key), .. } => {
                format!("the key {key:?} is there twice").into()
            }
            Error::Eof { .. } => "it ends before anything is said".into(),
            other => UserMessageFormatter.format_message(other),
        }
    }
}

/// Writes one document.
///
/// # Panics
/// Never for the types of this crate: plain structs, sequences, strings and numbers always have a YAML form.
#[expect(clippy::expect_used, reason = "a failure would be a mistake in this crate's own types")]
pub(crate) fn write<T: Serialize>(value: &T) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).expect("a type of this crate has a YAML form")
}

/// Where a value stands in the text that it was read from.
pub(crate) fn position_of<T>(value: &Spanned<T>) -> Position {
    position(value.referenced)
}

fn position(location: serde_saphyr::Location) -> Position {
    Position { line: location.line(), column: location.column() }
}
