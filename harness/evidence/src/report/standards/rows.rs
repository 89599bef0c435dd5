//! The requirements, and the operations that are evidence for each.
//!
//! Sources: OWASP Application Security Verification Standard 5.0.0, V8.4.1 (level 2); OWASP Cheat Sheet Series,
//! "Multi-Tenant Application Security". What they ask is told in words of our own.

use bulkhead_plan::matrix::Column;

/// A public standard, as far as it is about tenants.
pub(super) struct Standard {
    pub(super) title: &'static str,
    pub(super) source: &'static str,
    pub(super) requirements: &'static [Requirement],
}

/// One thing that it asks.
pub(super) struct Requirement {
    /// What it is called by programs.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// In our words.
    pub(super) asks: &'static str,
    /// Operations by their codes (`js.*` is all that begin so), and whose attempts count. Each has to be attempted for the
    /// whole to be held: what some platform cannot show, as processes show no network walls, is named beside its family.
    pub(super) evidence: &'static [(&'static [&'static str], &'static [Column])],
    pub(super) cover: Cover,
}

/// How much of it this tool can show.
pub(super) enum Cover {
    /// As far as the platform has anything of the kind.
    Whole,
    /// Not this.
    Partly(&'static str),
    /// Why not.
    Nothing(&'static str),
}

use Column::{Admin, Broker, Hostile, Nobody, Other, Own, Poller};

const STRANGERS: &[Column] = &[Other, Hostile, Nobody];
const EVERYBODY: &[Column] = &[Own, Other, Poller, Admin, Broker, Hostile, Nobody];
const TENANTS: &[Column] = &[Own, Other];

pub(super) const STANDARDS: &[Standard] = &[
    Standard {
        title: "OWASP ASVS 5.0",
        source: "Application Security Verification Standard 5.0.0, chapter V8 Authorization, level 2.",
        requirements: &[Requirement {
            // As the standard wants its requirements to be referred to.
            id: "v5.0.0-8.4.1",
            title: "V8.4.1 Multi-tenant controls",
            asks: "What one tenant\u{2019}s consumers do never affects a tenant that they have no permission for.",
            evidence: &[(&["*", "net.reach"], STRANGERS), (&["disk.*", "broker.*"], TENANTS)],
            cover: Cover::Partly(
                "Web pages and consumers other than agents and administrators: the platform has none here.",
            ),
        }],
    },
    Standard {
        title: "OWASP Multi-Tenant Application Security cheat sheet: risks",
        source: "OWASP Cheat Sheet Series, the risks that it names.",
        requirements: RISKS,
    },
    Standard {
        title: "OWASP Multi-Tenant Application Security cheat sheet: practices",
        source: "OWASP Cheat Sheet Series, its eight groups of practices.",
        requirements: PRACTICES,
    },
];

const RISKS: &[Requirement] = &[
    Requirement {
        id: "multi-tenant-risk-leaks",
        title: "Data leaks between tenants",
        asks: "One tenant sees another\u{2019}s data.",
        evidence: &[(
            &["nats.subscribe*", "nats.listen-to-inboxes", "nats.join-queue", "js.*", "grpc.*"],
            STRANGERS,
        )],
        cover: Cover::Whole,
    },
    Requirement {
        id: "multi-tenant-risk-impersonation",
        title: "A tenant is impersonated",
        asks: "Somebody acts as another tenant.",
        evidence: &[(&["tls.*", "nats.connect*", "nats.ask-in-its-name", "poller.file-report"], STRANGERS)],
        cover: Cover::Partly(
            "Stolen keys: whoever has a tenant\u{2019}s key is that tenant until it is revoked.",
        ),
    },
    Requirement {
        id: "multi-tenant-risk-isolation-below",
        title: "Isolation is broken below",
        asks: "Tenants are not separated in storage, network or processes.",
        evidence: &[
            (&["net.*", "net.reach"], &[Nobody]),
            (&["js.*"], &[Other]),
            (&["disk.*"], &[Own, Poller, Broker]),
        ],
        cover: Cover::Partly(
            "Databases and caches: the platform has none here. Kernels and container runtimes.",
        ),
    },
    Requirement {
        id: "multi-tenant-risk-object-references",
        title: "Objects are reached by their names",
        asks: "To know or guess a name is enough to reach what has it.",
        evidence: &[(&["js.*", "nats.*", "admin.read-results"], &[Other])],
        cover: Cover::Whole,
    },
    Requirement {
        id: "multi-tenant-risk-noisy-neighbours",
        title: "Noisy neighbours",
        asks: "One tenant uses up what all share.",
        evidence: &[
            (
                &[
                    "broker.reserve-too-much",
                    "broker.publish-too-much",
                    "broker.connect-too-often",
                    "tls.take-all-places",
                ],
                &[Own],
            ),
            (&["tls.hold-the-door", "tls.be-silent"], &[Nobody]),
        ],
        cover: Cover::Partly("Processor time, memory and rates of calls and messages are not measured."),
    },
    Requirement {
        id: "multi-tenant-risk-privileges",
        title: "Privileges are gained across tenants",
        asks: "Administration is used by somebody who is no administrator.",
        evidence: &[(&["admin.read-results"], TENANTS), (&["broker.*"], &[Own])],
        cover: Cover::Whole,
    },
    Requirement {
        id: "multi-tenant-risk-forged-context",
        title: "The tenant in a request is forged",
        asks: "Identifiers in headers or metadata are believed.",
        evidence: &[
            (&["grpc.health+claim*", "grpc.get-status+claim*", "grpc.report-status+claim*"], EVERYBODY),
            (
                &[
                    "grpc.health+authority",
                    "grpc.get-status+authority",
                    "grpc.report-status+authority",
                    "nats.connect-as",
                    "nats.ask-in-its-name",
                ],
                EVERYBODY,
            ),
        ],
        cover: Cover::Whole,
    },
    Requirement {
        id: "multi-tenant-risk-poisoning",
        title: "Shared resources are poisoned",
        asks: "Queues, caches or storage are polluted for others.",
        evidence: &[(
            &[
                "nats.publish*",
                "nats.answer-into",
                "nats.receipt-into",
                "nats.ask-into",
                "js.store",
                "js.put-*",
                "js.republish",
                "js.deliver-into",
                "js.pull-into",
            ],
            &[Other],
        )],
        cover: Cover::Partly("Caches: the platform has none here."),
    },
    Requirement {
        id: "multi-tenant-risk-lifecycle",
        title: "Tenants come and go insecurely",
        asks: "Something is missing when a tenant is set up, or left when it is gone.",
        evidence: &[],
        cover: Cover::Nothing(
            "This table is of tenants that are there. Setting up and removing a tenant is not attempted.",
        ),
    },
    Requirement {
        id: "multi-tenant-risk-audit",
        title: "Gaps in the audit",
        asks: "Accesses leave no trace by which they can be told apart by tenant.",
        evidence: &[(&["grpc.*", "admin.read-results", "poller.file-report"], &[Own, Poller, Admin])],
        cover: Cover::Partly("Retention, and regulations: only that an access is on record when it happens."),
    },
];

const PRACTICES: &[Requirement] = &[
    Requirement {
        id: "multi-tenant-practice-1",
        title: "1. Tenant identification and context",
        asks: "The tenant comes from what was authenticated, early, and never from what a client says.",
        evidence: &[
            (&["tls.handshake", "nats.connect"], EVERYBODY),
            (
                &[
                    "grpc.health+claim*",
                    "grpc.get-status+claim*",
                    "grpc.report-status+claim*",
                    "nats.connect-as",
                    "nats.ask-in-its-name",
                ],
                EVERYBODY,
            ),
        ],
        cover: Cover::Partly(
            "Identifiers that cannot be guessed: names are known to all here, and no wall depends on them.",
        ),
    },
    Requirement {
        id: "multi-tenant-practice-2",
        title: "2. Isolation in databases",
        asks: "Databases, schemas or rows are separated by tenant.",
        evidence: &[],
        cover: Cover::Nothing(
            "The platform has no relational database here. What it keeps is in streams and buckets: see 6.",
        ),
    },
    Requirement {
        id: "multi-tenant-practice-3",
        title: "3. No access across tenants",
        asks: "Whether something belongs to the tenant is checked wherever it is reached.",
        evidence: &[(&["nats.*", "js.*", "grpc.*", "admin.*", "poller.*"], &[Other])],
        cover: Cover::Whole,
    },
    Requirement {
        id: "multi-tenant-practice-4",
        title: "4. Caches and sessions",
        asks: "Nothing cached, and no session, serves another tenant.",
        evidence: &[(&["tls.resume*"], TENANTS)],
        cover: Cover::Partly("Caches: the platform has none here. The sessions are those of TLS."),
    },
    Requirement {
        id: "multi-tenant-practice-5",
        title: "5. Interfaces and limits",
        asks: "Each call is checked, credentials are a tenant\u{2019}s own, and use is limited by tenant.",
        evidence: &[
            (&["grpc.*"], EVERYBODY),
            (&["broker.reserve-too-much", "broker.publish-too-much", "broker.connect-too-often"], &[Own]),
            (&["tls.take-all-places"], &[Own]),
        ],
        cover: Cover::Partly("Limits on the rate of calls are not attempted."),
    },
    Requirement {
        id: "multi-tenant-practice-6",
        title: "6. Files and blobs",
        asks: "What is stored is reached by its tenant alone.",
        evidence: &[(&["js.*"], TENANTS), (&["disk.*"], &[Own, Poller, Broker])],
        cover: Cover::Partly("Signed links, and encryption at rest with a key for each tenant."),
    },
    Requirement {
        id: "multi-tenant-practice-7",
        title: "7. Onboarding and offboarding",
        asks: "Tenants are set up with resources of their own, and removed without a rest.",
        evidence: &[],
        cover: Cover::Nothing("Not attempted in this table."),
    },
    Requirement {
        id: "multi-tenant-practice-8",
        title: "8. Logs, monitoring and audit",
        asks: "Every record names the tenant, and attempts across tenants are noticed.",
        evidence: &[(&["grpc.*", "tls.handshake", "admin.read-results"], EVERYBODY)],
        cover: Cover::Partly(
            "Alerts and retention. That refusals are recorded is part of judging each of them.",
        ),
    },
];
