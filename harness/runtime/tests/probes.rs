//! The probes tell apart what a careless one would all call "refused": a server that says no, one that
//! hangs up, one that says nothing, and one that is not there.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use bulkhead_runtime::probe::impostor::{Disguise, Impostor, Turnstile};
use bulkhead_runtime::probe::nats::{Login, login};
use bulkhead_runtime::probe::post::{Answered, Opening, Order, Remote, serve};
use bulkhead_runtime::probe::tls::{Hello, Sessions, TLS12, handshake};
use bulkhead_runtime::probe::{Presented, Refusal, Sight, clear, grpc, network, silent};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, ProtocolVersion, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

const SHORT: Duration = Duration::from_millis(150);

fn self_signed(name: &str) -> (Presented, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let der = certificate.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    (Presented::new(name, vec![der.clone()], key), der)
}

fn short(mut hello: Hello) -> Hello {
    hello.deadline = SHORT;
    hello
}

/// An address where nobody listens: bound once, and closed again.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// A server that treats each connection in the given way.
async fn server<F, W>(mut treat: F) -> String
where
    F: FnMut(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(treat(tcp));
        }
    });
    address
}

/// An h2 server (as far as its SETTINGS frame) that trusts one client certificate.
async fn picky_server(trusted: CertificateDer<'static>) -> String {
    picky_server_of(trusted, Semaphore::MAX_PERMITS).await
}

/// The same with so many places: who finds none sees its handshake succeed, and the connection end.
async fn picky_server_of(trusted: CertificateDer<'static>, places: usize) -> String {
    let places = Arc::new(Semaphore::new(places));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let (own, _) = self_signed("server.example");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.chain().to_vec(), own.key().clone_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    server(move |tcp| {
        let (acceptor, places) = (acceptor.clone(), Arc::clone(&places));
        async move {
            if let Ok(mut stream) = acceptor.accept(tcp).await {
                let Ok(_place) = places.try_acquire() else { return };
                stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
                let mut rest = Vec::new();
                let _ends_with_the_client = stream.read_to_end(&mut rest).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_accepted_client_sees_the_server_s_first_word() {
    let (client, certificate) = self_signed("client.example");
    let address = picky_server(certificate).await;
    let seen = handshake(&address, &Hello::grpc(Some(&client), "server.example")).await;
    let shown = seen.sight.answer().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(shown.alpn.as_deref(), Some(&b"h2"[..]));
    assert_eq!(shown.server_chain.len(), 1);
    assert!(seen.local.is_some());
}

/// The proof that the probe would see a server that still speaks TLS 1.2.
#[tokio::test]
async fn a_server_that_speaks_an_old_version_is_seen_to_do_so() {
    let (client, certificate) = self_signed("client.example");
    let address = picky_server(certificate).await;
    let hello = Hello { versions: vec![&TLS12], ..Hello::grpc(Some(&client), "server.example") };
    let seen = handshake(&address, &hello).await;
    let version = seen.sight.answer().and_then(|shown| shown.version);
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2), "{seen}");
    let (own, _) = self_signed("impostor.example");
    let impostor = Impostor::listen("127.0.0.1:0", Disguise::Grpc, &own).await.unwrap();
    let refused = handshake(&impostor.address().to_string(), &hello).await;
    let expected = Refusal::Alert(AlertDescription::ProtocolVersion);
    assert!(matches!(&refused.sight, Sight::Refused(refusal) if *refusal == expected), "{refused}");
}

#[tokio::test]
async fn a_server_that_waits_for_a_silent_client_is_told_from_one_that_does_not() {
    let waits = server(|mut tcp| async move {
        tcp.write_all(b"INFO {}\r\n").await.unwrap();
        let _held = tcp;
        std::future::pending().await
    });
    let seen = silent::be_silent(&waits.await, SHORT).await;
    assert!(matches!(seen.sight, Sight::Answered(())), "{seen}");
    let impatient = server(|mut tcp| async move {
        let _whatever_is_said = tokio::time::timeout(SHORT, tcp.read(&mut [0; 1])).await;
    });
    let seen = silent::be_silent(&impatient.await, Duration::from_secs(10)).await;
    assert!(matches!(seen.sight, Sight::Closed(_)) && seen.local.is_some(), "{seen}");
    let seen = silent::be_silent(&nobody().await, SHORT).await;
    assert!(matches!(seen.sight, Sight::Unreachable(_)), "{seen}");
}

/// Takes up to so many places at an address; says how many stand, and whether there was one more to be had.
async fn take_places(remote: &Remote, address: &str, credential: u64, enough: usize) -> (usize, bool) {
    let opening = Opening {
        credential: Some(credential),
        server_name: "server.example".to_owned(),
        offers_h2: true,
        old_tls: false,
        sessions: None,
    };
    let order = Order::TakePlaces { session: TAKEN, address: address.to_owned(), opening, enough };
    let seen = remote.attempt(order).await.unwrap();
    match seen.sight {
        Sight::Answered(Answered::Places { taken, turned_away }) => (taken, turned_away.is_none()),
        _ => panic!("{seen}"),
    }
}

/// The number under which the places are kept.
const TAKEN: u64 = u64::MAX;

#[tokio::test]
async fn places_are_taken_until_there_is_none_and_given_back() {
    let (client, certificate) = self_signed("client.example");
    let (near, far) = tokio::io::duplex(64 * 1024);
    let ((answers, orders), (taken, told)) = (tokio::io::split(near), tokio::io::split(far));
    tokio::spawn(serve(taken, told));
    let remote = Remote::over("a test", answers, orders);
    let client = remote.learn(&client);
    let roomy = picky_server(certificate.clone()).await;
    assert_eq!(take_places(&remote, &roomy, client, 40).await, (48, true), "in rounds of sixteen");
    let narrow = picky_server_of(certificate, 20).await;
    assert_eq!(take_places(&remote, &narrow, client, 40).await, (20, false));
    remote.attempt(Order::Close { session: TAKEN }).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while take_places(&remote, &narrow, client, 1).await.0 == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no place was given back");
    }
}

#[tokio::test]
async fn http2_in_the_clear_is_answered_by_those_who_speak_it_only() {
    let plain = server(|mut tcp| async move {
        tcp.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let _ends_with_the_client = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = clear::speak(&plain, SHORT).await;
    assert!(matches!(seen.sight, Sight::Answered(())), "{seen}");
    let (_, certificate) = self_signed("client.example");
    let seen = clear::speak(&picky_server(certificate).await, SHORT).await;
    assert!(matches!(seen.sight, Sight::Refused(Refusal::Alert(_))), "{seen}");
    let silent = server(|tcp| async move {
        let _held = tcp;
        std::future::pending().await
    });
    let seen = clear::speak(&silent.await, SHORT).await;
    assert!(matches!(seen.sight, Sight::Silence(_)), "{seen}");
}

#[tokio::test]
async fn a_refused_client_sees_the_alert_although_its_handshake_succeeded() {
    let (_, certificate) = self_signed("client.example");
    let (stranger, _) = self_signed("stranger.example");
    let address = picky_server(certificate).await;
    let with = handshake(&address, &Hello::grpc(Some(&stranger), "server.example")).await;
    assert!(matches!(with.sight, Sight::Refused(Refusal::Alert(_))), "{with}");
    let without = handshake(&address, &Hello::grpc(None, "server.example")).await;
    let expected = Refusal::Alert(AlertDescription::CertificateRequired);
    assert!(matches!(&without.sight, Sight::Refused(refusal) if *refusal == expected), "{without}");
}

/// The proof that the probe would see a resumption: this server hands out sessions, as rustls does by itself.
#[tokio::test]
async fn a_server_that_takes_up_sessions_is_seen_to_do_so() {
    let (client, certificate) = self_signed("client.example");
    let address = picky_server(certificate).await;
    let sessions = Some(Sessions::default());
    let hello = Hello { sessions, ..Hello::grpc(Some(&client), "server.example") };
    let first = handshake(&address, &hello).await;
    assert_eq!(first.sight.answer().map(|shown| shown.resumed), Some(false), "{first}");
    let second = handshake(&address, &hello).await;
    assert_eq!(second.sight.answer().map(|shown| shown.resumed), Some(true), "{second}");
}

#[tokio::test]
async fn a_refused_grpc_call_keeps_the_alert() {
    let (_, certificate) = self_signed("client.example");
    let (stranger, _) = self_signed("stranger.example");
    let address = picky_server(certificate).await;
    let caller = grpc::Caller::of(Some(&stranger), "server.example");
    let seen = grpc::call(&address, &caller, grpc::Call::Health(String::new())).await;
    assert!(matches!(seen.sight, Sight::Refused(Refusal::Alert(_))), "{seen}");
    assert!(seen.trace_id.is_some() && seen.local.is_some());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_silence_not_a_refusal() {
    let address = server(|tcp| async move {
        let _held_open = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let tls = handshake(&address, &short(Hello::grpc(None, "silent.example"))).await;
    assert!(matches!(tls.sight, Sight::Silence(_)), "{tls}");
    let mut caller = grpc::Caller::of(None, "silent.example");
    (caller.deadline, caller.hello.deadline) = (SHORT, SHORT);
    let call = grpc::call(&address, &caller, grpc::Call::Health(String::new())).await;
    assert!(matches!(call.sight, Sight::Silence(_)), "{call}");
    let how = Login { deadline: SHORT, ..Login::in_the_clear() };
    let nats = login(&address, &how).await;
    assert!(matches!(nats.sight, Sight::Silence(_)), "{nats}");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_closed_not_a_refusal() {
    let address = server(|tcp| async move { drop(tcp) }).await;
    let tls = handshake(&address, &Hello::grpc(None, "rude.example")).await;
    assert!(matches!(tls.sight, Sight::Closed(_)), "{tls}");
    let caller = grpc::Caller::of(None, "rude.example");
    let call = grpc::call(&address, &caller, grpc::Call::Health(String::new())).await;
    assert!(matches!(call.sight, Sight::Closed(_)), "{call}");
    let nats = login(&address, &Login::in_the_clear()).await;
    assert!(matches!(nats.sight, Sight::Closed(_)), "{nats}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_not_a_refusal() {
    let address = nobody().await;
    let tls = handshake(&address, &Hello::grpc(None, "gone.example")).await;
    assert!(matches!(tls.sight, Sight::Unreachable(_)), "{tls}");
    let caller = grpc::Caller::of(None, "gone.example");
    let call = grpc::call(&address, &caller, grpc::Call::Health(String::new())).await;
    assert!(matches!(call.sight, Sight::Unreachable(_)), "{call}");
    let nats = login(&address, &Login::in_the_clear()).await;
    assert!(matches!(nats.sight, Sight::Unreachable(_)), "{nats}");
    let tcp = network::reach(&address, SHORT).await;
    assert!(matches!(tcp.sight, Sight::Unreachable(_)), "{tcp}");
}

/// A broker that says its lines, one for each PING, and then nothing more.
async fn scripted_broker(after_login: Vec<&'static str>) -> String {
    server(move |mut tcp| {
        let mut lines = after_login.clone().into_iter();
        async move {
            tcp.write_all(b"INFO {\"server_id\":\"TEST\"}\r\n").await.unwrap();

            let mut heard = Vec::new();
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = tcp.read(&mut buffer).await {
                heard.extend_from_slice(&buffer[..read]);
                while let Some(end) = heard.windows(6).position(|six| six == b"PING\r\n") {
                    heard.drain(..end + 6);
                    let Some(line) = lines.next() else { return };
                    tcp.write_all(line.as_bytes()).await.unwrap();
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_permission_violation_that_comes_late_belongs_to_its_publish() {
    let violation = "-ERR 'Permissions Violation for Publish to \"acme.x\"'\r\nPONG\r\n";
    let address = scripted_broker(vec!["PONG\r\n", violation, "PONG\r\n"]).await;
    let (_, session) = login(&address, &Login::in_the_clear()).await.split();
    let mut session = session.unwrap();
    let refused = session.publish("acme.x", "1").await;
    assert!(
        matches!(&refused.sight, Sight::Refused(Refusal::Broker(text)) if text.contains("\"acme.x\"")),
        "{refused}"
    );
    let allowed = session.publish("globex.x", "1").await;
    assert!(matches!(allowed.sight, Sight::Answered(())), "{allowed}");
}

#[tokio::test]
async fn a_login_that_the_broker_ends_is_refused_in_its_words_or_closed_without() {
    let address = server(|mut tcp| async move {
        tcp.write_all(b"INFO {}\r\n").await.unwrap();
        let mut connect = [0; 1024];
        let _the_login = tcp.read(&mut connect).await.unwrap();
        tcp.write_all(b"-ERR 'Authorization Violation'\r\n").await.unwrap();
        tcp.shutdown().await.unwrap();
        // Reading to the end keeps the kernel from resetting the connection over unread bytes.
        let _ended = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let seen = login(&address, &Login::in_the_clear()).await;
    let words = Refusal::Broker("Authorization Violation".to_owned());
    assert!(matches!(&seen.sight, Sight::Refused(refusal) if *refusal == words), "{seen}");
    let address = scripted_broker(Vec::new()).await;
    let seen = login(&address, &Login::in_the_clear()).await;
    assert!(matches!(seen.sight, Sight::Closed(_)), "{seen}");
}

#[tokio::test]
async fn a_broker_that_demands_tls_and_ends_the_connection_has_refused_what_is_in_the_clear() {
    let greets = |greeting: &'static [u8]| {
        server(move |mut tcp| async move {
            tcp.write_all(greeting).await.unwrap();
            let _the_login = tcp.read(&mut [0; 1024]).await.unwrap();
            tcp.shutdown().await.unwrap();
            let _ended = tcp.read_to_end(&mut Vec::new()).await;
        })
    };
    let demands = greets(b"INFO {\"tls_required\":true}\r\n").await;
    let seen = login(&demands, &Login::in_the_clear()).await;
    assert!(matches!(&seen.sight, Sight::Refused(Refusal::TlsDemanded)), "{seen}");
    let offers = greets(b"INFO {\"tls_available\":true}\r\n").await;
    let seen = login(&offers, &Login::in_the_clear()).await;
    assert!(matches!(seen.sight, Sight::Closed(_)), "{seen}");
}

#[tokio::test]
async fn an_impostor_tells_a_client_that_speaks_from_one_that_refuses() {
    let (own, _) = self_signed("impostor.example");
    let mut impostor = Impostor::listen("127.0.0.1:0", Disguise::Grpc, &own).await.unwrap();
    let address = impostor.address().to_string();
    // The TLS probe accepts every server, and then speaks.
    let hello = short(Hello::grpc(None, "impostor.example"));
    let (seen, visit) = tokio::join!(handshake(&address, &hello), impostor.visit(Duration::from_secs(3)));
    assert!(matches!(visit.unwrap().sight, Sight::Answered(())), "{seen}");
}

#[tokio::test]
async fn an_impostor_without_tls_tells_a_client_that_demands_it_from_one_that_goes_on() {
    let grpc = Turnstile::listen("127.0.0.1:0", Disguise::Grpc).await.unwrap();
    let address = grpc.address().to_string();
    let hello = short(Hello::grpc(None, "impostor.example"));
    let (_, visit) = tokio::join!(handshake(&address, &hello), grpc.receive_in_the_clear(SHORT));
    assert!(matches!(visit.unwrap().sight, Sight::Refused(Refusal::TlsDemanded)));
    let (_, visit) = tokio::join!(clear::speak(&address, SHORT), grpc.receive_in_the_clear(SHORT));
    assert!(matches!(visit.unwrap().sight, Sight::Answered(())));
    let broker = Turnstile::listen("127.0.0.1:0", Disguise::Broker).await.unwrap();
    let address = broker.address().to_string();
    let in_the_clear = Login { deadline: SHORT, ..Login::in_the_clear() };
    let (_, visit) = tokio::join!(login(&address, &in_the_clear), broker.receive_in_the_clear(SHORT));
    assert!(matches!(visit.unwrap().sight, Sight::Answered(())));
    let secure = Login { deadline: SHORT, ..Login::without_certificate() };
    let (_, visit) = tokio::join!(login(&address, &secure), broker.receive_in_the_clear(SHORT));
    assert!(matches!(visit.unwrap().sight, Sight::Refused(Refusal::TlsDemanded)));
    assert!(broker.receive_in_the_clear(SHORT).await.is_none(), "nobody comes any more");
}
