//! Mistakes in how containers are put up.

use crate::fault::Object::{Agent, Broker};
use crate::fault::Place::{Host, OtherNetwork, Outside, PlatformNetwork};
use crate::fault::pattern::{Ground, cells};
use crate::fault::{Change, Covered, Fault, FileEdit, Red, Wiring};

const NO_NETWORKS: Covered =
    Covered::InContainers("processes on loopback have no networks that could be joined");

/// A further door of the broker's is on the networks that the broker is on, and nowhere else.
const NO_WAY_IN: &[crate::fault::Place] = &[Outside];

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "network-flat",
        "All agents are on one network, while each tenant is said to have its own.",
        "Compose and Kubernetes put everything on one network unless told otherwise (docs.docker.com, \"Networking in Compose\")",
        Change::Wiring(Wiring::Flat),
        Red::Cells(&[cells("net.reach").at(&[Agent]).from(&[PlatformNetwork]).open(), cells("net.reach").at(&[Agent]).from(&[OtherNetwork]).open()]),
    )
    .where_covered(NO_NETWORKS),
    Fault::new(
        "agent-on-another-network",
        "An agent of one tenant is on another tenant's network as well.",
        "a second `networks:` entry in a Compose file; CVE-2020-8558 is a wall with a second way around it",
        Change::Wiring(Wiring::GuestOfAnother),
        Red::Cells(&[cells("net.reach").at(&[Agent]).from(&[OtherNetwork]).open()]),
    )
    .where_covered(NO_NETWORKS),
    Fault::new(
        "agent-port-published",
        "Agents' ports are published on every address of the host.",
        "`ports:` in a Compose file binds 0.0.0.0 and goes around the host's firewall (docs.docker.com, \"Packet filtering\")",
        Change::Wiring(Wiring::PublishedAgents),
        Red::Cells(&[cells("net.published").at(&[Agent]).from(&[Host]).open()]),
    )
    .may_also(&[// For that the agents are on a network that leads out.
        cells("net.reach").at(&[Agent]).from(&[PlatformNetwork, OtherNetwork]).open()])
    .where_covered(Covered::InContainers("a process has no ports of this machine beside its own")),
    Fault::new(
        "agent-on-host-network",
        "An agent is put on the network of the host, past every tenant's own.",
        "`network_mode: host`, as upstream's Compose file runs agents for ICMP",
        Change::Wiring(Wiring::HostNetwork),
        Red::RefusesToStart("on the network of the host"),
    )
    .where_covered(NO_NETWORKS),
    Fault::new(
        "broker-monitoring-open",
        "The broker's monitoring port is open, which names every tenant to whoever asks.",
        "research/nats-isolation.md, attacks: monitoring port names every tenant, unauthenticated",
        Change::Files(&[FileEdit::Append {
            file: "services/nats/nats.conf",
            text: "\nhttp: \"0.0.0.0:{port 8222}\"\n",
        }]),
        Red::Cells(&[
            cells("net.monitoring").at(&[Broker]).open().on(Ground::Containers).unseen_from(NO_WAY_IN),
            cells("net.unplanned").at(&[Broker]).open().on(Ground::Processes),
        ]),
    ),
    Fault::new(
        "broker-leaf-nodes-allowed",
        "The broker lets leaf nodes join, without asking who they are.",
        "research/nats-isolation.md, design: max_leafnodes: 0; CVE-2026-33222 and GHSA-wh7g are of leaf nodes",
        Change::Files(&[FileEdit::Append {
            file: "services/nats/nats.conf",
            text: "\nleafnodes { listen: \"0.0.0.0:{port 7422}\" }\n",
        }]),
        Red::Cells(&[
            cells("net.leaf-nodes").at(&[Broker]).open().on(Ground::Containers).unseen_from(NO_WAY_IN),
            cells("net.unplanned").at(&[Broker]).open().on(Ground::Processes),
        ]),
    ),
    Fault::new(
        "broker-cluster-open",
        "The broker takes routes from other servers, without asking who they are.",
        "CVE-2022-24450: whoever is a route or a system account is anybody; nats-server's documentation on clustering",
        Change::Files(&[FileEdit::Append {
            file: "services/nats/nats.conf",
            text: "\ncluster { name: bulkhead, listen: \"0.0.0.0:{port 6222}\" }\n",
        }]),
        Red::RefusesToStart("JetStream cluster requires configured routes"),
    ),
    Fault::new(
        "broker-websocket-with-default-user",
        "The broker speaks WebSocket without TLS, and takes whoever comes there for an agent (`no_auth_user`).",
        "research/nats-isolation.md, attacks: no_auth_user leaks with verify, or on WebSocket and MQTT listeners",
        Change::Files(&[FileEdit::Append {
            file: "services/nats/nats.conf",
            text: "\nwebsocket { listen: \"0.0.0.0:{port 8080}\", no_tls: true, no_auth_user: \"poller.serviceradar\" }\n",
        }]),
        Red::Cells(&[
            cells("net.websocket").at(&[Broker]).open().on(Ground::Containers).unseen_from(NO_WAY_IN),
            cells("net.unplanned").at(&[Broker]).open().on(Ground::Processes),
        ]),
    ),
    Fault::new(
        "broker-mqtt-with-default-user",
        "The broker speaks MQTT without TLS, and takes whoever comes there for the poller (`no_auth_user`).",
        "research/nats-isolation.md, attacks: no_auth_user leaks with verify, or on WebSocket and MQTT listeners",
        Change::Files(&[FileEdit::Append {
            file: "services/nats/nats.conf",
            text: "\nmqtt { listen: \"0.0.0.0:{port 1883}\", no_auth_user: \"poller.serviceradar\" }\n",
        }]),
        Red::Cells(&[
            cells("net.mqtt").at(&[Broker]).open().on(Ground::Containers).unseen_from(NO_WAY_IN),
            cells("net.unplanned").at(&[Broker]).open().on(Ground::Processes),
        ]),
    ),
    Fault::new(
        "broker-gateway-open",
        "The broker takes gateways from other clusters, without asking who they are.",
        "nats-server's documentation on gateways: without `authorization` any server joins the super-cluster",
        Change::Files(&[FileEdit::Append {
            file: "services/nats/nats.conf",
            text: "\ngateway { name: bulkhead, listen: \"0.0.0.0:{port 7222}\" }\n",
        }]),
        Red::RefusesToStart("JetStream cluster requires configured routes"),
    ),
];
