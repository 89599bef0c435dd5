//! The listener against clients that are silent, wrong or refused, each with a control before and after.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_kit::tls::Limits;
use bulkhead_test_support::{Lines, eventually};
use common::{AGENT, POLLER, RawClient, Served};
use rustls::HandshakeKind;
use rustls::client::{ClientSessionMemoryCache, Resumption};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// The one record of what came from `port`.
async fn record_of(lines: &Lines, port: u16) -> Value {
    let peer = format!("127.0.0.1:{port}");
    let found = eventually("an audit record of the client's port", async || {
        let records: Vec<Value> =
            lines.audit().into_iter().filter(|record| record["peer"] == *peer).collect();
        if records.is_empty() { Err(format!("{:?}", lines.audit())) } else { Ok(records) }
    });
    let mut records = found.await;
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

#[tokio::test]
async fn an_accepted_client_is_recorded_with_its_identity_and_port() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(POLLER);
    let (port, result) = served.raw(Some(&identity)).attempt().await;
    result.unwrap();
    let record = record_of(&lines, port).await;
    assert_eq!(record["event"], "accepted");
    assert_eq!(record["layer"], "tls");
    assert_eq!(record["identity"], POLLER);
    assert_eq!(record["tenant"], "acme");
    assert_eq!(record["service"], AGENT);
}

#[tokio::test]
async fn silent_clients_and_stalled_handshakes_block_nobody() {
    let lines = Lines::capture(AGENT, "acme");
    let limits =
        Limits { handshake_timeout: Duration::from_secs(60), concurrent_handshakes: 4, ..Limits::default() };
    let served = Served::start(limits).await;
    served.assert_answers_the_poller().await;
    let mut silent = Vec::new();
    for number in 0..8 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        if number % 2 == 0 {
            // A handshake record that promises 512 bytes and stops after three.
            stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1]).await.unwrap();
        }
        silent.push(stream);
    }
    let answered = tokio::time::timeout(Duration::from_secs(5), served.assert_answers_the_poller());
    answered.await.expect("the poller waits behind silent clients");
    let first = silent[0].local_addr().unwrap().port();
    assert_eq!(record_of(&lines, first).await["reason"], "handshake-evicted");
}

/// A silent client that comes from `source`, and its port.
async fn silent_from(source: [u8; 4], target: SocketAddr) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let stream = socket.connect(target).await.unwrap();
    let peer = stream.local_addr().unwrap().to_string();
    (stream, peer)
}

#[tokio::test]
async fn a_flood_from_one_place_costs_those_at_another_nothing() {
    let lines = Lines::capture(AGENT, "acme");
    let limits =
        Limits { handshake_timeout: Duration::from_secs(60), concurrent_handshakes: 4, ..Limits::default() };
    let served = Served::start(limits).await;
    let (mut slow, slow_peer) = silent_from([127, 0, 0, 2], served.address).await;
    let mut flood = Vec::new();
    for _ in 0..8 {
        flood.push(silent_from([127, 0, 0, 3], served.address).await);
    }
    let evicted = |peer: &str| lines.refusals().iter().any(|record| record["peer"] == peer);
    eventually("the flood evicts itself", async || {
        let gone = flood.iter().filter(|(_, peer)| evicted(peer)).count();
        if gone >= 5 { Ok(()) } else { Err(format!("{gone} of 5")) }
    })
    .await;
    assert!(!evicted(&slow_peer), "{:?}", lines.refusals());
    // It is still being listened to: what it says now is judged.
    slow.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let judged = eventually("the slow one is judged", async || {
        let refusals = lines.refusals();
        let found = refusals.iter().find(|record| record["peer"] == *slow_peer).cloned();
        found.ok_or_else(|| format!("{refusals:?}"))
    });
    assert_eq!(judged.await["reason"], "no-tls");
}

#[tokio::test]
async fn a_tenant_that_has_all_its_connections_gets_no_more_and_others_do() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut held = Vec::new();
    for name in [AGENT, "agent-002.p1.acme.serviceradar", "agent-003.p1.acme.serviceradar"] {
        let mut client = HealthClient::new(served.dial_as(name).await.channel);
        client.check(HealthCheckRequest::default()).await.unwrap();
        held.push(client);
    }
    let member = served.forge.issue("agent-004.p1.acme.serviceradar");
    let (port, result) = served.raw(Some(&member)).attempt().await;
    result.expect_err("a fourth connection");
    let record = record_of(&lines, port).await;
    assert_eq!(record["reason"], "too-many-connections", "{record}");
    assert_eq!(record["identity"], "agent-004.p1.acme.serviceradar", "{record}");
    served.assert_answers_the_poller().await;
    held.pop();
    eventually("the place is free again", async || served.raw(Some(&member)).attempt().await.1).await;
}

#[tokio::test]
async fn a_silent_client_is_cut_and_recorded() {
    let lines = Lines::capture(AGENT, "acme");
    let limits = Limits { handshake_timeout: Duration::from_millis(50), ..Limits::default() };
    let served = Served::start(limits).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte));
    assert_eq!(read.await.expect("the connection stays open").unwrap(), 0);
    assert_eq!(record_of(&lines, port).await["reason"], "handshake-timeout");
}

#[tokio::test]
async fn only_http2_by_alpn_is_spoken() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(POLLER);
    served.assert_answers_the_poller().await;
    let calls = served.calls();
    for protocols in [&[][..], &["http/1.1"][..], &["h3", "http/1.1"][..]] {
        let (port, result) = served.raw(Some(&identity)).protocols(protocols).attempt().await;
        result.expect_err("accepted without h2");
        let record = record_of(&lines, port).await;
        assert_eq!(
            (&record["event"], &record["reason"]),
            (&"refused".into(), &"no-alpn".into()),
            "{protocols:?}"
        );
    }
    assert_eq!(served.calls(), calls);
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn a_refused_client_reaches_no_handler_and_leaves_one_record() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let forge = &served.forge;
    let yesterday = time::OffsetDateTime::now_utc() - time::Duration::days(1);
    let expired = forge.issue_with(POLLER, |params| {
        params.not_before = yesterday - time::Duration::days(1);
        params.not_after = yesterday;
    });
    let cases = [
        ("unknown-issuer", Some(forge.issue("agent-001.p1.globex.serviceradar"))),
        ("unknown-issuer", Some(forge.issue("agent-001.p1.acme2.serviceradar"))),
        ("unexpected-peer", Some(forge.issue("nats.serviceradar"))),
        ("expired", Some(expired)),
        ("profile", Some(forge.issue_with(POLLER, |params| params.extended_key_usages.clear()))),
        ("no-certificate", None),
    ];
    served.assert_answers_the_poller().await;
    let calls = served.calls();
    for (reason, identity) in cases {
        let (port, result) = served.raw(identity.as_ref()).attempt().await;
        result.expect_err(reason);
        let record = record_of(&lines, port).await;
        assert_eq!((&record["event"], &record["reason"]), (&"refused".into(), &reason.into()), "{record}");
    }
    assert_eq!(served.calls(), calls, "a refused client reached a handler");
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn what_is_not_tls_1_3_is_refused() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(POLLER);
    let old = RawClient::new(&served.forge, served.address, Some(&identity), &[&rustls::version::TLS12]);
    let (port, result) = old.attempt().await;
    result.expect_err("TLS 1.2 was accepted");
    assert_eq!(record_of(&lines, port).await["reason"], "incompatible-tls");

    // HTTP in the clear, and a handshake record with a ClientHello of no bytes.
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "no-tls"),
        (&[0x16, 3, 1, 0, 4, 1, 0, 0, 0][..], "malformed-handshake"),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let port = stream.local_addr().unwrap().port();
        assert_eq!(record_of(&lines, port).await["reason"], reason);
    }
}

#[tokio::test]
async fn a_client_that_keeps_sessions_does_a_full_handshake_every_time() {
    let served = Served::start(Limits::default()).await;
    let identity = served.forge.issue(POLLER);
    let mut client = served.raw(Some(&identity));
    client.config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
    for round in 0..3 {
        let (_, stream) = client.connect().await;
        let mut stream = stream.unwrap();
        // Tickets come after the handshake: read until the server has nothing more to say.
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            .await
            .unwrap();
        stream.read_exact(&mut [0; 9]).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full), "round {round}");
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0, "round {round}");
    }
}

#[tokio::test]
async fn a_connection_does_not_grow_old() {
    let limits = Limits { connection_age: Duration::from_millis(100), ..Limits::default() };
    let served = Served::start(limits).await;
    let channel = served.dial_as(POLLER).await.channel;
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    let ended = eventually("the old connection is ended", async || {
        match HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await {
            Ok(_) => Err("still answered".to_owned()),
            Err(status) => Ok(status),
        }
    });
    // A call that the end overtakes before it is sent is cancelled by the client itself.
    let code = ended.await.code();
    assert!(matches!(code, tonic::Code::Unavailable | tonic::Code::Cancelled), "{code:?}");
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn a_stream_that_is_held_open_does_not_keep_its_connection() {
    let limits = Limits {
        connection_age: Duration::from_millis(100),
        call_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    let mut client = HealthClient::new(served.dial_as(POLLER).await.channel);
    let mut states = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    states.message().await.unwrap().expect("the first state");
    let next = tokio::time::timeout(Duration::from_secs(10), states.message()).await;
    assert!(!matches!(next.expect("the connection is kept"), Ok(Some(_))), "a state that nobody set");
    served.assert_answers_the_poller().await;
}
