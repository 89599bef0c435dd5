//! The dialer accepts one named peer and says why it refused another.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_kit::tls::{DialProblem, Dialer, Limits};
use bulkhead_test_support::Lines;
use common::{AGENT, POLLER, Served};

#[tokio::test]
async fn another_peer_than_the_expected_one_is_refused_and_recorded() {
    let lines = Lines::capture(POLLER, "platform");
    let served = Served::start(Limits::default()).await;
    let dialer = |tenants: &[&str]| {
        let trust = served.forge.trust(tenants);
        Dialer::new(served.forge.credential(POLLER), trust, Duration::from_secs(2))
    };
    let cases = [
        ("agent-002.p1.acme.serviceradar", &["acme"][..], "unexpected-peer", Some(AGENT)),
        ("agent-001.p1.globex.serviceradar", &["globex"][..], "unknown-issuer", None),
        ("agent-001.p1.globex.serviceradar", &["acme", "globex"][..], "unexpected-peer", Some(AGENT)),
    ];
    for (expected, tenants, reason, found) in cases {
        let refusals = lines.refusals().len();
        let peer: PeerName = expected.parse().unwrap();
        let error = dialer(tenants).dial(&peer, &served.host_port()).await.unwrap_err();
        let DialProblem::Refused(refusal) = &error.problem else { panic!("{error}") };
        assert_eq!(refusal.code(), reason, "{error}");
        let ours = lines.refusals().split_off(refusals);
        let ours: Vec<_> = ours.iter().filter(|record| record["dialled"] == expected).collect();
        assert_eq!(ours.len(), 1, "{ours:?}");
        assert_eq!(ours[0]["reason"], reason);
        assert_eq!(ours[0]["tenant"], peer.tenant().unwrap().as_str());
        assert_eq!(ours[0]["peer"], served.address.to_string());
        assert_eq!(ours[0]["identity"].as_str(), found);
    }
    let agent = AGENT.parse().unwrap();
    dialer(&["acme"]).dial(&agent, &served.host_port()).await.unwrap();
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn a_peer_that_is_silent_or_away_costs_no_more_than_the_limit() {
    let served = Served::start(Limits::default()).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string().parse().unwrap();
    let trust = served.forge.trust(&["acme"]);
    let dialer = Dialer::new(served.forge.credential(POLLER), trust, Duration::from_millis(100));
    let agent: PeerName = AGENT.parse().unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(5), dialer.dial(&agent, &address));
    let error = answered.await.expect("the limit is not kept").unwrap_err();
    assert!(matches!(error.problem, DialProblem::Timeout { limit_ms: 100 }), "{error}");
    drop(silent);
    let error = dialer.dial(&agent, &address).await.unwrap_err();
    assert!(matches!(error.problem, DialProblem::Unreachable(_)), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
