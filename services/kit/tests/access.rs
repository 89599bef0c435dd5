//! The access layer behind a real connection: what the metadata, the authority and the method may be.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use bulkhead_kit::tls::Limits;
use bulkhead_test_support::{Lines, eventually};
use common::{AGENT, HEALTH, POLLER, Served};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

async fn check(channel: Channel, metadata: MetadataMap) -> Result<(), Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    *request.metadata_mut() = metadata;
    HealthClient::new(channel).check(request).await.map(|_| ())
}

fn metadata(pairs: &[(&'static str, &str)]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for (key, value) in pairs {
        metadata.append(*key, value.parse().unwrap());
    }
    metadata
}

#[tokio::test]
async fn a_tenant_in_the_metadata_can_only_repeat_the_truth() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let channel = served.dial_as(POLLER).await.channel;
    check(channel.clone(), metadata(&[("x-tenant-id", "acme")])).await.unwrap();
    let calls = served.calls();
    let mut binary = MetadataMap::new();
    binary.insert_bin("x-tenant-id-bin", MetadataValue::from_bytes(b"acme"));
    let cases = [
        ("tenant-claim-differs", metadata(&[("x-tenant-id", "globex")])),
        ("tenant-claim-repeated", metadata(&[("x-tenant-id", "acme"), ("x-tenant-id", "acme")])),
        ("tenant-claim-repeated", metadata(&[("x-tenant-id", "acme"), ("x-tenant-id", "globex")])),
        ("tenant-claim-unreadable", metadata(&[("x-tenant-id", "acme,globex")])),
        ("tenant-metadata-binary", binary),
    ];
    for (reason, metadata) in cases {
        let refusals = lines.refusals().len();
        let status = check(channel.clone(), metadata).await.expect_err(reason);
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, reason));
        let records = lines.refusals().split_off(refusals);
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0]["reason"], reason);
        assert_eq!(records[0]["layer"], "grpc");
        assert_eq!(records[0]["identity"], POLLER);
        assert_eq!(records[0]["method"], format!("/{HEALTH}/Check"));
    }
    assert_eq!(served.calls(), calls, "a refused call reached a handler");
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn a_call_for_another_agent_is_not_answered() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let client = served.raw(Some(&served.forge.issue(POLLER)));
    check(client.channel("127.0.0.1:50051").await, MetadataMap::new()).await.unwrap();
    let calls = served.calls();
    for authority in ["agent-001.p1.globex.serviceradar", "agent-002.p1.acme.serviceradar:50051"] {
        let status = check(client.channel(authority).await, MetadataMap::new()).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::PermissionDenied, "wrong-authority"),
            "{authority}"
        );
    }
    assert_eq!(served.calls(), calls, "a refused call reached a handler");
    assert_eq!(lines.refusals().len(), 2);
    check(client.channel(AGENT).await, MetadataMap::new()).await.unwrap();
}

#[tokio::test]
async fn whom_the_handshake_lets_in_may_still_not_call_everything() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let member = served.dial_as("agent-002.p1.acme.serviceradar").await.channel;
    check(member, MetadataMap::new()).await.unwrap();
    let calls = served.calls();
    let admin = served.dial_as("admin.platform.serviceradar").await.channel;
    let status = check(admin, MetadataMap::new()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not-granted"));
    assert_eq!(served.calls(), calls, "a refused call reached a handler");
    assert_eq!(lines.refusals()[0]["identity"], "admin.platform.serviceradar");
}

#[tokio::test]
async fn oversized_metadata_reach_no_handler() {
    let served = Served::start(Limits::default()).await;
    let channel = served.dial_as(POLLER).await.channel;
    check(channel.clone(), metadata(&[("x-small", &"x".repeat(1024))])).await.unwrap();
    let calls = served.calls();
    check(channel, metadata(&[("x-large", &"x".repeat(64 * 1024))])).await.unwrap_err();
    assert_eq!(served.calls(), calls, "oversized metadata reached a handler");
    served.assert_answers_the_poller().await;
}

#[tokio::test]
async fn a_call_is_recorded_with_the_trace_that_it_belongs_to() {
    let lines = Lines::capture(AGENT, "acme");
    let served = Served::start(Limits::default()).await;
    let channel = served.dial_as(POLLER).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    check(channel.channel, metadata(&[("traceparent", &parent)])).await.unwrap();
    let record = eventually("the record of the call", async || {
        let found = lines.audit().into_iter().find(|record| record["layer"] == "grpc");
        found.ok_or_else(|| format!("{:?}", lines.audit()))
    });
    let record = record.await;
    assert_eq!(record["event"], "accepted");
    assert_eq!(record["trace_id"], trace);
    assert_eq!(record["peer"], channel.local.to_string());
    assert_eq!(record["tenant"], "acme");
}
