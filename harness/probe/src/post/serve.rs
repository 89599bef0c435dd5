//! A probe at work: takes orders until there are no more.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::order::{Answered, Letter, LoginOrder, Opening, Order, Reply, Seen, Shown, Step};
use crate::nats::{Delivered, Login, Session, login};
use crate::silent::{self, Taken};
use crate::tls::{Hello, Sessions, TLS12, ask_for_authorities, connect, handshake, sight_of};
use crate::{Presented, Sight, Stopwatch, clear, grpc, network};

/// How much of an answer to [`Order::Ask`] is kept.
const ANSWER_BYTES_MAXIMUM: usize = 4096;

/// How long a call may take that a silent connection may keep waiting: longer than any server waits for that one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a probe knows and holds.
#[derive(Debug, Default)]
struct Desk {
    credentials: Mutex<HashMap<u64, Presented>>,
    tickets: Mutex<HashMap<u64, Sessions>>,
    /// Connections that are there to be in the way.
    places: Mutex<HashMap<u64, Vec<Taken>>>,
    /// Each behind a lock of its own: what is done on one connection is done in order.
    sessions: Mutex<HashMap<u64, Arc<AsyncMutex<Session>>>>,
}

/// Carries out orders, many at once, until they end. What an order cannot mean is answered as an attempt that was not
/// made; a line that is no order ends the probe.
///
/// # Errors
/// The orders cannot be read, or the answers not be written: whoever sent them is gone.
pub async fn serve(
    orders: impl AsyncRead + Unpin,
    mut answers: impl AsyncWrite + Unpin + Send,
) -> std::io::Result<()> {
    let desk = Arc::new(Desk::default());
    let (told, mut replies) = mpsc::unbounded_channel::<Reply>();
    let reading = async move {
        let mut lines = BufReader::new(orders).lines();
        let mut work = JoinSet::new();
        while let Some(line) = lines.next_line().await? {
            let Letter { number, order } = serde_json::from_str(&line)?;
            // A credential is known before the next order is read.
            if let Order::Learn { credential, label, chain, key } = order {
                desk.learn(credential, label, &chain, &key);
                continue;
            }
            let (desk, told) = (Arc::clone(&desk), told.clone());
            work.spawn(async move {
                let seen = desk.carry_out(order).await;
                // Nobody waits for an answer any more only when all of it ends.
                let _ = told.send(Reply { number, seen });
            });
            while work.try_join_next().is_some() {}
        }
        while work.join_next().await.is_some() {}
        Ok::<_, std::io::Error>(())
    };
    let writing = async move {
        let mut text = Vec::new();
        while let Some(reply) = replies.recv().await {
            serde_json::to_writer(&mut text, &reply)?;
            text.push(b'\n');
            // Whatever else is ready goes in the same packet.
            while let Ok(reply) = replies.try_recv() {
                serde_json::to_writer(&mut text, &reply)?;
                text.push(b'\n');
            }
            answers.write_all(&text).await?;
            answers.flush().await?;
            text.clear();
        }
        Ok(())
    };
    tokio::try_join!(reading, writing).map(|_| ())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    fn learn(&self, number: u64, label: String, chain: &[super::order::Der], key: &super::order::Secret) {
        let chain = chain.iter().map(|der| CertificateDer::from(der.0.clone())).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.bytes().to_vec()));
        locked(&self.credentials).insert(number, Presented::new(label, chain, key));
    }

    async fn carry_out(&self, order: Order) -> Seen {
        match order {
            Order::Learn { .. } => not_made("a credential was taken for an attempt"),
            Order::Reach { address, deadline_ms } => {
                network::reach(&address, Duration::from_millis(deadline_ms)).await.map(|()| Answered::Done)
            }
            Order::Ask { address, words, deadline_ms } => {
                ask(&address, &words, Duration::from_millis(deadline_ms)).await
            }
            Order::BeSilent { address, deadline_ms } => {
                silent::be_silent(&address, Duration::from_millis(deadline_ms)).await.map(|()| Answered::Done)
            }
            Order::TakePlaces { session, address, opening, enough } => match self.hello(&opening) {
                Ok(hello) => silent::take_places(&address, &hello, enough).await.map(|places| {
                    let (taken, turned_away) = (places.taken.len(), places.turned_away);
                    locked(&self.places).insert(session, places.taken);
                    Answered::Places { taken, turned_away }
                }),
                Err(why) => not_made(&why),
            },
            Order::Clear { address } => {
                clear::speak(&address, crate::DEADLINE).await.map(|()| Answered::Done)
            }
            Order::Handshake { address, opening } => match self.hello(&opening) {
                Ok(hello) => handshake(&address, &hello)
                    .await
                    .map(|shown| Answered::Shown(Shown { resumed: shown.resumed })),
                Err(why) => not_made(&why),
            },
            Order::AskForAuthorities { address, opening } => match self.hello(&opening) {
                Ok(hello) => ask_for_authorities(&address, &hello).await.map(|named| {
                    let readable = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
                    Answered::Authorities(named.iter().map(readable).collect())
                }),
                Err(why) => not_made(&why),
            },
            Order::Hold { address, opening, authority, call } => match self.hello(&opening) {
                Ok(hello) => {
                    let hello = Hello { deadline: PATIENCE, ..hello };
                    let caller = grpc::Caller { hello, authority, metadata: Vec::new(), deadline: PATIENCE };
                    hold(&address, &caller, *call).await
                }
                Err(why) => not_made(&why),
            },
            Order::Call { address, opening, authority, metadata, call } => match self.hello(&opening) {
                Ok(hello) => {
                    let caller = grpc::Caller { hello, authority, metadata, deadline: crate::DEADLINE };
                    grpc::call(&address, &caller, *call).await.map(Answered::Call)
                }
                Err(why) => not_made(&why),
            },
            Order::Open { session, address, login } => self.open(session, &address, &login).await,
            Order::Do { session, step } => self.step(session, step).await,
            Order::Close { session } => {
                locked(&self.sessions).remove(&session);
                locked(&self.places).remove(&session);
                Stopwatch::start("close a connection").stop(Sight::Answered(Answered::Done), None)
            }
        }
    }

    fn hello(&self, opening: &Opening) -> Result<Hello, String> {
        let credential = match opening.credential {
            None => None,
            Some(number) => {
                let known = locked(&self.credentials).get(&number).cloned();
                Some(known.ok_or_else(|| format!("no credential {number} is known here"))?)
            }
        };
        let mut hello = Hello::grpc(credential.as_ref(), &opening.server_name);
        if !opening.offers_h2 {
            hello.alpn.clear();
        }
        if opening.old_tls {
            hello.versions = vec![&TLS12];
        }
        hello.sessions =
            opening.sessions.map(|number| locked(&self.tickets).entry(number).or_default().clone());
        Ok(hello)
    }

    async fn open(&self, number: u64, address: &str, order: &LoginOrder) -> Seen {
        let tls = match order.opening.as_ref().map(|opening| self.hello(opening)).transpose() {
            Ok(tls) => tls,
            Err(why) => return not_made(&why),
        };
        let how =
            Login { tls, user: order.user.clone(), inbox: order.inbox.clone(), deadline: crate::DEADLINE };
        login(address, &how).await.map(|session| {
            let greeting = session.greeting().clone();
            locked(&self.sessions).insert(number, Arc::new(AsyncMutex::new(session)));
            Answered::Greeting(greeting)
        })
    }

    async fn step(&self, number: u64, step: Step) -> Seen {
        let kept = locked(&self.sessions).get(&number).cloned();
        let Some(session) = kept else { return not_made(&format!("no connection {number} is kept here")) };
        let session = &mut *session.lock().await;
        match step {
            Step::Flush => session.flush().await.map(|()| Answered::Done),
            Step::Publish { subject, reply, headers, payload } => {
                let sent = session.publish_with(&subject, reply.as_deref(), &headers, &payload).await;
                sent.map(|()| Answered::Done)
            }
            Step::Subscribe { subject, group } => {
                session.subscribe(&subject, group.as_deref()).await.map(Answered::Interest)
            }
            Step::Request { subject, headers, payload } => {
                session.request_with(&subject, &headers, &payload).await.map(Answered::Message)
            }
            Step::Api { subject, headers, body } => {
                session.store_with(&subject, &headers, &body).await.map(Answered::Json)
            }
            Step::Take(interest) => handed_over(session.take(interest), session.local()),
            Step::TakeRefused => handed_over(session.take_refused(), session.local()),
            Step::Await { interest, containing } => session
                .next(interest, |message| message.text().contains(&containing))
                .await
                .map(Answered::Message),
        }
    }
}

fn handed_over(delivered: Delivered, local: Option<SocketAddr>) -> Seen {
    Stopwatch::start("hand over what came").stop(Sight::Answered(Answered::Delivered(delivered)), local)
}

fn not_made(why: &str) -> Seen {
    Stopwatch::start("an order").stop(Sight::NotMade(why.to_owned()), None)
}

/// Keeps a connection on which nothing is said, and calls on another one. What ended first decides, and no clock.
async fn hold(address: &str, caller: &grpc::Caller, call: grpc::Call) -> Seen {
    let watch = Stopwatch::start(format!("say nothing to {address}"));
    let silent = match connect(address, crate::DEADLINE).await {
        Ok(silent) => silent,
        Err(sight) => return watch.stop(sight, None),
    };
    let seen = grpc::call(address, caller, call).await;
    let mut first = [0_u8; 1];
    let still = silent.try_read(&mut first);
    let silent_ended = !matches!(&still, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    seen.map(|_| Answered::Held { silent_ended })
}

/// Says something to whoever listens, and reads what comes.
async fn ask(address: &str, words: &str, deadline: Duration) -> Seen {
    let watch = Stopwatch::start(format!("ask {address}"));
    let mut tcp = match connect(address, deadline).await {
        Ok(tcp) => tcp,
        Err(sight) => return watch.stop(sight, None),
    };
    let local = tcp.local_addr().ok();
    let exchange = async {
        tcp.write_all(words.as_bytes()).await?;
        let mut answer = vec![0; ANSWER_BYTES_MAXIMUM];
        let read = tcp.read(&mut answer).await?;
        answer.truncate(read);
        Ok::<_, std::io::Error>(answer)
    };
    let sight = match timeout(deadline, exchange).await {
        Ok(Ok(answer)) if answer.is_empty() => Sight::Closed("end of stream before any answer".to_owned()),
        Ok(Ok(answer)) => Sight::Answered(Answered::Bytes(answer)),
        Ok(Err(error)) => sight_of(&error),
        Err(_) => Sight::Silence(deadline),
    };
    watch.stop(sight, local)
}
