//! Link and outbox with a real nats-server, and a line between them that can be cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::time::Duration;

use async_nats::Subscriber;
use bulkhead_identity::{AuthorityName, Subject};
use bulkhead_kit::config::NatsSettings;
use bulkhead_kit::credential::Credential;
use bulkhead_kit::nats::{Link, Outbox};
use bulkhead_kit::trust;
use bulkhead_test_support::{Forge, Lines, NatsServer, eventually, server_binary};
use futures::StreamExt as _;
use rcgen::SerialNumber;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const AGENT: &str = "agent-001.p1.acme.serviceradar";
const WATCHER: &str = "agent-002.p1.acme.serviceradar";
/// The agent may publish under its tenant's prefix only; the watcher is of the same account.
const ACCOUNTS: &str = r#"accounts { T_acme { users: [
    { user: "agent-001.p1.acme.serviceradar", permissions: { publish: ["acme.>", "_INBOX.>"], subscribe: ["_INBOX.>"] } }
    { user: "agent-002.p1.acme.serviceradar" } ] } }"#;

fn subject() -> Subject {
    "acme.agents.results.agent-001.p1".parse().unwrap()
}

struct Platform {
    forge: Forge,
    server: NatsServer,
}

impl Platform {
    fn start() -> Option<Self> {
        let forge = Forge::with_tenants(&["acme", "globex"]);
        let server = NatsServer::start(&server_binary()?, &forge, ACCOUNTS);
        Some(Self { forge, server })
    }

    async fn link(&self, name: &str, settings: &NatsSettings) -> Link {
        Link::start(settings, &self.forge.credential(name), &self.forge.trust(&[])).await.unwrap()
    }

    /// Everything on the agent's subject, from now on.
    async fn watch(&self) -> Subscriber {
        let link = self.link(WATCHER, &self.server.settings(1)).await;
        is_up(&link, true).await;
        let messages = link.client().subscribe(subject().to_string()).await.unwrap();
        // The answer to a request on this connection comes after the subscription was taken.
        let _ = link.client().request("acme.barrier", "".into()).await;
        messages
    }
}

async fn is_up(link: &Link, expected: bool) {
    let mut connected = link.connected();
    let change = tokio::time::timeout(Duration::from_secs(10), connected.wait_for(|up| *up == expected));
    change
        .await
        .unwrap_or_else(|_| panic!("the link is not {}", if expected { "up" } else { "down" }))
        .unwrap();
}

/// The numbers that arrive until `last` did, in the order of their first arrival.
async fn numbers_until(messages: &mut Subscriber, last: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let next = tokio::time::timeout(Duration::from_secs(10), messages.next());
        let message = next.await.unwrap_or_else(|_| panic!("not all arrived: {numbers:?}")).unwrap();
        let number = std::str::from_utf8(&message.payload).unwrap().trim_end().parse().unwrap();
        // At least once: repetitions carry the id of the first.
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

fn push(outbox: &Outbox, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| outbox.push(&subject(), number.to_string()));
}

/// A line to the server that can be cut in mid-flight.
struct Line {
    open: watch::Sender<bool>,
    settings: NatsSettings,
}

impl Line {
    async fn to(server: &NatsSettings, open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = server.clone();
        settings.address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let open = watch::Sender::new(open);
        let (state, target) = (open.clone(), server.address.clone());
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut state = state.subscribe();
                if !*state.borrow() {
                    continue;
                }
                let mut far = TcpStream::connect(target.to_string()).await.unwrap();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { open, settings }
    }
}

#[tokio::test]
async fn nothing_is_lost_when_the_line_is_cut_in_mid_flight() {
    let Some(platform) = Platform::start() else { return };
    let mut messages = platform.watch().await;
    let line = Line::to(&platform.server.settings(10_000), true).await;
    let link = platform.link(AGENT, &line.settings).await;
    let outbox = Outbox::start(&link, line.settings.buffer_messages);
    for round in 0..10 {
        push(&outbox, round * 400..round * 400 + 200);
        // Cut while some are confirmed, some are on their way and some are not.
        eventually("a part is confirmed", async || match outbox.status() {
            status if status.confirmed > round * 400 => Ok(()),
            status => Err(format!("{status:?}")),
        })
        .await;
        line.open.send_replace(false);
        push(&outbox, round * 400 + 200..(round + 1) * 400);
        // Sometimes the link has noticed before it can come back, sometimes not.
        if round % 2 == 0 {
            is_up(&link, false).await;
        }
        line.open.send_replace(true);
    }
    assert_eq!(numbers_until(&mut messages, 3999).await, (0..4000).collect::<Vec<_>>());
    let status = outbox.flush(Duration::from_secs(10)).await;
    assert_eq!((status.pending, status.confirmed, status.dropped), (0, 4000, 0));
}

/// A line whose first connection breaks when so many bytes have gone to the server.
async fn line_that_breaks_after(bytes: u64, server: &NatsSettings) -> NatsSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = server.clone();
    settings.address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let target = server.address.to_string();
    tokio::spawn(async move {
        let mut limit = bytes;
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(&target).await.unwrap();
            let limit = std::mem::replace(&mut limit, u64::MAX);
            tokio::spawn(async move {
                let (near_read, mut near_write) = near.split();
                let (mut far_read, mut far_write) = far.split();
                let mut outward = near_read.take(limit);
                tokio::select! {
                    _ = tokio::io::copy(&mut outward, &mut far_write) => {}
                    _ = tokio::io::copy(&mut far_read, &mut near_write) => {}
                }
            });
        }
    });
    settings
}

/// A message is lost with the old connection, and its barrier goes out on the new one: it must not be believed.
#[tokio::test]
async fn a_message_that_is_torn_from_its_barrier_is_sent_again() {
    let Some(platform) = Platform::start() else { return };
    let mut messages = platform.watch().await;
    let settings = line_that_breaks_after(600_000, &platform.server.settings(100)).await;
    let link = platform.link(AGENT, &settings).await;
    let outbox = Outbox::start(&link, settings.buffer_messages);
    (0..20).for_each(|number: u64| outbox.push(&subject(), format!("{number}{}", " ".repeat(190_000))));
    let status = outbox.flush(Duration::from_secs(30)).await;
    assert_eq!((status.pending, status.confirmed, status.dropped), (0, 20, 0));
    assert_eq!(numbers_until(&mut messages, 19).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_are_dropped_and_counted() {
    let Some(platform) = Platform::start() else { return };
    let mut messages = platform.watch().await;
    let line = Line::to(&platform.server.settings(10), false).await;
    let link = platform.link(AGENT, &line.settings).await;
    let outbox = Outbox::start(&link, line.settings.buffer_messages);
    push(&outbox, 0..25);
    assert_eq!((outbox.status().pending, outbox.status().dropped), (10, 15));
    line.open.send_replace(true);
    assert_eq!(numbers_until(&mut messages, 24).await, (15..25).collect::<Vec<_>>());
    let status = outbox.flush(Duration::from_secs(10)).await;
    assert_eq!((status.pending, status.confirmed, status.dropped), (0, 10, 15));
}

#[tokio::test]
async fn a_link_comes_back_after_the_server_died() {
    let Some(mut platform) = Platform::start() else { return };
    let link = platform.link(AGENT, &platform.server.settings(1)).await;
    is_up(&link, true).await;
    platform.server.kill();
    is_up(&link, false).await;
    platform.server.restart();
    is_up(&link, true).await;
}

#[tokio::test]
async fn another_server_than_nats_is_refused_and_recorded_once() {
    let Some(platform) = Platform::start() else { return };
    let lines = Lines::capture(AGENT, "acme");
    // A hierarchy that is not this server's.
    let foreign = Forge::with_tenants(&["acme"]);
    let settings = platform.server.settings(1);
    let link = Link::start(&settings, &foreign.credential(AGENT), &foreign.trust(&[])).await.unwrap();
    let refusal = eventually("the refusal is recorded", async || {
        lines.refusals().pop().ok_or_else(|| format!("{:?}", lines.all()))
    });
    let refusal = refusal.await;
    assert_eq!(refusal["layer"], "nats");
    assert_eq!(refusal["reason"], "bad-signature");
    assert!(!link.is_connected());
    // Ten attempts a second fail in the same way, and are not told again.
    tokio::time::timeout(Duration::from_millis(500), link.connected().wait_for(|connected| *connected))
        .await
        .expect_err("a foreign server was accepted");
    assert_eq!(lines.refusals().len(), 1);
}

#[tokio::test]
async fn a_subject_that_the_server_forbids_is_recorded() {
    let Some(platform) = Platform::start() else { return };
    let lines = Lines::capture(AGENT, "acme");
    let link = platform.link(AGENT, &platform.server.settings(1)).await;
    is_up(&link, true).await;
    link.client().publish("globex.agents.status", "hello".into()).await.unwrap();
    let refusal = eventually("the violation is recorded", async || {
        lines.refusals().pop().ok_or_else(|| format!("{:?}", lines.all()))
    });
    let refusal = refusal.await;
    assert_eq!(refusal["reason"], "permissions-violation");
    assert!(refusal["detail"].as_str().unwrap().contains("globex.agents.status"), "{refusal}");
    assert_eq!(refusal["tenant"], "acme");
    let accepted = lines.audit().into_iter().find(|record| record["event"] == "accepted").unwrap();
    assert!(
        accepted["trace_id"].is_string() && accepted["trace_id"] == refusal["trace_id"],
        "one connection"
    );
}

/// What every service refuses the broker takes: nats-server has no setting for revocation lists. That is why the access model
/// promises nothing of a revoked certificate there; should it ever learn to read them, this fails.
#[tokio::test]
async fn a_revoked_certificate_is_still_its_user_to_the_broker() {
    let Some(platform) = Platform::start() else { return };
    let forge = &platform.forge;
    let serial = SerialNumber::from_slice(&[0x41; 16]);
    let revoked = forge.issue_with(AGENT, |params| params.serial_number = Some(serial.clone()));
    let revoked = Credential::load(&revoked).unwrap();
    let names = ["root.ca.serviceradar", "platform.ca.serviceradar", "tenant-acme.ca.serviceradar"];
    let names = names.map(|name| name.parse::<AuthorityName>().unwrap());
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    let list = |name: &AuthorityName| {
        let of_acme = *name == names[2];
        forge.revocation_list(name, if of_acme { std::slice::from_ref(&serial) } else { &[] }, tomorrow)
    };
    let mut files = forge.trust_files(&["acme"]);
    files.revocation_lists = names.iter().map(list).collect();
    let error = revoked.check(&trust::load(&files).unwrap()).unwrap_err().to_string();
    assert!(error.contains("(revoked)"), "{error}");
    let link = Link::start(&platform.server.settings(1), &revoked, &forge.trust(&[])).await.unwrap();
    is_up(&link, true).await;

    let configuration = forge.directory().join("lists.conf");
    let (identity, list) = (forge.issue("nats.serviceradar"), &files.revocation_lists[2]);
    let text = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, crl_file: {list:?} }}\n",
        identity.certificate, identity.key
    );
    std::fs::write(&configuration, text).unwrap();
    let mut server = std::process::Command::new(server_binary().unwrap());
    let output = server.arg("-t").arg("-c").arg(&configuration).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("unknown field \"crl_file\""), "{said}");
}
