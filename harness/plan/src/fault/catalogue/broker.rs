//! Mistakes in the broker's configuration.

use crate::fault::Caller::{Admin, Hostile, Nobody, Other, Own, Poller};
use crate::fault::Object::Broker;
use crate::fault::nats::Accounts;
use crate::fault::pattern::cells;
use crate::fault::{Change, Fault, FileEdit, Red};

const CONF: &str = "services/nats/nats.conf";

const fn replace(text: &'static str, with: &'static str) -> FileEdit {
    FileEdit::Replace { file: CONF, text, with }
}

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "one-account-for-all",
        "All tenants share one account, each with permissions for its own prefix, inboxes and the JetStream API.",
        "research/nats-isolation.md, design a1: leaks replies, streams and consumers",
        Change::Accounts(Accounts::Shared),
        Red::Cells(&[cells("nats.listen-to-inboxes").by(&[Other]).open(), cells("nats.answer-into").by(&[Other]).open(), cells("js.read-message").by(&[Other]).open(), cells("js.capture").by(&[Other]).open(), cells("js.purge").by(&[Other]).open(), cells("nats.publish-to-inbox").by(&[Other]).open(), cells("js.back-up").by(&[Other]).open(), cells("js.consume").by(&[Other]).open(), cells("js.delete").by(&[Other]).open(), cells("js.delete-bucket").by(&[Other]).open(), cells("js.deliver-into").by(&[Other]).open(), cells("js.describe").by(&[Other]).open(), cells("js.list").by(&[Other]).open(), cells("js.list-names").by(&[Other]).open(), cells("js.mirror").by(&[Other]).open(), cells("js.pull-into").by(&[Other]).open(), cells("js.purge-namesake").by(&[Other]).open(), cells("js.put-object").by(&[Other]).open(), cells("js.put-value").by(&[Other]).open(), cells("js.read-direct").by(&[Other]).open(), cells("js.read-namesake").by(&[Other]).open(), cells("js.read-object").by(&[Other]).open(), cells("js.read-value").by(&[Other]).open(), cells("js.reconfigure").by(&[Other]).open(), cells("js.remove-message").by(&[Other]).open(), cells("js.republish").by(&[Other]).open(), cells("js.source").by(&[Other]).open(), cells("js.restore").by(&[Other]).open(), cells("js.name-consumers").by(&[Other]).open(), cells("js.list-consumers").by(&[Other]).open(), cells("js.describe-consumer").by(&[Other]).open(), cells("js.pause-consumer").by(&[Other]).open(), cells("js.unpin-consumer").by(&[Other]).open(), cells("js.take-next").by(&[Other]).open(), cells("js.acknowledge").by(&[Other]).open(), cells("js.delete-consumer").by(&[Other]).open(), cells("js.ask-account").by(&[Other]).open()]),
    )
    .may_also(&[// Whatever is done in the one account is done to everybody in it.
        cells("nats.*"), cells("js.*"), cells("broker.*")]),
    Fault::new(
        "one-account-own-streams",
        "All tenants share one account, and the JetStream API is limited to streams named after the tenant.",
        "research/nats-isolation.md, design a2: own streams capture others' subjects, allow_responses leaks",
        Change::Accounts(Accounts::SharedWithOwnStreams),
        Red::Cells(&[cells("js.capture").by(&[Other]).open(), cells("js.mirror").by(&[Other]).open(), cells("js.republish").by(&[Other]).open(), cells("nats.answer-into").by(&[Other]).open()]),
    )
    .may_also(&[// The account is one still: only what names another's stream is refused.
        cells("nats.*"), cells("js.*"), cells("broker.*")]),
    Fault::new(
        "one-account-pull-only",
        "All tenants share one account, and may only pull from streams that are there.",
        "research/nats-isolation.md, design a3: allow_responses and replies leak still",
        Change::Accounts(Accounts::SharedPullOnly),
        Red::Cells(&[cells("nats.answer-into").by(&[Other]).open(), cells("nats.ask-into").by(&[Other]).open()]),
    )
    .may_also(&[// Nobody can keep anything, so that of what is kept nothing can be said.
        cells("nats.*"), cells("js.*"), cells("broker.*")]),
    Fault::new(
        "broker-verifies-without-mapping",
        "The broker verifies certificates and does not map them to users (`verify` in place of `verify_and_map`).",
        "research/nats-isolation.md, attacks: CONNECT with another's user name leaks; research/serviceradar.md: upstream has both",
        Change::Files(&[replace("verify_and_map: true", "verify: true")]),
        Red::RefusesToStart("Authorization Violation"),
    ),
    Fault::new(
        "broker-default-user",
        "The broker verifies certificates without mapping them and takes everybody for one agent (`no_auth_user`).",
        "research/nats-isolation.md, attacks: no_auth_user leaks with verify",
        Change::Files(&[
            replace("verify_and_map: true", "verify: true"),
            FileEdit::Append { file: CONF, text: "\nno_auth_user: \"poller.serviceradar\"\n" },
        ]),
        Red::Cells(&[cells("nats.connect").by(&[Hostile("common-name-only")]).open(), cells("nats.connect-as").open()]),
    )
    .may_also(&[// Everybody is the poller, and nobody has an account of their own to show anything in.
        cells("nats.*"), cells("js.*"), cells("broker.*"), cells("admin.*"), cells("poller.*")]),
    Fault::new(
        "broker-asks-for-no-certificate",
        "The broker asks for no certificate and takes everybody for the poller.",
        "nats-server's default: tls without verify; research/nats-isolation.md, attacks: no certificate",
        Change::Files(&[
            replace("  verify_and_map: true\n", ""),
            FileEdit::Append { file: CONF, text: "\nno_auth_user: \"poller.serviceradar\"\n" },
        ]),
        Red::Cells(&[cells("nats.connect").by(&[Nobody]).open(), cells("nats.connect").by(&[Hostile("self-signed")]).open()]),
    )
    .may_also(&[// Everybody is the poller, and nobody has an account of their own to show anything in.
        cells("nats.*"), cells("js.*"), cells("broker.*"), cells("admin.*"), cells("poller.*")]),
    Fault::new(
        "broker-takes-old-tls",
        "The broker takes TLS 1.2, under which certificates travel in the clear.",
        "research/nats-isolation.md, design: min_version 1.3; nats-server's default is 1.2",
        Change::Files(&[replace("min_version: \"1.3\"", "min_version: \"1.2\"")]),
        Red::Cells(&[cells("tls.old-tls").at(&[Broker]).open()]),
    ),
    Fault::new(
        "broker-speaks-in-the-clear",
        "The broker takes connections without TLS beside those with it.",
        "nats-server's allow_non_tls; the class of STARTTLS stripping",
        Change::Files(&[FileEdit::Append { file: CONF, text: "\nallow_non_tls: true\n" }]),
        Red::Cells(&[cells("tls.in-the-clear").at(&[Broker]).otherwise()]),
    ),
    Fault::new(
        "exports-everything",
        "Tenants export all their subjects to the platform, which imports them all.",
        "research/nats-isolation.md, \"Why this shape\": export `>` and import `>` let one tenant speak as another at the poller",
        Change::Files(&[
            replace(
                "{ stream: \"{tenant}.agents.>\", accounts: [PLATFORM] }",
                "{ stream: \">\", accounts: [PLATFORM] }",
            ),
            replace(
                "{ stream: { account: T_{tenant}, subject: \"{tenant}.agents.>\" } }",
                "{ stream: { account: T_{tenant}, subject: \">\" } }",
            ),
            replace("allow: [\"{tenant}.>\", \"svc.>\",", "allow: [\">\","),
        ]),
        Red::Cells(&[cells("nats.publish").by(&[Other]).open()]),
    )
    .may_also(&[// What was refused by permission is now taken, and stays in the account; the platform hears all inboxes.
        cells("nats.*").by(&[Other, Poller]), cells("js.*").by(&[Other]), cells("broker.*").by(&[Own]), cells("admin.*").by(&[Own, Other]).otherwise()]),
    Fault::new(
        "tenants-import-platform-jetstream",
        "Tenants have no JetStream of their own, and the platform's is imported into their accounts.",
        "research/nats-isolation.md, \"Why this shape\": a tenant can then read and purge everybody's data",
        Change::Files(&[
            // With one of its own an account is answered by that one, whatever it imports: measured on nats-server 2.15.1.
            replace(
                "    jetstream { max_mem: 1MB, max_file: 64MB, max_streams: 10, max_consumers: 50, max_bytes_required: true }\n",
                "",
            ),
            replace(
                "      { service: \"admin.>\", accounts: [ADMIN] }\n",
                "      { service: \"admin.>\", accounts: [ADMIN] }\n      { service: \"$JS.API.>\" }\n",
            ),
            replace(
                "imports: [ { service: { account: PLATFORM, subject: \"svc.{tenant}.>\" }, to: \"svc.>\" } ]",
                "imports: [ { service: { account: PLATFORM, subject: \"svc.{tenant}.>\" }, to: \"svc.>\" }, { service: { \
                 account: PLATFORM, subject: \"$JS.API.>\" } } ]",
            ),
        ]),
        Red::Cells(&[cells("js.read-record").by(&[Other]).open(), cells("js.purge-record").by(&[Other]).otherwise()]),
    )
    .may_also(&[// Nobody can keep anything of their own, so that of what is kept nothing can be said.
        cells("js.*"), cells("broker.*").by(&[Own]), cells("nats.*").otherwise()]),
    Fault::new(
        "permissions-missing",
        "Agents may publish and listen to everything in their tenant's account.",
        "nats-server's default: a user without permissions may everything; the account is the one wall then",
        Change::Files(&[
            replace("allow: [\"{tenant}.>\", \"svc.>\",", "allow: [\">\","),
            replace("subscribe: { allow: [\"{tenant}.>\",", "subscribe: { allow: [\">\","),
        ]),
        Red::Cells(&[
            cells("nats.publish").by(&[Other]).otherwise(),
            cells("nats.subscribe").by(&[Other]).otherwise(),
            cells("js.store").by(&[Other]).otherwise(),
            cells("js.roll-up").by(&[Other]).otherwise(),
            cells("js.hear-advisories").by(&[Own]).open(),
            cells("js.hear-advisories").by(&[Other]).otherwise(),
            cells("broker.listen-to-system").by(&[Own]).otherwise(),
            cells("broker.ask-servers").by(&[Own]).otherwise(),
        ]),
    )
    .may_also(&[// The account still stands: what is taken stays in it.
        cells("nats.*").by(&[Own, Other]), cells("js.*").by(&[Other]).otherwise(), cells("broker.*").by(&[Own]).otherwise(), cells("admin.*").by(&[Own, Other]).otherwise()]),
    Fault::new(
        "agents-speak-as-the-poller",
        "Agents may publish what only the poller says of their tenant.",
        "research/serviceradar.md: <slug>.events.poller.health and <slug>.pollers.heartbeat are the poller's",
        Change::Files(&[replace(", \"{tenant}.pollers.>\", \"{tenant}.events.poller.>\"", "")]),
        Red::Cells(&[cells("nats.publish-as-poller").by(&[Own]).open()]),
    ),
    Fault::new(
        "meta-api-allowed",
        "Agents may call the parts of the JetStream API that concern the whole server.",
        "research/nats-isolation.md, attacks: META stepdown, SERVER.REMOVE, ACCOUNT.PURGE (CVE-2025-30215)",
        Change::Files(&[replace("\"$JS.API.META.>\", \"$JS.API.ACCOUNT.>\", \"$JS.API.SERVER.>\", ", "")]),
        Red::Cells(&[cells("js.purge-account").by(&[Other]).otherwise(), cells("broker.remove-server").by(&[Own]).otherwise(), cells("broker.step-down").by(&[Own]).otherwise()]),
    )
    .may_also(&[cells("js.purge-account").otherwise(), cells("broker.*").by(&[Own]).otherwise()]),
    Fault::new(
        "quotas-missing",
        "Tenants' accounts have no quotas: one takes the storage, the connections and the message sizes of all.",
        "research/nats-isolation.md, attacks: without limits another is starved",
        Change::Files(&[
            replace("max_subscriptions: 1000, max_payload: 256KB, ", ""),
            replace("limits { max_connections: 50, max_leafnodes: 0 }", "limits { max_leafnodes: 0 }"),
            replace(
                "jetstream { max_mem: 1MB, max_file: 64MB, max_streams: 10, max_consumers: 50, max_bytes_required: true }",
                "jetstream: enabled",
            ),
        ]),
        Red::Cells(&[
            cells("broker.connect-too-often").by(&[Own]).open(),
            cells("broker.publish-too-much").by(&[Own]).open(),
            cells("broker.reserve-too-much").by(&[Own]).open(),
        ]),
    ),
    Fault::new(
        "administrator-hears-everything",
        "The administrator is a user of the platform's account without permissions, and reads past the poller, unrecorded.",
        "CWE-266; research/serviceradar.md: administrators' access is logged",
        Change::Files(&[
            replace("users: [ { user: \"poller.serviceradar\", allowed_connection_types: [\"STANDARD\"] } ]",
                "users: [ { user: \"poller.serviceradar\" }, { user: \"admin.platform.serviceradar\" } ]"),
            replace("    users: [ { user: \"admin.platform.serviceradar\",", "    users: [ { user: \"nobody.platform.serviceradar\","),
        ]),
        Red::Cells(&[cells("nats.subscribe").by(&[Admin]).open(), cells("nats.subscribe-any-tenant").by(&[Admin]).open(), cells("nats.subscribe-everything").by(&[Admin]).open(), cells("nats.join-queue").by(&[Admin]).open(), cells("nats.request-job").by(&[Admin]).open()]),
    )
    .may_also(&[// The administrator's requests no longer say who asks, so that the poller answers none: whatever is read as it
        // is not read.
        cells("*").by(&[Admin]), cells("nats.*").otherwise(), cells("poller.*").otherwise(), cells("admin.*").otherwise(), cells("broker.*").otherwise(), cells("js.*").otherwise()]),
    Fault::new(
        "tenants-import-each-other",
        "One tenant's results are imported into another's account, under a prefix of its own.",
        "nats-server's stream imports with `prefix`; a share that was meant for a partner",
        Change::Files(&[
            replace(
                "{ stream: \"{tenant}.agents.>\", accounts: [PLATFORM] }",
                "{ stream: \"{tenant}.agents.>\", accounts: [PLATFORM, T_{other}] }",
            ),
            replace(
                "imports: [ { service: { account: PLATFORM, subject: \"svc.{tenant}.>\" }, to: \"svc.>\" } ]",
                "imports: [ { service: { account: PLATFORM, subject: \"svc.{tenant}.>\" }, to: \"svc.>\" }, { stream: { \
                 account: T_{previous}, subject: \"{previous}.agents.>\" }, prefix: \"{tenant}.partners\" } ]",
            ),
        ]),
        Red::Cells(&[cells("nats.listen-at-home").by(&[Other]).open()]),
    ),
];
