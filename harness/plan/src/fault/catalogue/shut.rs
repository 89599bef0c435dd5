//! Walls in the wrong place: what is anybody's right is refused. A platform that refuses everything is isolated as well, so
//! that each sentence which says that somebody may do something has to be seen to fail too.
//!
//! The access matrix is not asked about these: it is the scenarios that they test.

use crate::fault::{Change, Fault, FileEdit, Red};

const CONF: &str = "services/nats/nats.conf";

const fn replace(text: &'static str, with: &'static str) -> FileEdit {
    FileEdit::Replace { file: CONF, text, with }
}

const fn shut(
    id: &'static str,
    title: &'static str,
    reference: &'static str,
    change: &'static [FileEdit],
) -> Fault {
    Fault::new(id, title, reference, Change::Files(change), Red::Cells(&[]))
}

pub(super) const FAULTS: &[Fault] = &[
    shut(
        "one-connection-for-a-tenant",
        "The first tenant may have one connection to the broker, which its agent has: nobody else of it is let in.",
        "nats-server's max_connections of an account; a share that was reckoned without clients that connect anew",
        &[replace(
            "T_{first} {\n    limits { max_connections: 50,",
            "T_{first} {\n    limits { max_connections: 1,",
        )],
    ),
    shut(
        "agent-may-say-nothing",
        "The first tenant's agent may use the JetStream API, and may publish nothing of its own.",
        "nats-server's permissions: with an allow list, what is not on it is denied",
        &[replace("allow: [\"{first}.>\", \"svc.>\", ", "allow: [\"svc.>\", ")],
    ),
    shut(
        "agent-hears-no-jobs",
        "The first tenant's agent may listen to what agents say, and not to the jobs that it is given.",
        "nats-server's permissions: with an allow list, what is not on it is denied",
        &[replace("subscribe: { allow: [\"{first}.>\",", "subscribe: { allow: [\"{first}.agents.>\",")],
    ),
    shut(
        "agents-may-not-purge",
        "Agents may not purge streams of their own.",
        "a deny list that was written for other tenants' streams, which have the same subjects",
        &[replace("deny: [\"$JS.API.META.>\", ", "deny: [\"$JS.API.STREAM.PURGE.>\", \"$JS.API.META.>\", ")],
    ),
    shut(
        "platform-imports-no-results",
        "The platform does not import what the first tenant's agents say.",
        "nats-server's imports: an export that nobody imports reaches nobody",
        &[replace("      { stream: { account: T_{first}, subject: \"{first}.agents.>\" } }\n", "")],
    ),
];
