//! Each mistake in connections and calls is really made: what is refused without it passes with it, or what is
//! recorded is not. The same without a mistake stands in the other test files.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_identity::seeded::{SeededFault, on_this_thread};
use bulkhead_kit::config::NatsSettings;
use bulkhead_kit::nats::Link;
use bulkhead_kit::tls::{Dialer, Limits};
use bulkhead_test_support::Lines;
use common::{AGENT, POLLER, RawClient, Served};
use rustls::HandshakeKind;
use rustls::client::{ClientSessionMemoryCache, Resumption};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const ADMIN: &str = "admin.platform.serviceradar";

async fn check(channel: Channel, metadata: MetadataMap) -> Result<(), Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    *request.metadata_mut() = metadata;
    HealthClient::new(channel).check(request).await.map(|_| ())
}

fn claiming(tenants: &[&str]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for tenant in tenants {
        metadata.append("x-tenant-id", tenant.parse().unwrap());
    }
    metadata
}

/// What the poller is answered that claims this, while a mistake is made.
async fn poller_claims(fault: SeededFault, metadata: MetadataMap) -> Result<(), Status> {
    let served = Served::start(Limits::default()).await;
    let channel = served.dial_as(POLLER).await.channel;
    check(channel.clone(), metadata.clone()).await.expect_err("accepted without a mistake");
    let _on = on_this_thread(fault);
    check(channel, metadata).await
}

#[tokio::test]
async fn session_resumption() {
    let _on = on_this_thread(SeededFault::SessionResumption);
    let served = Served::start(Limits::default()).await;
    let mut client = served.raw(Some(&served.forge.issue(POLLER)));
    client.config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut stream = client.connect().await.1.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            .await
            .unwrap();
        stream.read_exact(&mut [0; 9]).await.unwrap();
        kinds.push(stream.get_ref().1.handshake_kind());
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn old_tls_accepted() {
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(POLLER);
    let old = RawClient::new(&served.forge, served.address, Some(&identity), &[&rustls::version::TLS12]);
    old.attempt().await.1.unwrap_err();
    let _on = on_this_thread(SeededFault::OldTlsAccepted);
    let old = RawClient::new(&served.forge, served.address, Some(&identity), &[&rustls::version::TLS12]);
    old.attempt().await.1.unwrap();
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn alpn_not_required() {
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(POLLER);
    let _on = on_this_thread(SeededFault::AlpnNotRequired);
    for protocols in [&[][..], &["http/1.1"]] {
        served.raw(Some(&identity)).protocols(protocols).attempt().await.1.unwrap();
    }
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn client_certificate_optional() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let _on = on_this_thread(SeededFault::ClientCertificateOptional);
    check(served.raw(None).channel(AGENT).await, MetadataMap::new()).await.unwrap();
    let records = lines.audit();
    let accepted =
        |record: &&serde_json::Value| record["event"] == "accepted" && record["identity"] == POLLER;
    assert_eq!(records.iter().filter(accepted).count(), 2, "{records:?}");
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn authority_ignored() {
    let served = Served::start(Limits::default()).await;
    let client = served.raw(Some(&served.forge.issue(POLLER)));
    let channel = client.channel("agent-001.p1.globex.serviceradar").await;
    check(channel.clone(), MetadataMap::new()).await.unwrap_err();
    let _on = on_this_thread(SeededFault::AuthorityIgnored);
    check(channel, MetadataMap::new()).await.unwrap();
}

#[tokio::test]
async fn claims_of_another_tenant() {
    let mut binary = MetadataMap::new();
    binary.insert_bin("x-tenant-id-bin", MetadataValue::from_bytes(b"acme"));
    for (fault, metadata) in [
        (SeededFault::TenantClaimIgnored, claiming(&["globex"])),
        (SeededFault::TenantClaimBinaryOverlooked, binary),
        (SeededFault::TenantClaimFirstCounts, claiming(&["acme", "globex"])),
        (SeededFault::MemberByPrefix, claiming(&["acme2"])),
    ] {
        poller_claims(fault, metadata).await.unwrap_or_else(|status| panic!("{}: {status}", fault.id()));
    }
}

#[tokio::test]
async fn tenant_from_metadata() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let member = served.dial_as("agent-002.p1.acme.serviceradar").await.channel;
    let _on = on_this_thread(SeededFault::TenantFromMetadata);
    // An agent has one tenant, so that this gains nothing here: the poller's tests go on.
    check(member, claiming(&["globex"])).await.unwrap_err();
    assert_eq!(lines.refusals()[0]["identity"], "agent-002.p1.globex.serviceradar");
}

#[tokio::test]
async fn grants_ignored() {
    let served = Served::start(Limits::default()).await;
    let admin = served.dial_as(ADMIN).await.channel;
    check(admin.clone(), MetadataMap::new()).await.unwrap_err();
    let _on = on_this_thread(SeededFault::GrantsIgnored);
    check(admin, MetadataMap::new()).await.unwrap();
}

#[tokio::test]
async fn caller_from_last_certificate() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(ADMIN);
    let victim = std::fs::read_to_string(served.forge.issue(POLLER).certificate).unwrap();
    let chain = std::fs::read_to_string(&identity.certificate).unwrap() + &victim;
    std::fs::write(&identity.certificate, chain).unwrap();
    let channel = served.raw(Some(&identity)).channel(AGENT).await;
    check(channel.clone(), MetadataMap::new()).await.expect_err("the administrator may not");
    let _on = on_this_thread(SeededFault::CallerFromLastCertificate);
    check(channel, MetadataMap::new()).await.expect("the poller may");
    assert_eq!(lines.audit().last().unwrap()["identity"], POLLER);
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn a_dialler_that_takes_anybody() {
    let served = Served::start(Limits::default()).await;
    let cases = [
        (SeededFault::DialerAnyName, "agent-002.p1.acme.serviceradar"),
        (SeededFault::DialerAnyName, "agent-001.p1.globex.serviceradar"),
        (SeededFault::PollerAnyAgent, "agent-001.p1.globex.serviceradar"),
    ];
    for (fault, expected) in cases {
        let trust = served.forge.trust(&["acme", "globex"]);
        let dialer = Dialer::new(served.forge.credential(POLLER), trust, Duration::from_secs(2));
        let peer: PeerName = expected.parse().unwrap();
        dialer.dial(&peer, &served.host_port()).await.unwrap_err();
        let _on = on_this_thread(fault);
        dialer
            .dial(&peer, &served.host_port())
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", fault.id()));
    }
}

#[tokio::test]
async fn records_that_are_missing() {
    for (fault, missing) in
        [(SeededFault::AuditRefusalsMissing, "refused"), (SeededFault::AuditAcceptedMissing, "accepted")]
    {
        let lines = Lines::capture(AGENT, "acme");
        let served = Served::start(Limits::default()).await;
        let stranger = served.forge.issue("agent-001.p1.globex.serviceradar");
        let _on = on_this_thread(fault);
        served.raw(Some(&stranger)).attempt().await.1.unwrap_err();
        served.assert_answers_the_poller().await;
        let events: Vec<_> = lines.audit().iter().map(|record| record["event"].clone()).collect();
        assert!(!events.is_empty() && !events.contains(&missing.into()), "{}: {events:?}", fault.id());
    }
}

#[tokio::test]
async fn handshake_serial() {
    let _on = on_this_thread(SeededFault::HandshakeSerial);
    let limits = Limits { handshake_timeout: Duration::from_secs(60), ..Limits::default() };
    let served = Served::start(limits).await;
    served.assert_answers_the_poller().await;
    let silent = TcpStream::connect(served.address).await.unwrap();
    let client = served.raw(Some(&served.forge.issue(POLLER)));
    let blocked = timeout(Duration::from_millis(300), client.attempt());
    blocked.await.expect_err("answered beside a silent client");
    drop(silent);
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn handshake_timeout_missing() {
    let _on = on_this_thread(SeededFault::HandshakeTimeoutMissing);
    let limits = Limits { handshake_timeout: Duration::from_millis(20), ..Limits::default() };
    let served = Served::start(limits).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    timeout(Duration::from_millis(300), silent.read(&mut [0])).await.expect_err("it was cut");
}

#[tokio::test]
async fn places_shared() {
    let _on = on_this_thread(SeededFault::PlacesShared);
    let served = Served::start(Limits { connections: 1, ..Limits::default() }).await;
    let held = served.dial_as("agent-002.p1.acme.serviceradar").await.channel;
    check(held.clone(), MetadataMap::new()).await.unwrap();
    served.raw(Some(&served.forge.issue(POLLER))).attempt().await.1.expect_err("the poller has a place");
    drop(held);
}

/// A server in the broker's place that has no TLS, and the first line that it is told.
async fn told_in_the_clear(served: &Served) -> Option<String> {
    let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = broker.local_addr().unwrap().to_string().parse().unwrap();
    let settings = NatsSettings { address, retry_ms: 100, buffer_messages: 1 };
    let _link = Link::start(&settings, &served.forge.credential(AGENT), &served.forge.trust(&["acme"]))
        .await
        .unwrap();
    let (mut stream, _) = broker.accept().await.unwrap();
    let info = "INFO {\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"2.15.1\",\"go\":\"x\",\"host\":\"x\",\"port\":1,\"headers\":true,\"max_payload\":1024,\"proto\":1,\"client_id\":1,\"tls_required\":false}\r\n";
    stream.write_all(info.as_bytes()).await.unwrap();
    let mut word = [0; 7];
    let read = timeout(Duration::from_secs(5), stream.read_exact(&mut word)).await;
    read.ok()?.ok()?;
    String::from_utf8(word.into()).ok()
}

#[tokio::test]
async fn nats_plain_text_allowed() {
    let served = Served::start(Limits::default()).await;
    assert_ne!(told_in_the_clear(&served).await.as_deref(), Some("CONNECT"));
    let _on = on_this_thread(SeededFault::NatsPlainTextAllowed);
    assert_eq!(told_in_the_clear(&served).await.as_deref(), Some("CONNECT"));
}

#[tokio::test]
async fn no_mistake_keeps_an_honest_poller_out() {
    let served = Served::start(Limits::default()).await;
    for fault in SeededFault::ALL {
        let _on = on_this_thread(*fault);
        let answered = timeout(Duration::from_secs(10), served.assert_answers_the_poller());
        answered.await.unwrap_or_else(|_| panic!("{}", fault.id()));
    }
}
