//! Mistakes in what poller and agents do with what they learn, which only a build made for it can make.

use crate::fault::Caller::{Admin, Hostile, Other, Own};
use crate::fault::Object::Agent;
use crate::fault::pattern::cells;
use crate::fault::{Change, Covered, Fault, Red};

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
    ),
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
        Red::Cells(&[cells("poller.file-in-anothers-name").by(&[Own]).open()]),
    )
    .where_covered(Covered::Nowhere(
        "the matrix has no agent that answers in another's name: the ones that run tell the truth",
    )),
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
    ),
    Fault::new(
        "admin-anybody",
        "Whoever can reach the administrator's subject is answered.",
        "CWE-862; the broker's permissions stand before it",
        POLLER,
        Red::Cells(&[cells("admin.read-results").by(&[Other]).open()]),
    )
    .where_covered(Covered::Nowhere(
        "nobody but the poller itself gets past the broker's permissions to that subject: a second wall would have to be taken \
         down as well",
    )),
    Fault::new(
        "stream-acknowledges",
        "A tenant's stream acknowledges what it keeps, on a reply subject that the tenant chose.",
        "research/nats-isolation.md, attacks: PubAck with reply into another's space",
        POLLER,
        Red::Cells(&[cells("nats.receipt-into").by(&[Other]).open()]),
    )
    .may_also(&[cells("nats.receipt-into").by(&[Own]).open()]),
    Fault::new(
        "stream-rollup-allowed",
        "A tenant's message may replace everything that the platform has kept of it.",
        "research/nats-isolation.md, \"Why this shape\": roll-up off",
        POLLER,
        Red::Cells(&[cells("js.roll-up-record").by(&[Own]).open()]),
    ),
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
    )
    .where_covered(Covered::Nowhere("the matrix's calls name no other agent in `agent_id`")),
];
