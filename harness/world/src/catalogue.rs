//! Every disturbance.

use std::time::Duration;

use crate::disturbance::{Bounds, Deed, Disturbance, Reach};

const fn disturbance(id: &'static str, deed: Deed, title: &'static str) -> Disturbance {
    Disturbance {
        id,
        title,
        deed,
        lasts: Duration::from_secs(4),
        reach: Reach::OneTenant,
        bounds: Bounds::USUAL,
        not_on_processes: None,
    }
}

static CATALOGUE: [Disturbance; 9] = [
    Disturbance {
        reach: Reach::Everybody,
        ..disturbance(
            "nats-restart",
            Deed::RestartBroker,
            "NATS is stopped and started again, and again; what was acknowledged before is kept",
        )
    },
    disturbance("agent-killed", Deed::KillAgent, "one tenant's agent is killed and started again, and again"),
    Disturbance {
        not_on_processes: Some("plain processes share one loopback: there is no tenant's network to cut"),
        ..disturbance("network-cut", Deed::CutNetwork, "NATS is taken off one tenant's network and put back")
    },
    disturbance(
        "clock-off",
        Deed::ShiftClock,
        "one tenant's agent has certificates of tomorrow, then of yesterday: refused for that very reason",
    ),
    disturbance(
        "subject-flood",
        Deed::FloodSubjects,
        "one tenant publishes on its own subjects as fast as it can, half of it to the platform",
    ),
    disturbance(
        "connection-limit",
        Deed::TakeConnections,
        "one tenant takes every connection to NATS that it may have, and asks for more",
    ),
    disturbance(
        "stalled-handshakes",
        Deed::StallHandshakes,
        "one tenant begins 300 handshakes each with NATS, the poller and its agent, and finishes none",
    ),
    disturbance(
        "storage-full",
        Deed::FillStorage,
        "one tenant fills its share of JetStream, on disk and in memory, and goes on storing",
    ),
    disturbance(
        "large-reports",
        Deed::ReportAtLength,
        "one tenant's agent sends the poller the largest reports that it may, as fast as it can",
    ),
];

/// All of them, in the order in which they are run.
pub fn catalogue() -> &'static [Disturbance] {
    &CATALOGUE
}

/// The one of this name.
pub fn find(id: &str) -> Option<&'static Disturbance> {
    CATALOGUE.iter().find(|disturbance| disturbance.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disturbance_has_a_name_of_its_own_and_an_end() {
        for disturbance in catalogue() {
            assert!(std::ptr::eq(find(disturbance.id).unwrap(), disturbance), "{}", disturbance.id);
            assert!(!disturbance.lasts.is_zero() && disturbance.lasts < Duration::from_secs(30));
            assert!(disturbance.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
