//! Mistakes in what services are given.

use crate::fault::Caller::{Broker, Own, Poller};
use crate::fault::Object::{OpenKey, OtherTenant, OwnTenant, Root};
use crate::fault::pattern::cells;
use crate::fault::{Change, Covered, Fault, FileEdit, Red, Wiring};

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "foreign-authority-given",
        "Another tenant's authority lies among an agent's trust files.",
        "CWE-295; research/mtls-identity.md: the configured tenant CA is what the verifier goes by",
        Change::Files(&[FileEdit::Copy {
            from: "certs/tenants/{other}/ca.pem",
            to: "services/tenants/{tenant}/{agent}/trust/partner.pem",
        }]),
        Red::Cells(&[cells("disk.trust").by(&[Own]).at(&[OtherTenant]).open()]),
    ),
    Fault::new(
        "foreign-authority-trusted",
        "Another tenant's authority is appended to the trust file of an agent.",
        "research/serviceradar.md: upstream's services trust a bundle; a bundle that grows is how tenants come together",
        Change::Files(&[FileEdit::AppendFile {
            from: "certs/tenants/{other}/ca.pem",
            to: "services/tenants/{tenant}/{agent}/trust/tenant.pem",
        }]),
        Red::RefusesToStart("there are 2 certificates in it instead of the authority's one"),
    ),
    Fault::new(
        "foreign-authority-configured",
        "An agent's configuration lists another tenant's authority beside its own.",
        "research/mtls-identity.md: the issuer decides the policy",
        Change::Files(&[
            FileEdit::Copy {
                from: "certs/tenants/{other}/ca.pem",
                to: "services/tenants/{tenant}/{agent}/trust/partner.pem",
            },
            FileEdit::Copy {
                from: "certs/tenants/{other}/ca.crl.pem",
                to: "services/tenants/{tenant}/{agent}/trust/partner.crl.pem",
            },
            FileEdit::Replace {
                file: "services/tenants/{tenant}/{agent}/agent.yaml",
                text: "trust/tenant.pem",
                with: "trust/partner.pem",
            },
            FileEdit::Replace {
                file: "services/tenants/{tenant}/{agent}/agent.yaml",
                text: "trust/tenant.crl.pem",
                with: "trust/partner.crl.pem",
            },
        ]),
        Red::RefusesToStart("trust.tenant has the authority of tenant "),
    ),
    Fault::new(
        "authority-key-mounted",
        "A tenant's authority's key is mounted into its agents.",
        "research/serviceradar.md: Kubernetes Secret tenant-<slug>-ca holds tls.key; whoever mounts it whole mounts the key",
        Change::Files(&[FileEdit::Copy {
            from: "certs/tenants/{tenant}/ca-key.pem",
            to: "services/tenants/{tenant}/{agent}/trust/ca-key.pem",
        }]),
        Red::Cells(&[cells("disk.authority-key").by(&[Own]).at(&[OwnTenant]).open()]),
    ),
    Fault::new(
        "certificates-shared",
        "One volume with everybody's certificates and keys is mounted into the agents' containers.",
        "upstream's Compose file mounts one volume of certificates into every service (research/serviceradar.md)",
        Change::Wiring(Wiring::SharedCertificates),
        Red::Cells(&[
            cells("disk.authority-key").by(&[Own]).at(&[Root, OwnTenant, OtherTenant]).open(),
            cells("disk.key").by(&[Own]).at(&[OtherTenant]).open(),
            cells("disk.trust").by(&[Own]).at(&[OtherTenant]).open(),
        ]),
    )
    // The keys of the platform's own services are in the folder as well.
    .may_also(&[cells("disk.*").by(&[Own]).open()])
    .where_covered(Covered::InContainers("a process has no volumes: it reads what it is given, or what its user may")),
    Fault::new(
        "root-key-mounted",
        "The root's key is mounted into the broker, together with the root's certificate.",
        "CWE-522; design, isolation model: no CA key is ever mounted",
        Change::Files(&[FileEdit::Copy {
            from: "certs/root-key.pem",
            to: "services/nats/trust/root-key.pem",
        }]),
        Red::Cells(&[cells("disk.authority-key").by(&[Broker]).at(&[Root]).open()]),
    ),
    Fault::new(
        "poller-holds-agents-keys",
        "The poller is given the agents' own certificates and keys, to dial as them.",
        "CWE-522; one Secret for all components is how charts begin",
        Change::Files(&[FileEdit::Copy {
            from: "certs/tenants/{tenant}/components/{agent}-key.pem",
            to: "services/poller/agents/{tenant}-{agent}-key.pem",
        }]),
        Red::Cells(&[cells("disk.key").by(&[Poller]).at(&[OtherTenant]).open()]),
    ),
    Fault::new(
        "key-readable-by-everybody",
        "An agent's key may be read by every user of its machine.",
        "CWE-732; research/containers.md, pitfall 4: never loosen the mode",
        Change::Files(&[FileEdit::Mode {
            file: "services/tenants/{tenant}/{agent}/tls/key.pem",
            mode: 0o644,
        }]),
        Red::RefusesToStart("every user of this machine can read it"),
    ),
    Fault::new(
        "broker-key-readable-by-everybody",
        "The broker's key may be read by every user of its machine, which the broker does not mind.",
        "CWE-732; nats-server reads a key of any mode",
        Change::Files(&[FileEdit::Mode { file: "services/nats/tls/key.pem", mode: 0o644 }]),
        Red::Cells(&[cells("disk.open-key").by(&[Broker]).at(&[OpenKey]).open()]),
    ),
    Fault::new(
        "key-readable-by-group",
        "Agents' keys may be read by their group, which on a machine is everybody with the same default group.",
        "CWE-732; Kubernetes mounts Secrets 0644 and, with fsGroup, 0440",
        Change::Files(&[FileEdit::Mode {
            file: "services/tenants/{tenant}/{agent}/tls/key.pem",
            mode: 0o640,
        }]),
        Red::Cells(&[cells("disk.open-key").by(&[Own]).at(&[OpenKey]).open()]),
    ),
];
