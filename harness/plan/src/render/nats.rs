//! `nats.conf`: an account per tenant, users named by the DNS SAN of their certificate, bounded exports and imports.
//!
//! Every line was tried against a real server; `research/nats-isolation.md` says which attack each one stops.

use std::fmt::{self, Write};

use bulkhead_identity::{PlatformName, TenantSlug};

use super::{RenderError, files};
use crate::placement::{Placement, ServicePlacement};
use crate::spec::TenantSpec;
use crate::topology::{ServiceId, Topology};

/// A tenant's JetStream quota, in MiB. Quotas are reservations: the server refuses to start when their sum is above
/// its own.
const TENANT_MEMORY_MIB: usize = 1;
const TENANT_FILE_MIB: usize = 64;
/// The platform's: one stream of results per tenant and one to spare.
const PLATFORM_MEMORY_MIB: usize = 4;
const RESULTS_STREAM_MIB: usize = 8;

/// The events that a tenant's components send the platform; those of `poller` are the poller's own.
const EVENTS: [&str; 2] = ["syslog", "otel"];

/// Connections of one tenant's account: generous for one agent, and in proportion for many.
const CONNECTIONS_MINIMUM: usize = 50;
const CONNECTIONS_PER_AGENT: usize = 4;

/// The broker's configuration, its tenants by slug.
///
/// # Errors
/// When the placement is that of another topology.
pub fn nats(topology: &Topology, placement: &Placement) -> Result<String, RenderError> {
    let place = placement.get(&ServiceId::Nats).ok_or(RenderError::NoPlace(ServiceId::Nats))?;
    let tenants = topology.tenants_by_slug();
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_config(&mut text, place, &tenants);
    Ok(text)
}

fn write_config(out: &mut String, place: &ServicePlacement, tenants: &[&TenantSpec]) -> fmt::Result {
    write_server(out, place, tenants.len())?;
    out.write_str("\naccounts {\n")?;
    out.write_str(
        "  # The server's own events. It has no users: nobody can log in to it.\n  SYS { users: [] }\n\n",
    )?;
    write_platform(out, tenants)?;
    write_admin(out)?;
    for tenant in tenants {
        write_tenant(out, tenant)?;
    }
    out.write_str("}\n")
}

fn write_server(out: &mut String, place: &ServicePlacement, tenants: usize) -> fmt::Result {
    let ServicePlacement { listen, files, data, .. } = place;
    let file = |name: &str| quoted(&format!("{files}/{name}"));
    let store = quoted(data.as_deref().unwrap_or(files));
    let memory = tenants * TENANT_MEMORY_MIB + PLATFORM_MEMORY_MIB;
    let disk = tenants * TENANT_FILE_MIB + platform_file_mib(tenants);
    write!(
        out,
        r#"# Rendered by Bulkhead: change the specification of the environment, not this file.
# One account per tenant; a user is the DNS SAN of a certificate. No monitoring port, no leaf nodes, no gateways, no
# WebSocket, no MQTT, no user for those without a certificate.
server_name: {server_name}
listen: "{listen}"

# Joined with the clients' own errors by connection: keep the times and the client IDs.
debug: false
trace: false
logtime: true

max_payload: 1MB
max_control_line: 2KB

tls {{
  cert_file: {certificate}
  key_file: {key}
  # The root alone: what keeps a tenant's authority to its tenant's names is its critical name constraint.
  ca_file: {root}
  verify_and_map: true
  min_version: "1.3"
  timeout: 2
}}

# The sum of all accounts' reservations.
jetstream {{
  store_dir: {store}
  max_mem: {memory}MB
  max_file: {disk}MB
}}

system_account: SYS
"#,
        server_name = PlatformName::Nats.common_name(),
        certificate = file(files::TLS_CHAIN),
        key = file(files::TLS_KEY),
        root = file(files::TRUST_ROOT),
    )
}

/// The poller's account: it hears every tenant's agents, with the prefix kept, and asks their jobs.
fn write_platform(out: &mut String, tenants: &[&TenantSpec]) -> fmt::Result {
    write!(
        out,
        r#"  PLATFORM {{
    jetstream {{ max_mem: {PLATFORM_MEMORY_MIB}MB, max_file: {disk}MB, max_streams: {streams}, max_consumers: {consumers}, max_bytes_required: true }}
    users: [ {{ user: "{poller}", allowed_connection_types: ["STANDARD"] }} ]
    exports: [
      {{ service: "admin.>", accounts: [ADMIN] }}
"#,
        disk = platform_file_mib(tenants.len()),
        streams = tenants.len() + 2,
        // A platform administrator reads one tenant's results at a time; every tenant's can be read at once.
        consumers = tenants.len() + 100,
        poller = PlatformName::Poller.common_name(),
    )?;
    for TenantSpec { slug, .. } in tenants {
        writeln!(
            out,
            r#"      {{ service: "svc.{slug}.>", accounts: [{account}] }}"#,
            account = account(slug)
        )?;
    }
    out.write_str("    ]\n    imports: [\n")?;
    for TenantSpec { slug, .. } in tenants {
        let account = account(slug);
        writeln!(out, r#"      {{ stream: {{ account: {account}, subject: "{slug}.agents.>" }} }}"#)?;
        for channel in EVENTS {
            let subject = format!("{slug}.events.{channel}.>");
            writeln!(out, r#"      {{ stream: {{ account: {account}, subject: "{subject}" }} }}"#)?;
        }
        writeln!(out, r#"      {{ service: {{ account: {account}, subject: "{slug}.jobs.>" }} }}"#)?;
    }
    out.write_str("    ]\n  }\n\n")
}

/// The administrators' account: they ask the poller, which sees who asks and records it.
fn write_admin(out: &mut String) -> fmt::Result {
    write!(
        out,
        r#"  ADMIN {{
    users: [ {{ user: "{admin}", allowed_connection_types: ["STANDARD"], permissions: {{
      publish: {{ allow: ["admin.>"] }}
      subscribe: {{ allow: ["_INBOX.>"] }}
    }} }} ]
    # Shared: the poller is told the user, not only the account.
    imports: [ {{ service: {{ account: PLATFORM, subject: "admin.>" }}, share: true }} ]
  }}
"#,
        admin = PlatformName::Admin.common_name(),
    )
}

fn write_tenant(out: &mut String, tenant: &TenantSpec) -> fmt::Result {
    let TenantSpec { slug, agents } = tenant;
    let connections = CONNECTIONS_MINIMUM.max(agents.len() * CONNECTIONS_PER_AGENT);
    write!(
        out,
        r#"
  {account} {{
    limits {{ max_connections: {connections}, max_subscriptions: 1000, max_payload: 256KB, max_leafnodes: 0 }}
    jetstream {{ max_mem: {TENANT_MEMORY_MIB}MB, max_file: {TENANT_FILE_MIB}MB, max_streams: 10, max_consumers: 50, max_bytes_required: true }}
    # Bounded by the tenant's own prefix on both sides: `>` would let one tenant speak as another. And by channel:
    # an agent that answers itself, or has its stream republish, is not held by its permissions to leave
    # `events.poller` to the poller.
    exports: [
      {{ stream: "{slug}.agents.>", accounts: [PLATFORM] }}
{events}
      {{ service: "{slug}.jobs.>", accounts: [PLATFORM] }}
    ]
    imports: [ {{ service: {{ account: PLATFORM, subject: "svc.{slug}.>" }}, to: "svc.>" }} ]
    users: [
"#,
        account = account(slug),
        events = EVENTS
            .map(|channel| format!(
                r#"      {{ stream: "{slug}.events.{channel}.>", accounts: [PLATFORM] }}"#
            ))
            .join("\n"),
    )?;
    for agent in agents {
        write_user(out, slug, &agent.of_tenant(slug).common_name())?;
    }
    out.write_str("    ]\n  }\n")
}

fn write_user(out: &mut String, slug: &TenantSlug, name: &str) -> fmt::Result {
    write!(
        out,
        r#"      {{ user: "{name}", allowed_connection_types: ["STANDARD"], permissions: {{
        publish: {{
          allow: ["{slug}.>", "svc.>", "$JS.API.>", "$JS.ACK.>", "$KV.>", "$O.>", "_INBOX.>"]
          # The last two are what the poller says of this tenant.
          deny: ["$JS.API.META.>", "$JS.API.ACCOUNT.>", "$JS.API.SERVER.>", "{slug}.pollers.>", "{slug}.events.poller.>"]
        }}
        subscribe: {{ allow: ["{slug}.>", "_INBOX.>", "$KV.>", "$O.>"] }}
        # To answer jobs: a check takes at most 10 s.
        allow_responses: {{ max: 1, expires: "15s" }}
      }} }}
"#
    )
}

/// A tenant's account. Slugs are lower case and reserve `platform`, `admin` and `sys`: nothing else begins with `T_`.
fn account(slug: &TenantSlug) -> String {
    format!("T_{slug}")
}

fn platform_file_mib(tenants: usize) -> usize {
    (tenants + 1) * RESULTS_STREAM_MIB
}

/// A string of the configuration's grammar: a path may have spaces or anything else in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
