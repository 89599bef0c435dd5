//! Whether the catalogue of faults has one for everything that is denied: what no fault turns red proves nothing.

use std::collections::BTreeMap;

use bulkhead_plan::access::{Expectation, Model, Who};
use bulkhead_plan::fault::Ground;
use bulkhead_plan::matrix::Plan;

use crate::faults::{BACKENDS, covered, topologies};

/// Operations that are denied to somebody and that no fault turns red, and why not.
const UNSHAKEN: [(&str, &str); 3] = [
    (
        "nats.ask-in-its-name",
        "the broker writes who asks over whatever a client wrote, and nothing turns that off",
    ),
    (
        "net.cluster",
        "with JetStream and no routes the broker refuses to start: the fault is broker-cluster-open",
    ),
    ("net.gateway", "the same, for which the fault is broker-gateway-open"),
];

#[test]
fn every_operation_that_is_denied_to_somebody_is_turned_red_by_a_fault() {
    let mut denied = BTreeMap::<String, bool>::new();
    for topology in topologies() {
        for backend in BACKENDS {
            let plan = Plan::of(&Model::of_topology(&topology, backend));
            for planned in plan.cells() {
                if matches!(planned.expected, Expectation::Denied(_) | Expectation::Unreachable) {
                    let shaken = covered(backend).any(|fault| {
                        fault.required(Ground::of(backend)).any(|red| red.matches(&planned.cell))
                    });
                    *denied.entry(planned.cell.operation.code()).or_default() |= shaken;
                }
            }
        }
    }
    let unshaken: Vec<&str> =
        denied.iter().filter(|(_, shaken)| !**shaken).map(|(code, _)| code.as_str()).collect();
    let listed: Vec<&str> = UNSHAKEN.iter().map(|(code, _)| *code).collect();
    assert_eq!(unshaken, listed, "an operation that no fault turns red proves nothing");
}

/// What is wrong with certificates that our own services refuse, and that no fault lets pass, and why not.
const UNFORGED: [(&str, &str); 3] = [
    (
        "extra-name",
        "two walls: the authority may not name it, and a leaf has one name; one mistake leaves the other",
    ),
    (
        "other-alternative-name",
        "two walls as well: the authority may not name it, and it differs from the subject",
    ),
    (
        "valid",
        "nothing is wrong with it: real certificates of others stand for it, let pass by verifier-root-is-enough",
    ),
];

#[test]
fn every_flaw_that_our_services_refuse_is_let_pass_by_a_fault() {
    let mut refused = BTreeMap::<&'static str, bool>::new();
    for topology in topologies() {
        for backend in BACKENDS {
            let plan = Plan::of(&Model::of_topology(&topology, backend));
            for planned in plan.cells() {
                let Who::Forged { flaw, .. } = &planned.cell.who else { continue };
                let code = planned.cell.operation.code();
                if code == "tls.handshake" && matches!(planned.expected, Expectation::Denied(_)) {
                    let shaken = covered(backend).any(|fault| {
                        fault.required(Ground::of(backend)).any(|red| red.matches(&planned.cell))
                    });
                    *refused.entry(flaw.code()).or_default() |= shaken;
                }
            }
        }
    }
    let unshaken: Vec<&str> = refused.iter().filter(|(_, shaken)| !**shaken).map(|(code, _)| *code).collect();
    let listed: Vec<&str> = UNFORGED.iter().map(|(code, _)| *code).collect();
    assert!(refused.len() > 10, "{refused:?}");
    assert_eq!(unshaken, listed, "a flaw that no fault lets pass proves nothing");
}
