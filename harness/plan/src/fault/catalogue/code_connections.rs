//! Mistakes in how connections and calls are let in, which only a build made for it can make.

use crate::fault::Caller::{Admin, Nobody, Other, Own};
use crate::fault::Object::{Agent, Poller};
use crate::fault::Place::{self, Host, PlatformNetwork};
use crate::fault::pattern::cells;
use crate::fault::{Change, Fault, Red};

const BOTH: Change = Change::Code { agents: true, poller: true };

/// Who calls from this machine has no certificate, and is refused before a word is said.
const NOBODY_CALLS: &[Place] = &[Host];
/// Beside that: who calls from the platform's network is of no tenant that could be claimed in place of another, or reaches the
/// poller alone.
const NO_TENANT_CALLS: &[Place] = &[Host, PlatformNetwork];

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "session-resumption",
        "Sessions are kept and taken up again, and nobody looks at the certificate then.",
        "CVE-2025-23419; research/mtls-identity.md: send_tls13_tickets = 0 and no session storage",
        BOTH,
        Red::Cells(&[cells("tls.resume*").open()]),
    ),
    Fault::new(
        "old-tls-accepted",
        "TLS 1.2 is spoken as well, under which certificates travel in the clear.",
        "RFC 8446, section 1.2; research/nats-isolation.md, design: min_version 1.3",
        BOTH,
        Red::Cells(&[cells("tls.old-tls").at(&[Agent, Poller]).open()]),
    )
    .may_also(&[
        // Who has no business there is refused a little later.
        cells("tls.old-tls").otherwise(),
    ]),
    Fault::new(
        "alpn-not-required",
        "The application protocol is not agreed on.",
        "CVE-2021-3618 (ALPACA); research/mtls-identity.md, attack catalogue: no ALPN",
        BOTH,
        Red::Cells(&[cells("tls.no-alpn").at(&[Agent, Poller]).open()]),
    ),
    Fault::new(
        "client-certificate-optional",
        "A client certificate is wanted and not demanded; who has none is taken for the poller.",
        "nginx' ssl_verify_client optional; one agent's handler is reachable without a client certificate",
        BOTH,
        Red::Cells(&[cells("grpc.*").by(&[Nobody]).open(), cells("tls.handshake").by(&[Nobody]).open()]),
    )
    .may_also(&[
        cells("grpc.*").by(&[Nobody]).otherwise(), // Who is let in does not ask in vain.
        cells("tls.ask-for-authorities").by(&[Nobody]),
    ]),
    Fault::new(
        "authority-ignored",
        "`:authority` is not compared with the service's own name.",
        "research/mtls-identity.md: :authority naming another agent must be refused",
        BOTH,
        Red::Cells(&[cells("grpc.*+authority").open().unseen_from(NOBODY_CALLS)]),
    ),
    Fault::new(
        "tenant-claim-ignored",
        "The tenant in the metadata is not compared with the certificate's.",
        "research/mtls-identity.md: an x-tenant-id must be absent or equal the certificate's",
        BOTH,
        Red::Cells(&[
            cells("grpc.*+claim").open().unseen_from(NOBODY_CALLS),
            cells("grpc.*+claim-unreadable").open().unseen_from(NOBODY_CALLS),
        ]),
    )
    .may_also(&[cells("grpc.*+claim*").open()]),
    Fault::new(
        "tenant-from-metadata",
        "The caller's tenant is what the metadata say.",
        "CWE-639; Grafana Loki's X-Scope-OrgID trusts whoever sets it",
        BOTH,
        Red::Cells(&[cells("grpc.*+claim").open().unseen_from(NO_TENANT_CALLS)]),
    )
    .may_also(&[cells("grpc.*+claim*").otherwise()]),
    Fault::new(
        "tenant-claim-first-counts",
        "Of several tenants in the metadata the first counts.",
        "CWE-235; research/mtls-identity.md, attack catalogue: duplicate tenant metadata",
        BOTH,
        Red::Cells(&[cells("grpc.*+claim-twice").open().unseen_from(NO_TENANT_CALLS)]),
    )
    .may_also(&[cells("grpc.*+claim-twice").otherwise()]),
    Fault::new(
        "tenant-claim-binary-overlooked",
        "A tenant in binary metadata is overlooked, which gRPC hands to readers decoded.",
        "research/mtls-identity.md, attack catalogue: `-bin` tenant metadata",
        BOTH,
        Red::Cells(&[cells("grpc.*+claim-binary").open().unseen_from(NOBODY_CALLS)]),
    ),
    Fault::new(
        "grants-ignored",
        "Whoever is verified may call everything.",
        "CWE-862",
        BOTH,
        Red::Cells(&[cells("grpc.*").by(&[Own]).at(&[Agent]).open()]),
    )
    .may_also(&[
        // A method that the service does not have ends without a record of a refusal.
        cells("grpc.*"),
    ]),
    Fault::new(
        "audit-refusals-missing",
        "Refusals leave no record.",
        "CWE-778; OWASP ASVS 5.0, V16.3",
        BOTH,
        Red::Cells(&[cells("tls.handshake").by(&[Other]).otherwise(), cells("grpc.*+claim").otherwise()]),
    )
    .may_also(&[cells("tls.*").otherwise(), cells("grpc.*").otherwise()]),
    Fault::new(
        "audit-accepted-missing",
        "Accepted connections and calls leave no record.",
        "CWE-778; research/serviceradar.md: each access is logged",
        BOTH,
        Red::Cells(&[cells("grpc.*").by(&[Own]).otherwise()]),
    )
    .may_also(&[
        cells("tls.*").otherwise(),
        cells("grpc.*").otherwise(), // The administrator's readings are accepted by the same record.
        cells("admin.read-results").by(&[Admin]).otherwise(),
    ]),
    Fault::new(
        "handshake-serial",
        "One handshake is served after the other: a silent client keeps everybody out.",
        "research/mtls-identity.md: a serial accept let one silent client block everybody",
        BOTH,
        Red::Cells(&[cells("tls.hold-the-door").open()]),
    ),
    Fault::new(
        "handshake-timeout-missing",
        "A client that is silent is waited for without end.",
        "CWE-400; research/mtls-identity.md: each handshake in its own task with a timeout and a cap",
        BOTH,
        Red::Cells(&[cells("tls.be-silent").at(&[Agent, Poller]).open()]),
    ),
    Fault::new(
        "places-shared",
        "Connections and calls are counted for all tenants together: one can use up all of them.",
        "research/nats-isolation.md, attacks: without limits another is starved",
        BOTH,
        Red::Cells(&[cells("tls.take-all-places").open()]),
    ),
    Fault::new(
        "nats-plain-text-allowed",
        "TLS to the broker is used if the server wants it, and one in the broker's place need not.",
        "the class of STARTTLS stripping: a NATS server says tls_required in the clear",
        BOTH,
        Red::Cells(&[cells("tls.impersonate").by(&[Nobody]).open()]),
    ),
];
