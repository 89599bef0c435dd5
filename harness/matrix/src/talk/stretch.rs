//! What the platform keeps of a tenant, put together from looks that show the last messages only.
//!
//! A tenant that is busy, or floods its own subjects, turns over what one look shows in less time than there is between two.
//! What is not among the last messages may have been and gone, so that its absence counts only where look overlaps look.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Kept messages that follow each other without a gap, by their place in the stream.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    messages: BTreeMap<u64, Value>,
}

impl Stretch {
    /// Adds a look. What is before a gap is forgotten: nothing is known of what was in it.
    pub(super) fn add(&mut self, look: Vec<Value>) {
        for message in look {
            let Some(place) = message["sequence"].as_u64() else {
                self.messages.clear();
                continue;
            };
            let follows = self.last().is_none_or(|last| place <= last + 1);
            // A message that was too large to be shown may be the one.
            if !follows || message.get("data").is_none() {
                self.messages.clear();
            }
            if message.get("data").is_some() {
                self.messages.insert(place, message);
            }
        }
    }

    /// Whether a look leaves no gap behind what is known.
    pub(super) fn is_followed_by(&self, look: &[Value]) -> bool {
        let first = look.first().and_then(|message| message["sequence"].as_u64());
        self.last().zip(first).is_some_and(|(last, first)| first <= last + 1)
    }

    /// The place of the newest message; nothing where nothing is kept.
    pub(super) fn last(&self) -> Option<u64> {
        self.messages.last_key_value().map(|(place, _)| *place)
    }

    /// Whether nothing that was kept after this place is missing.
    pub(super) fn reaches_back_to(&self, place: u64) -> bool {
        self.messages.first_key_value().is_none_or(|(first, _)| *first <= place + 1)
    }

    /// How much time lies between the oldest and the newest message.
    pub(super) fn spans(&self) -> Duration {
        let time = |message: Option<(&u64, &Value)>| {
            let text = message?.1["time"].as_str()?;
            OffsetDateTime::parse(text, &Rfc3339).ok()
        };
        let ends = time(self.messages.first_key_value()).zip(time(self.messages.last_key_value()));
        ends.and_then(|(first, last)| Duration::try_from(last - first).ok()).unwrap_or_default()
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Value> {
        self.messages.values()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look(places: impl IntoIterator<Item = u64>) -> Vec<Value> {
        let message = |place: u64| {
            let time = format!("2026-11-26T03:00:{:02}Z", place % 60);
            json!({ "sequence": place, "time": time, "data": {} })
        };
        places.into_iter().map(message).collect()
    }

    #[test]
    fn looks_that_overlap_or_touch_make_one_stretch() {
        let mut stretch = Stretch::default();
        stretch.add(look(1..=3));
        stretch.add(look(2..=5));
        stretch.add(look(6..=7));
        assert_eq!((stretch.len(), stretch.last(), stretch.spans()), (7, Some(7), Duration::from_secs(6)));
        assert!(stretch.reaches_back_to(0) && stretch.reaches_back_to(5));
    }

    #[test]
    fn what_is_before_a_gap_proves_nothing() {
        let mut stretch = Stretch::default();
        stretch.add(look(1..=3));
        stretch.add(look(5..=6));
        assert_eq!(stretch.len(), 2);
        assert!(!stretch.reaches_back_to(3) && stretch.reaches_back_to(4));
    }

    #[test]
    fn a_message_that_is_not_shown_is_a_gap() {
        let mut stretch = Stretch::default();
        let mut look = look(1..=3);
        look[1] = json!({ "sequence": 2, "time": "2026-11-26T03:00:02Z", "omitted_bytes": 200_000 });
        stretch.add(look);
        assert!(!stretch.reaches_back_to(1) && stretch.reaches_back_to(2));
    }

    #[test]
    fn where_nothing_is_kept_nothing_is_missing() {
        assert!(Stretch::default().reaches_back_to(0));
        assert_eq!(Stretch::default().spans(), Duration::ZERO);
    }
}
