//! JSON that somebody else wrote. It is walked once, token by token, and kept as the text that it is.
//!
//! Never as a tree of values: of `[{"a":1},…]` that is eighty times as large, so the writer would choose how
//! much memory is used. And each name in the text is seen, where a tree keeps the last of two.

use std::cell::RefCell;
use std::fmt;

use bulkhead_identity::seeded::{self, SeededFault};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper than this nobody nests who means it. What is stored stands inside an envelope, and those who read it
/// stop at 128.
const DEPTH_MAXIMUM: usize = 64;

/// A field that may say one thing only, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The field's name.
    pub field: &'static str,
    /// What it has to say.
    pub expected: String,
}

impl Claim {
    fn allows(&self, claimed: &str) -> bool {
        let by_prefix = self.field.starts_with("tenant") && seeded::is_on(SeededFault::MemberByPrefix);
        claimed == self.expected || by_prefix && claimed.starts_with(&self.expected)
    }
}

/// Why a text is not taken.
#[derive(Debug)]
pub enum Flaw {
    /// It cannot be read.
    NotJson(serde_json::Error),
    /// A field says something else than it may.
    Foreign {
        /// Which.
        claim: Claim,
        /// What it says, as JSON.
        claimed: String,
    },
}

/// Walks through the whole text. `null`, a number or a list is no way around a claim: anything but the
/// expected text is foreign.
///
/// # Errors
/// It is not JSON, or a field of `claims` says something else.
pub fn check(text: &[u8], claims: &[Claim]) -> Result<(), Flaw> {
    let foreign = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let walked = Walk { claims, foreign: &foreign, depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match (foreign.into_inner(), walked) {
        (Some(flaw), _) => Err(flaw),
        (None, walked) => walked.map_err(Flaw::NotJson),
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    claims: &'a [Claim],
    foreign: &'a RefCell<Option<Flaw>>,
    depth: usize,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAXIMUM {
            return Err(E::custom(format!("more than {DEPTH_MAXIMUM} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        while let Some(name) = fields.next_key::<String>()? {
            let Some(claim) = self.claims.iter().find(|claim| claim.field == name) else {
                fields.next_value_seed(inside)?;
                continue;
            };
            let claimed = fields.next_value::<&RawValue>()?.get();
            if !serde_json::from_str::<String>(claimed).is_ok_and(|claimed| claim.allows(&claimed)) {
                let flaw = Flaw::Foreign { claim: claim.clone(), claimed: claimed.to_owned() };
                self.foreign.replace(Some(flaw));
                return Err(A::Error::custom("a foreign claim"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_acme(text: &str) -> Result<(), Flaw> {
        check(text.as_bytes(), &[Claim { field: "tenant", expected: "acme".into() }])
    }

    #[test]
    fn all_of_json_is_walked_through() {
        for text in ["null", " [1, -1, 1.5, true, \"a\", {}, []] ", r#"{"a":{"tenant":"acme"},"Tenant":7}"#] {
            assert!(check_acme(text).is_ok(), "{text}");
        }
        for text in ["", "[1", "1 2", "{\"a\":1e999}", "\"\\ud800\"", &"[".repeat(1000)] {
            assert!(matches!(check_acme(text), Err(Flaw::NotJson(_))), "{text}");
        }
        assert!(check(b"\"\xff\"", &[]).is_err());
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(
            check_acme(&nested(DEPTH_MAXIMUM)).is_ok() && check_acme(&nested(DEPTH_MAXIMUM + 1)).is_err()
        );
    }

    #[test]
    fn a_claim_is_found_wherever_it_stands_and_however_it_is_written() {
        for text in [
            r#"{"tenant":"globex"}"#,
            r#"[1,{"tenant":"globex"}]"#,
            r#"{"a":[[{"b":{"tenant":"globex"}}]]}"#,
            r#"{"tenant":"globex","tenant":"acme"}"#,
            r#"{"tenant":"acme","tenant":"globex"}"#,
            r#"{"ten\u0061nt":"globex"}"#,
            r#"{"tenant":null}"#,
            r#"{"tenant":["acme"]}"#,
        ] {
            assert!(matches!(check_acme(text), Err(Flaw::Foreign { .. })), "{text}");
        }
        assert!(check_acme(r#"{"tenant":"\u0061cme"}"#).is_ok());
    }
}
