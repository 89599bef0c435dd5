//! What a person pastes next: lines for stock tools that work as they stand, on the host, in any directory.

use std::fmt;
use std::path::Path;

use bulkhead_identity::TenantSlug;

use crate::environment::{AgentRecord, BackendKind, Credential, EnvironmentRecord, TenantRecord};

/// One line for a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it shows.
    pub shows: String,
    /// The line itself.
    pub command: String,
}

/// The lines of one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// Those of the platform.
    pub platform: Vec<Line>,
    /// Those of each tenant, in the order of the specification.
    pub tenants: Vec<(TenantSlug, Vec<Line>)>,
}

/// The lines for an environment. `protos` is the directory with `monitoring.proto`, which `grpcurl` needs: the
/// services do not describe themselves to strangers.
pub fn guide(record: &EnvironmentRecord, protos: &Path) -> Guide {
    let writer = Writer { record, protos };
    let tenants = record.tenants.iter().enumerate().map(|(position, tenant)| {
        let others = record.tenants.iter().cycle().skip(position + 1);
        let other = others.take(1).find(|other| other.slug != tenant.slug);
        (tenant.slug.clone(), writer.tenant(tenant, other))
    });
    Guide { tenants: tenants.collect(), platform: writer.platform() }
}

struct Writer<'a> {
    record: &'a EnvironmentRecord,
    protos: &'a Path,
}

impl Writer<'_> {
    fn platform(&self) -> Vec<Line> {
        let platform = &self.record.platform;
        let mut lines = Vec::new();
        if let Some(tenant) = self.record.tenants.first() {
            lines.push(line(
                format!(
                    "{}'s last results, as the platform's administrator (each access is audited)",
                    tenant.slug
                ),
                self.nats(&platform.admin, &format!("request admin.results.{} ''", tenant.slug)),
            ));
        }
        lines.push(line(
            "the poller's certificate",
            self.openssl(&platform.poller.address, &platform.poller.name.to_string(), &platform.admin),
        ));
        let services = self.record.services.iter().filter(|service| service.tenant.is_none());
        lines.extend(services.map(|service| {
            let shows = format!("the log of {}", service.id);
            line(shows, self.log(&service.handle, &service.logs))
        }));
        lines
    }

    fn tenant(&self, tenant: &TenantRecord, other: Option<&TenantRecord>) -> Vec<Line> {
        let slug = &tenant.slug;
        let mut lines = Vec::new();
        if let Some(agent) = tenant.agents.first() {
            let credential = &agent.credential;
            lines.push(line(
                format!("what {slug} publishes, heard as {slug}"),
                self.nats(credential, &format!("subscribe '{slug}.>'")),
            ));
            if let Some(other) = other {
                lines.push(line(
                    format!("{}'s messages, refused to {slug}: permissions violation", other.slug),
                    self.nats(credential, &format!("subscribe '{}.>'", other.slug)),
                ));
            }
        }
        for agent in &tenant.agents {
            lines.push(line(
                format!("the status that {} reports, asked as the platform's administrator", agent.name),
                self.grpcurl(agent),
            ));
            lines.push(line(
                format!("the certificate of {}", agent.name),
                self.openssl(&agent.address, &agent.name.to_string(), &self.record.platform.admin),
            ));
        }
        let services = self.record.services.iter().filter(|service| service.tenant.as_ref() == Some(slug));
        lines.extend(services.map(|service| {
            let shows = format!("the log of {}", service.id);
            line(shows, self.log(&service.handle, &service.logs))
        }));
        lines
    }

    fn nats(&self, credential: &Credential, rest: &str) -> String {
        let nats = &self.record.platform.nats;
        format!(
            "nats --server tls://{} --tlsca {} --tlscert {} --tlskey {} {rest}",
            nats.loopback_address.as_ref().unwrap_or(&nats.address),
            quoted(&self.record.root),
            quoted(&credential.certificate),
            quoted(&credential.key),
        )
    }

    /// With the agent's name as authority: its certificate names no address.
    fn grpcurl(&self, agent: &AgentRecord) -> String {
        let AgentRecord { name, address, .. } = agent;
        let admin = &self.record.platform.admin;
        let request = format!(
            r#"{{"service_name":"nats-port","service_type":"port","details":"{}"}}"#,
            self.record.platform.nats.inside_address
        );
        format!(
            "grpcurl -cacert {} -cert {} -key {} -authority {name} -import-path {} -proto monitoring.proto \
             -d '{request}' {address} monitoring.AgentService/GetStatus",
            quoted(&self.record.root),
            quoted(&admin.certificate),
            quoted(&admin.key),
            quoted(self.protos),
        )
    }

    fn openssl(&self, address: &str, name: &str, credential: &Credential) -> String {
        format!(
            "openssl s_client -connect {address} -servername {name} -verify_hostname {name} -verify_return_error \
             -CAfile {} -cert {} -cert_chain {} -key {} -tls1_3 -alpn h2 </dev/null",
            quoted(&self.record.root),
            quoted(&credential.certificate),
            quoted(&credential.certificate),
            quoted(&credential.key),
        )
    }

    fn log(&self, handle: &str, logs: &str) -> String {
        match self.record.backend {
            BackendKind::Docker | BackendKind::Compose => format!("docker logs --tail 100 --follow {handle}"),
            BackendKind::Process => format!("tail -n 100 -f {}", quoted(Path::new(logs))),
        }
    }
}

fn line(shows: impl Into<String>, command: String) -> Line {
    Line { shows: shows.into(), command }
}

/// A path as one word of a POSIX shell.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl fmt::Display for Guide {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_group(formatter, "platform", &self.platform)?;
        for (slug, lines) in &self.tenants {
            writeln!(formatter)?;
            write_group(formatter, slug.as_ref(), lines)?;
        }
        Ok(())
    }
}

fn write_group(formatter: &mut fmt::Formatter<'_>, title: &str, lines: &[Line]) -> fmt::Result {
    writeln!(formatter, "# {title}")?;
    for Line { shows, command } in lines {
        writeln!(formatter, "# {shows}\n{command}")?;
    }
    Ok(())
}
