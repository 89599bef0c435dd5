//! A connection to the broker and what can be tried on it.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io::Error;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout_at};

use super::frame::{Frame, Headers, Message, read};
use super::received::{Delivered, Received};
use super::{Greeted, Login, Wire, sight_of};
use crate::tls::Handshake;
use crate::{Nonce, Observation, Refusal, Sight, Stopwatch};

/// A logged-in connection. It reads only while an operation waits, so there is no background task and the
/// order of what came is the order of what is reported.
pub struct Session {
    wire: BufReader<Box<dyn Wire>>,
    label: String,
    local: Option<SocketAddr>,
    greeting: Value,
    handshake: Option<Handshake>,
    next_subscription: u64,
    /// Subscriptions that the broker objected to.
    refused: BTreeSet<u64>,
    inbox_prefix: String,
    inbox: Option<(String, u64)>,
    received: Received,
    complaints: Vec<String>,
    deadline: Duration,
}

/// A subscription that the broker did not object to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest(u64);

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("label", &self.label).field("local", &self.local).finish()
    }
}

/// Sends CONNECT and PING; the PONG is the broker's acceptance.
///
/// nats-server 2.15.1 ends a connection that goes on in the clear without a word, and puts it into its log at debug
/// level only. Its word on that very connection is the INFO before: `tls_required`.
pub(super) async fn open(
    Greeted { wire, greeting, handshake }: Greeted,
    how: &Login,
    local: Option<SocketAddr>,
) -> Sight<Session> {
    let mut session = Session {
        handshake,
        wire,
        label: how.label(),
        local,
        greeting,
        next_subscription: 1,
        refused: BTreeSet::new(),
        inbox_prefix: how.inbox.clone().unwrap_or_else(|| "_INBOX".to_owned()),
        inbox: None,
        received: Received::default(),
        complaints: Vec::new(),
        deadline: how.deadline,
    };
    let mut connect = json!({
        "verbose": false, "pedantic": false, "tls_required": how.tls.is_some(), "lang": "rust",
        "version": "0", "protocol": 1, "headers": true, "no_responders": true, "name": "bulkhead-probe",
    });
    if let Some(user) = &how.user {
        connect["user"] = json!(user);
        connect["pass"] = json!("");
    }
    match session.send(format!("CONNECT {connect}\r\n").as_bytes()).await {
        Ok(()) => match session.barrier().await {
            Sight::Closed(_) if how.tls.is_none() && session.greeting["tls_required"] == true => {
                Sight::Refused(Refusal::TlsDemanded)
            }
            sight => sight.map(|()| session),
        },
        Err(error) => sight_of(&error),
    }
}

impl Session {
    /// This end of the connection.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What the broker said of itself when it was connected to (its INFO).
    #[must_use]
    pub fn greeting(&self) -> &Value {
        &self.greeting
    }

    /// What the TLS handshake showed, where there was one.
    #[must_use]
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// Waits until the broker has handled everything that was sent before, and has delivered everything that
    /// it had queued for this connection by then.
    pub async fn flush(&mut self) -> Observation<()> {
        let watch = self.watch("flush");
        let sight = self.barrier().await;
        watch.stop(sight, self.local)
    }

    /// Publishes, and reads what the broker says about it.
    pub async fn publish(&mut self, subject: &str, payload: &str) -> Observation<()> {
        self.publish_with(subject, None, &Headers::default(), payload).await
    }

    /// Publishes with a reply subject and headers.
    pub async fn publish_with(
        &mut self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: &str,
    ) -> Observation<()> {
        let watch = self.watch(&format!("publish on {subject}"));
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        let frame = if headers.iter().next().is_none() {
            format!("PUB {subject} {reply}{}\r\n{payload}\r\n", payload.len())
        } else {
            let block = headers.block();
            let total = block.len() + payload.len();
            format!("HPUB {subject} {reply}{} {total}\r\n{block}{payload}\r\n", block.len())
        };
        let sight = self.attempt(&frame).await;
        watch.stop(sight, self.local)
    }

    /// Publishes the same thing so many times in one go, and reads what the broker says about all of it.
    pub async fn burst(&mut self, subject: &str, payload: &str, times: usize) -> Observation<()> {
        let watch = self.watch(&format!("publish {times} times on {subject}"));
        let frame = format!("PUB {subject} {}\r\n{payload}\r\n", payload.len()).repeat(times);
        let sight = self.attempt(&frame).await;
        watch.stop(sight, self.local)
    }

    /// Subscribes, alone or in a queue group.
    pub async fn subscribe(&mut self, subject: &str, group: Option<&str>) -> Observation<Interest> {
        let group = group.map(|group| format!("{group} ")).unwrap_or_default();
        let watch = self.watch(format!("subscribe to {subject} {group}").trim_end());
        let number = self.next_subscription;
        self.next_subscription += 1;
        let sight = self.attempt(&format!("SUB {subject} {group}{number}\r\n")).await;
        if !matches!(sight, Sight::Answered(())) {
            self.refused.insert(number);
        }
        watch.stop(sight.map(|()| Interest(number)), self.local)
    }

    /// Sends a request and waits for the first answer.
    pub async fn request(&mut self, subject: &str, payload: &str) -> Observation<Message> {
        self.request_with(subject, &Headers::default(), payload).await
    }

    /// Sends a request with headers and waits for the first answer.
    pub async fn request_with(
        &mut self,
        subject: &str,
        headers: &Headers,
        payload: &str,
    ) -> Observation<Message> {
        let watch = self.watch(&format!("request on {subject}"));
        let sight = self.ask(subject, headers, payload).await;
        watch.stop(sight, self.local)
    }

    /// A JetStream API request (`$JS.API.…`): the answer's JSON, or its error.
    pub async fn api(&mut self, subject: &str, body: &Value) -> Observation<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.store(subject, &body).await
    }

    /// Publishes for a stream to store, and waits for its receipt (or its error).
    pub async fn store(&mut self, subject: &str, payload: &str) -> Observation<Value> {
        self.store_with(subject, &Headers::default(), payload).await
    }

    /// The same with headers.
    pub async fn store_with(
        &mut self,
        subject: &str,
        headers: &Headers,
        payload: &str,
    ) -> Observation<Value> {
        let watch = self.watch(&format!("JetStream request {subject}"));
        let sight = match self.ask(subject, headers, payload).await.ok() {
            Ok(message) => api_answer(&message),
            Err(sight) => sight,
        };
        watch.stop(sight, self.local)
    }

    /// Everything received on a subscription so far, without waiting.
    pub fn take(&mut self, interest: Interest) -> Delivered {
        self.received.take(interest.0)
    }

    /// Everything received so far on subscriptions that the broker objected to: nothing, unless it delivers all the same.
    pub fn take_refused(&mut self) -> Delivered {
        let mut all = Delivered::default();
        for number in &self.refused {
            let Delivered { messages, let_go } = self.received.take(*number);
            all.messages.extend(messages);
            all.let_go += let_go;
        }
        all
    }

    /// Waits for the first message on a subscription that satisfies a condition.
    pub async fn next(
        &mut self,
        interest: Interest,
        wanted: impl Fn(&Message) -> bool,
    ) -> Observation<Message> {
        let watch = self.watch("wait for a message");
        let until = Instant::now() + self.deadline;
        let sight = self.wait_for(until, |one| one.subscription == interest.0 && wanted(one)).await;
        watch.stop(sight, self.local)
    }

    fn watch(&self, what: &str) -> Stopwatch {
        Stopwatch::start(format!("{what} as {}", self.label))
    }

    /// One operation between two barriers: a complaint in between is about it.
    async fn attempt(&mut self, frame: &str) -> Sight<()> {
        let before = self.complaints.len();
        if let Err(error) = self.send(frame.as_bytes()).await {
            return sight_of(&error);
        }
        match self.barrier().await {
            Sight::Answered(()) => match self.complaints.get(before) {
                Some(complaint) => Sight::Refused(Refusal::Broker(complaint.clone())),
                None => Sight::Answered(()),
            },
            other => other,
        }
    }

    async fn ask(&mut self, subject: &str, headers: &Headers, payload: &str) -> Sight<Message> {
        let (prefix, subscription) = match self.inbox().await {
            Ok(inbox) => inbox,
            Err(sight) => return sight,
        };
        let reply = format!("{prefix}.{}", Nonce::fresh());
        let until = Instant::now() + self.deadline;
        let sent = self.publish_with(subject, Some(&reply), headers, payload).await;
        if let Err(sight) = sent.sight.ok() {
            return sight;
        }
        match self.wait_for(until, |one| one.subscription == subscription && one.subject == reply).await {
            Sight::Answered(message) if message.status == Some(503) => Sight::Refused(Refusal::NoResponders),
            other => other,
        }
    }

    /// One private inbox for the whole session, as client libraries do it.
    async fn inbox(&mut self) -> Result<(String, u64), Sight<Message>> {
        if let Some(inbox) = &self.inbox {
            return Ok(inbox.clone());
        }
        let prefix = format!("{}.{}", self.inbox_prefix, Nonce::fresh());
        let Interest(number) = self.subscribe(&format!("{prefix}.*"), None).await.sight.ok()?;
        self.inbox = Some((prefix.clone(), number));
        Ok((prefix, number))
    }

    async fn wait_for(&mut self, until: Instant, wanted: impl Fn(&Message) -> bool) -> Sight<Message> {
        let before = self.complaints.len();
        loop {
            if let Some(message) = self.received.find(&wanted) {
                return Sight::Answered(message);
            }
            if let Err(sight) = self.step(until).await {
                return self.explained(before, sight);
            }
        }
    }

    async fn barrier(&mut self) -> Sight<()> {
        let before = self.complaints.len();
        let until = Instant::now() + self.deadline;
        if let Err(error) = self.send(b"PING\r\n").await {
            return sight_of(&error);
        }
        loop {
            match self.step(until).await {
                Ok(true) => return Sight::Answered(()),
                Ok(false) => {}
                Err(sight) => return self.explained(before, sight),
            }
        }
    }

    /// Reads one frame; `true` for a PONG.
    async fn step<T>(&mut self, until: Instant) -> Result<bool, Sight<T>> {
        match within(until, read(&mut self.wire)).await {
            None => Err(Sight::Silence(self.deadline)),
            Some(Err(error)) => Err(sight_of(&error)),
            Some(Ok(frame)) => self.handle(frame).await.map_err(|error| sight_of(&error)),
        }
    }

    async fn handle(&mut self, frame: Frame) -> Result<bool, Error> {
        match frame {
            Frame::Pong => return Ok(true),
            Frame::Ping => self.send(b"PONG\r\n").await?,
            Frame::Error(text) => self.complaints.push(text),
            Frame::Message(message) => self.received.push(message),
            Frame::Ok | Frame::Info => {}
        }
        Ok(false)
    }

    /// A connection that ended after a complaint about this operation was ended by that complaint.
    fn explained<T>(&self, before: usize, sight: Sight<T>) -> Sight<T> {
        match (sight, self.complaints.get(before)) {
            (Sight::Closed(_), Some(complaint)) => Sight::Refused(Refusal::Broker(complaint.clone())),
            (sight, _) => sight,
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }
}

async fn within<T>(until: Instant, work: impl Future<Output = T>) -> Option<T> {
    timeout_at(until, work).await.ok()
}

fn api_answer(message: &Message) -> Sight<Value> {
    // `DIRECT.GET` answers with the stored message itself and puts its errors in the status line.
    if let Some(status) = message.status.filter(|status| *status >= 400) {
        let description = message.headers.get("Description").unwrap_or("").to_owned();
        return Sight::Refused(Refusal::JetStream { code: u64::from(status), error: 0, description });
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&message.payload) else {
        return Sight::Answered(Value::String(message.text()));
    };
    match answer.get("error") {
        None => Sight::Answered(answer),
        Some(error) => Sight::Refused(Refusal::JetStream {
            code: error.get("code").and_then(Value::as_u64).unwrap_or(0),
            error: error.get("err_code").and_then(Value::as_u64).unwrap_or(0),
            description: error.get("description").and_then(Value::as_str).unwrap_or("").to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::super::{Login, login};
    use super::*;

    /// Objects to every subscription to a tenant's subjects, and delivers on it all the same.
    async fn broker_of_two_minds(listener: TcpListener) {
        let (tcp, _) = listener.accept().await.unwrap();
        let (reading, mut writing) = tcp.into_split();
        writing.write_all(b"INFO {}\r\n").await.unwrap();
        let mut lines = BufReader::new(reading).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let words: Vec<&str> = line.split(' ').collect();
            let answer = match words.as_slice() {
                ["PING"] => "PONG\r\n".to_owned(),
                ["SUB", "own", number] => format!("MSG own {number} 2\r\nhi\r\n"),
                ["SUB", subject, number] => format!(
                    "-ERR 'Permissions Violation for Subscription to \"{subject}\"'\r\n\
                     MSG globex.results {number} 6\r\nsecret\r\n"
                ),
                _ => continue,
            };
            writing.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_comes_on_a_refused_subscription_is_not_overlooked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let broker = tokio::spawn(broker_of_two_minds(listener));
        let Sight::Answered(mut session) = login(&address, &Login::in_the_clear()).await.sight else {
            panic!("no login");
        };
        let Sight::Answered(own) = session.subscribe("own", None).await.sight else { panic!("refused") };
        let refused = session.subscribe("globex.>", None).await;
        assert!(matches!(refused.sight, Sight::Refused(Refusal::Broker(_))), "{refused}");
        let texts = |delivered: Delivered| -> Vec<String> {
            delivered.messages.iter().map(|message| message.text()).collect()
        };
        assert_eq!(texts(session.take_refused()), ["secret"]);
        assert_eq!(texts(session.take_refused()), Vec::<String>::new(), "it is handed over once");
        assert_eq!(texts(session.take(own)), ["hi"]);
        broker.abort();
    }
}
