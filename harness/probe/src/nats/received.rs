//! What has come on a connection and nobody has asked for yet.
//!
//! A tenant that floods its own subjects floods whoever listens there. What is kept is bounded, and it is known where something
//! was let go of: there, nothing is concluded from what was not heard.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::frame::Message;

/// How much is kept for all subscriptions of a connection: a probe in a container has 256 MiB in all.
const KEPT_BYTES_MAXIMUM: usize = 16 << 20;
/// What a message costs beside its subject and payload, about.
const OVERHEAD_BYTES: usize = 256;

/// What a subscription has received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The messages since it was last asked, oldest first.
    pub messages: Vec<Message>,
    /// How many were let go of since the subscription stands: more came than is kept.
    pub let_go: u64,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Received {
    messages: VecDeque<Message>,
    bytes: usize,
    let_go: BTreeMap<u64, u64>,
}

fn cost(message: &Message) -> usize {
    OVERHEAD_BYTES + message.subject.len() + message.payload.len()
}

impl Received {
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += cost(&message);
        self.messages.push_back(message);
        while self.bytes > KEPT_BYTES_MAXIMUM
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= cost(&oldest);
            *self.let_go.entry(oldest.subscription).or_default() += 1;
        }
    }

    /// Hands over the first that satisfies a condition.
    pub(super) fn find(&mut self, wanted: impl FnMut(&Message) -> bool) -> Option<Message> {
        let place = self.messages.iter().position(wanted)?;
        let message = self.messages.remove(place)?;
        self.bytes -= cost(&message);
        Some(message)
    }

    /// Hands over everything of a subscription.
    pub(super) fn take(&mut self, subscription: u64) -> Delivered {
        let all = std::mem::take(&mut self.messages);
        let (taken, left): (Vec<Message>, Vec<Message>) =
            all.into_iter().partition(|one| one.subscription == subscription);
        self.bytes = left.iter().map(cost).sum();
        self.messages = left.into();
        Delivered { messages: taken, let_go: self.let_go.get(&subscription).copied().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::Headers;

    fn message(subscription: u64, payload_bytes: usize) -> Message {
        Message {
            subject: "acme.flood".to_owned(),
            subscription,
            reply: None,
            status: None,
            headers: Headers::default(),
            payload: vec![0; payload_bytes],
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_was_let_go_of_is_known() {
        let mut received = Received::default();
        received.push(message(1, 1000));
        for _ in 0..20 {
            received.push(message(2, 1 << 20));
        }
        let flooded = received.take(2);
        assert_eq!((flooded.messages.len(), flooded.let_go), (15, 5));
        assert_eq!(received.take(1), Delivered { messages: Vec::new(), let_go: 1 }, "the oldest goes first");
        received.push(message(2, 10));
        let again = received.take(2);
        assert_eq!((again.messages.len(), again.let_go), (1, 5), "it stays known");
        assert_eq!(received.bytes, 0);
    }

    #[test]
    fn a_message_is_found_once() {
        let mut received = Received::default();
        received.push(message(1, 3));
        received.push(message(2, 4));
        assert_eq!(received.find(|one| one.subscription == 2), Some(message(2, 4)));
        assert_eq!(received.find(|one| one.subscription == 2), None);
        assert_eq!(received.take(1).messages.len(), 1);
    }
}
