//! Mistakes in what poller and agents do with what they learn, which only a build made for it can make.

use crate::fault::Caller::{Admin, Hostile, Other, Own};
use crate::fault::Object::Agent;
use crate::fault::pattern::cells;
use crate::fault::{Change, Fault, FileEdit, Red};

const CONF: &str = "services/nats/nats.conf";
const POLLER: Change = Change::Code { agents: false, poller: true };
const AGENTS: Change = Change::Code { agents: true, poller: false };

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "results-under-next-tenant",
        "What was collected is published under the next tenant's prefix: an index that slips.",
        "CWE-129; design, isolation model: subject prefix per tenant",
        POLLER,
        Red::Cells(&[cells("poller.file-polled").by(&[Other]).open()]),
    )
    .may_also(&[// What is reported takes the same way.
        cells("poller.*")]),
    Fault::new(
        "results-without-prefix",
        "What the poller publishes goes out without the tenant's prefix.",
        "research/serviceradar.md: subjects are <slug>.…; the prefix came with multi-tenancy",
        POLLER,
        Red::Cells(&[cells("poller.file-polled").by(&[Own])]),
    )
    .may_also(&[cells("poller.*")]),
    Fault::new(
        "reports-by-claim",
        "A report is filed under the tenant and agent that it names, and not under the certificate's.",
        "CWE-639; research/serviceradar.md: PollerStatusRequest has fields for partition and agent",
        POLLER,
        Red::Cells(&[cells("poller.file-report").by(&[Other]).open()]),
    )
    .may_also(&[// What is in another's name is not looked at as the reporter's.
        cells("grpc.report-for-another").open()]),
    Fault::new(
        "report-filed-for-everyone",
        "What is learnt is filed under every tenant: a broadcast where an address was meant.",
        "CWE-668",
        POLLER,
        Red::Cells(&[cells("poller.file-report").by(&[Other]).open(), cells("poller.file-polled").by(&[Other]).open()]),
    ),
    Fault::new(
        "inner-names-collide",
        "What an agent found is kept under its inner name, which every tenant has alike.",
        "NACK#310 and CVE-2023-46254: collisions of names",
        POLLER,
        Red::Cells(&[cells("poller.file-polled").by(&[Other]).open()]),
    ),
    Fault::new(
        "foreign-answers-accepted",
        "What an agent says in another's name is taken as it is, and stored under its own tenant.",
        "CWE-345",
        POLLER,
        Red::Cells(&[cells("grpc.report-for-another").open()]),
    ),
    Fault::new(
        "admin-audit-missing",
        "The administrator's reading leaves no record.",
        "research/serviceradar.md: each access of administrators is logged",
        POLLER,
        Red::Cells(&[cells("admin.read-results").by(&[Admin]).otherwise()]),
    ),
    Fault::new(
        "admin-cache-without-tenant",
        "The last answer to the administrator is given again for a second, whatever tenant is asked about.",
        "CWE-524; a cache whose key lacks the tenant",
        POLLER,
        Red::Cells(&[cells("admin.read-results").by(&[Admin]).otherwise()]),
    )
    .may_also(&[// What is kept of a tenant is read as the administrator reads it.
        cells("poller.*")]),
    Fault::new(
        "admin-anybody",
        "Whoever reaches the administrator's subject is answered, and the broker lets tenants reach it.",
        "CWE-862; the broker's permissions stand before it",
        Change::PollerAndFiles(&[
            FileEdit::Replace {
                file: CONF,
                text: "{ service: \"admin.>\", accounts: [ADMIN] }",
                with: "{ service: \"admin.>\" }",
            },
            FileEdit::Replace {
                file: CONF,
                text: "imports: [ { service: { account: PLATFORM, subject: \"svc.{tenant}.>\" }, to: \"svc.>\" } ]",
                with: "imports: [ { service: { account: PLATFORM, subject: \"svc.{tenant}.>\" }, to: \"svc.>\" }, { service: { \
                       account: PLATFORM, subject: \"admin.>\" } } ]",
            },
            FileEdit::Replace {
                file: CONF,
                text: "allow: [\"{tenant}.>\", \"svc.>\",",
                with: "allow: [\"{tenant}.>\", \"svc.>\", \"admin.>\",",
            },
        ]),
        Red::Cells(&[cells("admin.read-results").by(&[Own]).open(), cells("admin.read-results").by(&[Other]).open()]),
    ),
    Fault::new(
        "stream-acknowledges",
        "A tenant's stream acknowledges what it keeps, on a reply subject that the tenant chose.",
        "research/nats-isolation.md, attacks: PubAck with reply into another's space",
        POLLER,
        Red::Cells(&[cells("nats.receipt-into").by(&[Other]).open()]),
    )
    .may_also(&[cells("nats.receipt-into").by(&[Own]).open()]),
    Fault::new(
        "one-stream-for-all",
        "The platform keeps all tenants' results in one stream.",
        "research/nats-isolation.md, \"Why this shape\": roll-ups, message ids and floods of one tenant hit all",
        POLLER,
        Red::Cells(&[cells("nats.take-message-id").by(&[Other]).open()]),
    )
    .may_also(&[// Whoever reads one tenant's results reads everybody's, and the stream that is looked for is not there.
        cells("nats.*").otherwise(), cells("js.*").otherwise(), cells("js.read-record").broken(), cells("poller.*"), cells("admin.*").otherwise()]),
    Fault::new(
        "stream-rollup-allowed",
        "A tenant's message may replace everything that the platform has kept of it.",
        "research/nats-isolation.md, \"Why this shape\": roll-up off",
        POLLER,
        Red::Cells(&[cells("js.roll-up-record").by(&[Own]).open()]),
    )
    .may_also(&[// Whoever looks at what is kept may find it replaced just now, which says nothing of what was looked for.
        cells("nats.publish*").otherwise(), cells("nats.receipt-into").otherwise(), cells("nats.take-message-id").otherwise(), cells("js.*-record").otherwise(), cells("poller.file-*").otherwise(), cells("admin.read-results").otherwise()]),
    Fault::new(
        "agent-any-poller",
        "Any platform service and any component of the own tenant is believed to be the poller.",
        "CWE-863",
        AGENTS,
        Red::Cells(&[cells("grpc.get-*").by(&[Own]).at(&[Agent]).open()]),
    )
    .may_also(&[// The same agent, with something behind its certificate.
        cells("grpc.*").by(&[Hostile("trailing-certificate")]).at(&[Agent]).open(), cells("grpc.stream-results").by(&[Own]).at(&[Agent]).open()]),
    Fault::new(
        "agent-id-ignored",
        "An agent answers what was meant for another.",
        "CWE-441",
        AGENTS,
        Red::Cells(&[cells("grpc.ask-for-another").at(&[Agent]).open()]),
    ),
];
