//! The harness's side: a probe that stands somewhere else, called as if it stood here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::order::{Answered, Der, Letter, LoginOrder, Order, Reply, Secret, Seen, Step};
use crate::nats::{Delivered, Headers, Interest, Message};
use crate::{Observation, Presented, Sight, Stopwatch};

/// The probe does not answer any more: it has ended, or whatever carried its words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the probe in {place} is gone: {why}")]
pub struct Lost {
    /// Where it stood.
    pub place: String,
    /// What was last heard of it.
    pub why: String,
}

/// A probe that stands somewhere else. Clones speak to the same one.
#[derive(Debug, Clone)]
pub struct Remote {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    place: String,
    letters: mpsc::UnboundedSender<String>,
    waiting: Waiting,
    next: AtomicU64,
    attempts: AtomicU64,
    /// The credentials that it knows, by what they are.
    known: Mutex<HashMap<String, u64>>,
    _work: JoinSet<()>,
}

/// Who waits for which answer; or why there will be none.
type Waiting = Arc<Mutex<Result<HashMap<u64, oneshot::Sender<Seen>>, String>>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    /// A probe in `place` (for people) that reads from `orders` and writes to `answers`.
    pub fn over(
        place: impl Into<String>,
        answers: impl AsyncRead + Unpin + Send + 'static,
        orders: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (letters, outgoing) = mpsc::unbounded_channel();
        let waiting: Waiting = Arc::new(Mutex::new(Ok(HashMap::new())));
        let mut work = JoinSet::new();
        work.spawn(send(outgoing, orders, Arc::clone(&waiting)));
        work.spawn(receive(answers, Arc::clone(&waiting)));
        let shared = Shared {
            place: place.into(),
            letters,
            waiting,
            next: AtomicU64::new(1),
            attempts: AtomicU64::new(0),
            known: Mutex::default(),
            _work: work,
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many attempts it was asked for, controls and all.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.shared.attempts.load(Ordering::Relaxed)
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.shared.place
    }

    /// A number that nothing else of this probe has: for sessions, and for places of tickets.
    #[must_use]
    pub fn fresh_number(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a credential known, once, and says its number.
    #[must_use]
    pub fn learn(&self, credential: &Presented) -> u64 {
        let mut known = locked(&self.shared.known);
        if let Some(number) = known.get(credential.label()) {
            return *number;
        }
        let number = self.fresh_number();
        let chain = credential.chain().iter().map(|der| Der(der.to_vec())).collect();
        let key = Secret::new(credential.key().secret_der().to_vec());
        let order = Order::Learn { credential: number, label: credential.label().to_owned(), chain, key };
        // Should the probe be gone, the next attempt says so.
        let _ = self.post(number, order);
        known.insert(credential.label().to_owned(), number);
        number
    }

    /// Has one attempt made, and waits for what was seen of it.
    ///
    /// # Errors
    /// The probe is gone. That says nothing about the attempt.
    pub async fn attempt(&self, order: Order) -> Result<Seen, Lost> {
        let number = self.fresh_number();
        self.shared.attempts.fetch_add(1, Ordering::Relaxed);
        let (told, answer) = oneshot::channel();
        match &mut *locked(&self.shared.waiting) {
            Ok(waiting) => _ = waiting.insert(number, told),
            Err(why) => return Err(self.lost(why)),
        }
        self.post(number, order).map_err(|why| self.lost(&why))?;
        answer.await.map_err(|_| match &*locked(&self.shared.waiting) {
            Err(why) => self.lost(why),
            Ok(_) => self.lost("it gave no answer"),
        })
    }

    /// Logs in to the broker from there.
    ///
    /// # Errors
    /// The probe is gone.
    pub async fn login(
        &self,
        address: &str,
        login: LoginOrder,
    ) -> Result<(Seen, Option<RemoteSession>), Lost> {
        let number = self.fresh_number();
        let order = Order::Open { session: number, address: address.to_owned(), login };
        let seen = self.attempt(order).await?;
        let session = matches!(seen.sight, Sight::Answered(_))
            .then(|| RemoteSession { held: Arc::new(Held { remote: self.clone(), number }) });
        Ok((seen, session))
    }

    fn lost(&self, why: &str) -> Lost {
        Lost { place: self.shared.place.clone(), why: why.to_owned() }
    }

    fn post(&self, number: u64, order: Order) -> Result<(), String> {
        let letter = serde_json::to_string(&Letter { number, order }).map_err(|error| error.to_string())?;
        self.shared.letters.send(letter).map_err(|_| "it takes no more orders".to_owned())
    }
}

async fn send(
    mut letters: mpsc::UnboundedReceiver<String>,
    mut orders: impl AsyncWrite + Unpin,
    waiting: Waiting,
) {
    while let Some(mut letter) = letters.recv().await {
        letter.push('\n');
        let sent = async {
            orders.write_all(letter.as_bytes()).await?;
            if letters.is_empty() { orders.flush().await } else { Ok(()) }
        };
        if let Err(error) = sent.await {
            give_up(&waiting, format!("its orders cannot be written: {error}"));
            return;
        }
    }
    // The end of the orders is what ends the probe.
    let _ = orders.shutdown().await;
}

async fn receive(answers: impl AsyncRead + Unpin, waiting: Waiting) {
    let mut lines = BufReader::new(answers).lines();
    loop {
        let why = match lines.next_line().await {
            Ok(Some(line)) => match serde_json::from_str::<Reply>(&line) {
                Ok(Reply { number, seen }) => {
                    if let Ok(waiting) = &mut *locked(&waiting)
                        && let Some(told) = waiting.remove(&number)
                    {
                        // Whoever asked may have stopped waiting.
                        let _ = told.send(seen);
                    }
                    continue;
                }
                Err(error) => format!("it said something that is no answer ({error}): {line:.200}"),
            },
            Ok(None) => "it has ended".to_owned(),
            Err(error) => format!("its answers cannot be read: {error}"),
        };
        give_up(&waiting, why);
        return;
    }
}

fn give_up(waiting: &Waiting, why: String) {
    let mut waiting = locked(waiting);
    if waiting.is_ok() {
        *waiting = Err(why);
    }
}

/// A connection to the broker that a remote probe holds. It is closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct RemoteSession {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    remote: Remote,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nobody waits for the answer; a probe that is gone has closed it already.
        let _ = self.remote.post(self.remote.fresh_number(), Order::Close { session: self.number });
    }
}

impl RemoteSession {
    async fn step(&self, step: Step) -> Observation<Answered> {
        let what = format!("a step on a connection from {}", self.held.remote.place());
        let watch = Stopwatch::start(what);
        match self.held.remote.attempt(Order::Do { session: self.held.number, step }).await {
            Ok(seen) => seen,
            Err(lost) => watch.stop(Sight::NotMade(lost.to_string()), None),
        }
    }

    /// See [`crate::nats::Session::flush`].
    pub async fn flush(&self) -> Observation<()> {
        self.step(Step::Flush).await.map(drop)
    }

    /// See [`crate::nats::Session::publish_with`].
    pub async fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: Headers,
        payload: &str,
    ) -> Observation<()> {
        let step = Step::Publish {
            subject: subject.to_owned(),
            reply: reply.map(str::to_owned),
            headers,
            payload: payload.to_owned(),
        };
        self.step(step).await.map(drop)
    }

    /// See [`crate::nats::Session::subscribe`].
    pub async fn subscribe(&self, subject: &str, group: Option<&str>) -> Observation<Interest> {
        let step = Step::Subscribe { subject: subject.to_owned(), group: group.map(str::to_owned) };
        only(self.step(step).await, |answered| match answered {
            Answered::Interest(interest) => Some(interest),
            _ => None,
        })
    }

    /// See [`crate::nats::Session::request_with`].
    pub async fn request(&self, subject: &str, headers: Headers, payload: &str) -> Observation<Message> {
        let step = Step::Request { subject: subject.to_owned(), headers, payload: payload.to_owned() };
        only(self.step(step).await, a_message)
    }

    /// See [`crate::nats::Session::api`]: an empty body asks without one.
    pub async fn api(&self, subject: &str, headers: Headers, body: &str) -> Observation<serde_json::Value> {
        let step = Step::Api { subject: subject.to_owned(), headers, body: body.to_owned() };
        only(self.step(step).await, |answered| match answered {
            Answered::Json(json) => Some(json),
            _ => None,
        })
    }

    /// See [`crate::nats::Session::take`].
    pub async fn take(&self, interest: Interest) -> Observation<Delivered> {
        only(self.step(Step::Take(interest)).await, what_came)
    }

    /// See [`crate::nats::Session::take_refused`].
    pub async fn take_refused(&self) -> Observation<Delivered> {
        only(self.step(Step::TakeRefused).await, what_came)
    }

    /// See [`crate::nats::Session::next`].
    pub async fn wait_for(&self, interest: Interest, containing: &str) -> Observation<Message> {
        let step = Step::Await { interest, containing: containing.to_owned() };
        only(self.step(step).await, a_message)
    }
}

fn what_came(answered: Answered) -> Option<Delivered> {
    match answered {
        Answered::Delivered(delivered) => Some(delivered),
        _ => None,
    }
}

fn a_message(answered: Answered) -> Option<Message> {
    match answered {
        Answered::Message(message) => Some(message),
        _ => None,
    }
}

/// The answer of the kind that this order has; a probe that answers with another is broken.
fn only<T>(seen: Seen, kind: impl FnOnce(Answered) -> Option<T>) -> Observation<T> {
    let (report, answered) = seen.split();
    match answered {
        None => report.retyped(),
        Some(answered) => match kind(answered) {
            Some(answer) => report.answered(answer),
            None => report.not_made("the probe answered something else than what was asked"),
        },
    }
}
