//! Why a text is not a name.

/// A text that is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: {fault}")]
pub struct NameError {
    /// What the text was read as: `tenant slug`, `SPIFFE ID`, ...
    pub what: &'static str,
    /// The text, cut after its first 80 characters: it may come from a stranger's certificate.
    pub text: String,
    /// What is wrong with it.
    pub fault: NameFault,
}

impl NameError {
    pub(crate) fn new(what: &'static str, text: &str, fault: NameFault) -> Self {
        Self { what, text: text.chars().take(80).collect(), fault }
    }
}

/// The rule of the grammar that a text breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// A label, a token or the whole text is empty.
    #[error("a part of it is empty")]
    Empty,
    /// A part is longer than its limit.
    #[error("a part of it is {length} bytes long, and {limit} are allowed")]
    TooLong {
        /// The length, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A character that no name holds.
    #[error("{0:?} is not allowed, only lower-case ASCII letters, digits and single hyphens are")]
    Character(char),
    /// A label starts with a digit or a hyphen.
    #[error("it must start with a lower-case ASCII letter")]
    Start,
    /// A label ends with a hyphen.
    #[error("it must not end with a hyphen")]
    End,
    /// Two hyphens follow each other, as in the encoding of international domain names.
    #[error("it must not hold two hyphens in a row")]
    DoubleHyphen,
    /// A tenant's slug is one of [`crate::RESERVED_SLUGS`].
    #[error("the word is reserved for the platform")]
    Reserved,
    /// The parts are not those that this kind of name has.
    #[error("it must have the form {0}")]
    Form(&'static str),
}
