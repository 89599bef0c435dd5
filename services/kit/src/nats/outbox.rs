//! Messages that must arrive: a bounded buffer in front of the link.
//!
//! A message stays in the buffer until the server has answered a barrier that was published after it on
//! the same connection, so a message that was written into a dying socket is sent again. Delivery is
//! therefore *at least once* and in order; each message carries a `Nats-Msg-Id`, by which a JetStream
//! stream removes the repetitions. When the buffer is full, in messages or in bytes, the oldest message makes
//! room and is counted: after a long outage the newest data are the ones worth having.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{HeaderMap, Subscriber, header};
use bulkhead_identity::Subject;
use bulkhead_identity::seeded::{self, SeededFault};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Link;

/// The largest payload, in bytes: below the 256 KiB that a tenant's account allows. A larger message would
/// make the server cut the connection, and would be sent again for ever.
pub const MAXIMUM_MESSAGE_BYTES: usize = 200 * 1024;
/// How many bytes of messages are kept, however few messages they are: what somebody else's words fill must not
/// grow with their size. That is twenty of the largest messages, and thousands of usual ones.
pub const BUFFER_MAXIMUM_BYTES: usize = 4 * 1024 * 1024;
/// How many messages share one barrier.
const BATCH_MESSAGES: usize = 64;
/// How many bytes share one barrier, unless a single message is larger. The client takes so much in one go;
/// of a larger batch the end could overtake the beginning when the connection breaks in between.
const BATCH_BYTES: usize = 64 * 1024;
/// How long the server may take to answer a barrier on a connection that is up.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after a barrier that failed.
const RETRY: Duration = Duration::from_millis(100);

/// How an outbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OutboxStatus {
    /// Messages that wait to be confirmed.
    pub pending: usize,
    /// Messages that the server has confirmed since start.
    pub confirmed: u64,
    /// Messages that were given up since start: beyond the bound, or too large.
    pub dropped: u64,
}

/// A bounded buffer of messages for NATS. Cloning it gives another handle on the same buffer.
#[derive(Debug, Clone)]
pub struct Outbox {
    buffer: Arc<Mutex<Buffer>>,
    status: watch::Sender<OutboxStatus>,
}

impl Outbox {
    /// An outbox of `capacity` messages (at least one), and of at most [`BUFFER_MAXIMUM_BYTES`], that sends
    /// through `link` for as long as the runtime lives.
    #[must_use]
    pub fn start(link: &Link, capacity: usize) -> Self {
        Self::start_prepared(link, capacity, || std::future::ready(true))
    }

    /// The same, and on each new connection nothing is sent before `prepare` has succeeded, e.g. in making sure
    /// that the stream is there which is to keep the messages. It is called again until it does.
    #[must_use]
    pub fn start_prepared<P, F>(link: &Link, capacity: usize, prepare: P) -> Self
    where
        P: Fn() -> F + Send + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        let outbox = Self::new(capacity);
        tokio::spawn(outbox.clone().deliver(link.clone(), prepare));
        outbox
    }

    fn new(capacity: usize) -> Self {
        Self {
            buffer: Arc::new(Mutex::new(Buffer::new(capacity.max(1)))),
            status: watch::Sender::new(OutboxStatus::default()),
        }
    }

    /// Takes a message; never waits.
    pub fn push(&self, subject: &Subject, payload: impl Into<Bytes>) {
        let payload = payload.into();
        let mut buffer = self.buffer();
        if payload.len() > MAXIMUM_MESSAGE_BYTES {
            buffer.dropped += 1;
            tracing::error!(
                tenant = %subject.tenant, subject = %subject, bytes = payload.len(),
                limit_bytes = MAXIMUM_MESSAGE_BYTES, "message is too large for NATS and was dropped"
            );
        } else if buffer.push(written(subject), payload) {
            tracing::debug!(tenant = %subject.tenant, "outbox is full, the oldest messages were dropped");
        }
        self.status.send_replace(buffer.status());
    }

    /// How the outbox stands.
    #[must_use]
    pub fn status(&self) -> OutboxStatus {
        *self.status.borrow()
    }

    /// Waits until everything is confirmed, at most `limit`; says how it stands then.
    pub async fn flush(&self, limit: Duration) -> OutboxStatus {
        let mut status = self.status.subscribe();
        // Beyond the limit what is left is told by the status itself.
        let _ = timeout(limit, status.wait_for(|status| status.pending == 0)).await;
        self.status()
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver<P, F>(self, link: Link, prepare: P)
    where
        P: Fn() -> F,
        F: Future<Output = bool>,
    {
        let mut status = self.status.subscribe();
        let mut connected = link.connected();
        let Some(mut barrier) = Barrier::new(&link).await else { return };
        let mut prepared = None;
        loop {
            // Both senders live as long as the process; an error means that it is ending.
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
            let connection = link.connection_count();
            if prepared != Some(connection) {
                if prepare().await {
                    prepared = Some(connection);
                } else {
                    tokio::time::sleep(RETRY).await;
                }
                continue;
            }
            tokio::select! {
                pending = status.wait_for(|status| status.pending > 0) => if pending.is_err() { return },
                _ = connected.wait_for(|connected| !connected) => continue,
            }
            let batch = self.buffer().front(BATCH_MESSAGES);
            let Some(last) = batch.last().map(|message| message.index) else { continue };
            match barrier.send(&link, connection, batch).await {
                Ok(()) => {
                    let mut buffer = self.buffer();
                    buffer.confirm(last);
                    self.status.send_replace(buffer.status());
                }
                Err(reason) => {
                    tracing::debug!(reason, "messages are not confirmed by NATS, sending them again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

fn written(subject: &Subject) -> String {
    match seeded::is_on(SeededFault::ResultsWithoutPrefix) {
        true => subject.channel.to_string(),
        false => subject.to_string(),
    }
}

/// A message to itself that comes back only after the server has taken everything before it.
struct Barrier {
    inbox: String,
    answers: Subscriber,
    sent: u64,
    /// Random, so that message ids are this process's own.
    session: String,
}

impl Barrier {
    async fn new(link: &Link) -> Option<Self> {
        let inbox = link.client().new_inbox();
        let session = inbox.rsplit('.').next().unwrap_or(&inbox).to_owned();
        let answers = link.client().subscribe(inbox.clone()).await.ok()?;
        Some(Self { inbox, answers, sent: 0, session })
    }

    /// `connection` is the one that the messages must arrive over.
    async fn send(&mut self, link: &Link, connection: u64, batch: Vec<Message>) -> Result<(), &'static str> {
        self.sent += 1;
        let nonce = self.sent.to_string();
        let exchange = async {
            for message in batch {
                let mut headers = HeaderMap::new();
                headers.insert(header::NATS_MESSAGE_ID, format!("{}-{}", self.session, message.index));
                link.client()
                    .publish_with_headers(message.subject, headers, message.payload)
                    .await
                    .map_err(|_| "publish failed")?;
            }
            link.client()
                .publish(self.inbox.clone(), nonce.clone().into())
                .await
                .map_err(|_| "publish failed")?;
            while let Some(answer) = self.answers.next().await {
                if answer.payload == nonce.as_bytes() {
                    return Ok(());
                }
            }
            Err("the client is closed")
        };
        let mut connected = link.connected();
        tokio::select! {
            result = timeout(BARRIER_TIMEOUT, exchange) => result.unwrap_or(Err("no answer in time"))?,
            _ = connected.wait_for(|connected| !connected) => return Err("disconnected"),
        }
        // The barrier proves nothing about messages that went out on the connection before this one.
        if link.connection_count() == connection { Ok(()) } else { Err("reconnected meanwhile") }
    }
}

#[derive(Debug, Clone)]
struct Message {
    index: u64,
    subject: String,
    payload: Bytes,
}

#[derive(Debug)]
struct Buffer {
    capacity: usize,
    messages: VecDeque<Message>,
    /// How much the messages hold.
    bytes: usize,
    next_index: u64,
    confirmed: u64,
    dropped: u64,
}

impl Buffer {
    fn new(capacity: usize) -> Self {
        Self { capacity, messages: VecDeque::new(), bytes: 0, next_index: 0, confirmed: 0, dropped: 0 }
    }

    /// Whether older messages had to make room.
    fn push(&mut self, subject: String, payload: Bytes) -> bool {
        let before = self.dropped;
        while self.messages.len() >= self.capacity || self.bytes + payload.len() > BUFFER_MAXIMUM_BYTES {
            if self.take().is_none() {
                break;
            }
            self.dropped += 1;
        }
        self.bytes += payload.len();
        self.messages.push_back(Message { index: self.next_index, subject, payload });
        self.next_index += 1;
        self.dropped > before
    }

    /// Takes the oldest message out.
    fn take(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.payload.len();
        Some(message)
    }

    fn front(&self, count: usize) -> Vec<Message> {
        let mut bytes = 0;
        let fits = |message: &&Message| {
            let first = bytes == 0;
            bytes += message.payload.len().max(1);
            first || bytes <= BATCH_BYTES
        };
        self.messages.iter().take(count).take_while(fits).cloned().collect()
    }

    /// Removes everything up to the message `last`, except what was dropped while it was on its way.
    fn confirm(&mut self, last: u64) {
        while self.messages.front().is_some_and(|message| message.index <= last) {
            self.take();
            self.confirmed += 1;
        }
    }

    fn status(&self) -> OutboxStatus {
        OutboxStatus { pending: self.messages.len(), confirmed: self.confirmed, dropped: self.dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(capacity: usize, count: u64) -> Outbox {
        let outbox = Outbox::new(capacity);
        for number in 0..count {
            outbox.push(&"acme.agents.status".parse().unwrap(), number.to_string());
        }
        outbox
    }

    fn payloads(outbox: &Outbox) -> Vec<Bytes> {
        outbox.buffer().front(usize::MAX).into_iter().map(|message| message.payload).collect()
    }

    #[test]
    fn nothing_is_lost_inside_the_bound_and_order_is_kept() {
        let outbox = filled(3, 3);
        assert_eq!(payloads(&outbox), ["0", "1", "2"]);
        assert_eq!(outbox.status(), OutboxStatus { pending: 3, confirmed: 0, dropped: 0 });
    }

    #[test]
    fn beyond_the_bound_the_oldest_go_and_are_counted() {
        let outbox = filled(3, 5);
        assert_eq!(payloads(&outbox), ["2", "3", "4"]);
        assert_eq!(outbox.status().dropped, 2);
    }

    #[test]
    fn beyond_the_bound_in_bytes_the_oldest_go_as_well() {
        let outbox = filled(1000, 3);
        let large = vec![b'x'; MAXIMUM_MESSAGE_BYTES];
        let fit = BUFFER_MAXIMUM_BYTES / large.len();
        for _ in 0..fit {
            outbox.push(&"acme.agents.status".parse().unwrap(), large.clone());
        }
        // Three small ones still had room beside the large ones.
        assert_eq!(outbox.status(), OutboxStatus { pending: fit + 3, confirmed: 0, dropped: 0 });
        outbox.push(&"acme.agents.status".parse().unwrap(), large.clone());
        assert_eq!(outbox.status(), OutboxStatus { pending: fit, confirmed: 0, dropped: 4 });
        let last = outbox.buffer().front(usize::MAX)[0].index;
        outbox.buffer().confirm(last);
        outbox.push(&"acme.agents.status".parse().unwrap(), large);
        assert_eq!(outbox.status(), OutboxStatus { pending: fit, confirmed: 1, dropped: 4 });
    }

    #[test]
    fn a_message_that_was_dropped_on_its_way_does_not_take_another_with_it() {
        let outbox = filled(3, 3);
        let last = outbox.buffer().front(2)[1].index;
        outbox.push(&"acme.agents.status".parse().unwrap(), "3");
        outbox.buffer().confirm(last);
        assert_eq!(payloads(&outbox), ["2", "3"]);
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_never_empty() {
        let outbox = filled(10, 0);
        for bytes in [100 * 1024, 40 * 1024, 20 * 1024, 10 * 1024] {
            outbox.push(&"acme.agents.status".parse().unwrap(), vec![b'x'; bytes]);
        }
        let mut batches = Vec::new();
        while let Some(last) = { outbox.buffer().front(64).last().map(|message| message.index) } {
            batches.push(last);
            outbox.buffer().confirm(last);
        }
        assert_eq!(batches, [0, 2, 3]);
    }

    #[test]
    fn a_message_that_the_server_would_cut_us_for_is_counted_and_not_kept() {
        let outbox = filled(3, 1);
        outbox.push(&"acme.agents.status".parse().unwrap(), vec![b'x'; MAXIMUM_MESSAGE_BYTES + 1]);
        assert_eq!(outbox.status(), OutboxStatus { pending: 1, confirmed: 0, dropped: 1 });
    }
}
