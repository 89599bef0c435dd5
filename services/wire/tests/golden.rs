//! Field numbers and types of every message, held against bytes written by hand from ServiceRadar's contract.
//!
//! A tag is `number << 3 | kind`: kind 0 is a varint (`\x08` is field 1), kind 2 has a length (`\x0a` is field 1).

#![allow(clippy::expect_used, reason = "a helper of a test fails the test")]

use std::fmt::Debug;

use bulkhead_wire::sweep_completion_status::Status;
use bulkhead_wire::{
    PollerStatusChunk, PollerStatusRequest, PollerStatusResponse, ResultsChunk, ResultsRequest,
    ResultsResponse, ServiceStatus, StatusRequest, StatusResponse, SweepCompletionStatus,
};
use prost::Message;

fn assert_golden<M: Message + Default + PartialEq + Debug>(message: &M, golden: &[u8]) {
    let encoded = message.encode_to_vec();
    assert_eq!(encoded, golden, "the encoding of {message:?} has changed");
    assert_eq!(&M::decode(golden).expect("golden bytes decode"), message);
}

fn sweep() -> SweepCompletionStatus {
    SweepCompletionStatus {
        status: Status::Failed.into(),
        completion_time: 7,
        target_sequence: "t".into(),
        total_targets: 8,
        completed_targets: 9,
        error_message: "e".into(),
    }
}

const SWEEP: &[u8] = b"\x08\x04\x10\x07\x1a\x01t\x20\x08\x28\x09\x32\x01e";

fn service() -> ServiceStatus {
    ServiceStatus {
        service_name: "n".into(),
        available: true,
        message: b"m".to_vec(),
        service_type: "t".into(),
        response_time: 5,
        agent_id: "a".into(),
        poller_id: "p".into(),
        partition: "q".into(),
        source: "s".into(),
        kv_store_id: "k".into(),
    }
}

const SERVICE: &[u8] =
    b"\x0a\x01n\x10\x01\x1a\x01m\x22\x01t\x28\x05\x32\x01a\x3a\x01p\x42\x01q\x4a\x01s\x52\x01k";

#[test]
fn status_request() {
    let message = StatusRequest {
        service_name: "n".into(),
        service_type: "t".into(),
        agent_id: "a".into(),
        poller_id: "p".into(),
        details: "d".into(),
        port: 300,
    };
    assert_golden(&message, b"\x0a\x01n\x12\x01t\x1a\x01a\x22\x01p\x2a\x01d\x30\xac\x02");
}

#[test]
fn status_response() {
    let message = StatusResponse {
        available: true,
        message: b"m".to_vec(),
        service_name: "n".into(),
        service_type: "t".into(),
        response_time: 5,
        agent_id: "a".into(),
        poller_id: "p".into(),
    };
    assert_golden(&message, b"\x08\x01\x12\x01m\x1a\x01n\x22\x01t\x28\x05\x32\x01a\x3a\x01p");
}

#[test]
fn results_request() {
    let message = ResultsRequest {
        service_name: "n".into(),
        service_type: "t".into(),
        agent_id: "a".into(),
        poller_id: "p".into(),
        details: "d".into(),
        last_sequence: "6".into(),
        completion_status: Some(sweep()),
    };
    let head = b"\x0a\x01n\x12\x01t\x1a\x01a\x22\x01p\x2a\x01d\x32\x016\x3a\x0e";
    assert_golden(&message, &[head, SWEEP].concat());
}

#[test]
fn results_response() {
    let message = ResultsResponse {
        available: true,
        data: b"d".to_vec(),
        service_name: "n".into(),
        service_type: "t".into(),
        response_time: 5,
        agent_id: "a".into(),
        poller_id: "p".into(),
        timestamp: 8,
        current_sequence: "9".into(),
        has_new_data: true,
        sweep_completion: Some(sweep()),
    };
    let head =
        b"\x08\x01\x12\x01d\x1a\x01n\x22\x01t\x28\x05\x32\x01a\x3a\x01p\x40\x08\x4a\x019\x50\x01\x5a\x0e";
    assert_golden(&message, &[head.as_slice(), SWEEP].concat());
}

#[test]
fn results_chunk() {
    let message = ResultsChunk {
        data: b"d".to_vec(),
        is_final: true,
        chunk_index: 3,
        total_chunks: 4,
        current_sequence: "5".into(),
        timestamp: 6,
    };
    assert_golden(&message, b"\x0a\x01d\x10\x01\x18\x03\x20\x04\x2a\x015\x30\x06");
}

#[test]
fn sweep_completion_status() {
    assert_golden(&sweep(), SWEEP);
    let numbers =
        [Status::Unknown, Status::NotStarted, Status::InProgress, Status::Completed, Status::Failed];
    assert_eq!(numbers.map(|status| status as i32), [0, 1, 2, 3, 4]);
}

#[test]
fn poller_status_request() {
    let message = PollerStatusRequest {
        services: vec![service()],
        poller_id: "p".into(),
        agent_id: "a".into(),
        timestamp: 4,
        partition: "q".into(),
        source_ip: "i".into(),
        kv_store_id: "k".into(),
    };
    let tail = b"\x12\x01p\x1a\x01a\x20\x04\x2a\x01q\x32\x01i\x3a\x01k";
    assert_golden(&message, &[b"\x0a\x1c".as_slice(), SERVICE, tail].concat());
}

#[test]
fn poller_status_response() {
    assert_golden(&PollerStatusResponse { received: true }, b"\x08\x01");
}

#[test]
fn service_status() {
    assert_golden(&service(), SERVICE);
}

#[test]
fn poller_status_chunk() {
    let message = PollerStatusChunk {
        services: vec![service()],
        poller_id: "p".into(),
        agent_id: "a".into(),
        timestamp: 4,
        partition: "q".into(),
        source_ip: "i".into(),
        is_final: true,
        chunk_index: 8,
        total_chunks: 9,
        kv_store_id: "k".into(),
    };
    let tail = b"\x12\x01p\x1a\x01a\x20\x04\x2a\x01q\x32\x01i\x38\x01\x40\x08\x48\x09\x52\x01k";
    assert_golden(&message, &[b"\x0a\x1c".as_slice(), SERVICE, tail].concat());
}

#[test]
fn methods_have_the_paths_of_the_contract() {
    let code = include_str!("../src/generated/monitoring.rs");
    for path in [
        "/monitoring.AgentService/GetStatus",
        "/monitoring.AgentService/GetResults",
        "/monitoring.AgentService/StreamResults",
        "/monitoring.PollerService/ReportStatus",
        "/monitoring.PollerService/StreamStatus",
    ] {
        assert!(code.contains(&format!("\"{path}\"")), "no method {path}");
    }
}
