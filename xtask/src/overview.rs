//! What a person needs next, when a platform is ready: who answers where, with which credentials, and lines to paste.

use std::fmt::Write as _;

use bulkhead_plan::ServiceId;
use bulkhead_plan::environment::{Credential, EnvironmentRecord};
use bulkhead_plan::guide::{self, Line};
use bulkhead_runtime::backend::ServiceState;

use crate::paint::Paint;
use crate::tools;

/// For more tenants than this the lines to paste are shown for the first few only: they differ by name alone.
const TENANTS_WITH_LINES: usize = 5;

/// What is ready, where, and what to do with it.
pub(crate) fn ready(record: &EnvironmentRecord) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_ready(&mut text, record, Paint::for_stdout());
    text
}

/// One line for each service that is not running, or one for all when all are.
pub(crate) fn states(states: &[(ServiceId, ServiceState)]) -> String {
    let paint = Paint::for_stdout();
    let silent: Vec<_> = states.iter().filter(|(_, state)| *state != ServiceState::Running).collect();
    if silent.is_empty() {
        return format!("{} {} services\n", paint.good("running"), states.len());
    }
    let lines = silent.iter().map(|(id, state)| format!("{} {id}\n", paint.bad(&state.to_string())));
    lines.collect()
}

fn write_ready(out: &mut String, record: &EnvironmentRecord, paint: Paint) -> std::fmt::Result {
    let platform = &record.platform;
    if let Some(fault) = &record.fault {
        let warning = format!("THIS ENVIRONMENT IS FAULTY ON PURPOSE ({fault}): it isolates nobody");
        writeln!(out, "\n{}", paint.bad(&warning))?;
    }
    writeln!(out, "\n{}  {}", paint.title("platform"), record.state_dir.join("environment.json").display())?;
    writeln!(out, "  {:<36} {}", platform.nats.name.to_string(), platform.nats.address)?;
    writeln!(out, "  {:<36} {}", platform.poller.name.to_string(), platform.poller.address)?;
    write_credential(out, &platform.admin)?;
    for tenant in &record.tenants {
        let network = tenant.network.map(|subnet| format!("  network {subnet}")).unwrap_or_default();
        writeln!(out, "\n{}{network}", paint.title(tenant.slug.as_ref()))?;
        for agent in &tenant.agents {
            writeln!(out, "  {:<36} {}", agent.name.to_string(), agent.address)?;
            write_credential(out, &agent.credential)?;
        }
    }
    let guide = guide::guide(record, &tools::checkout().join("services/wire/proto"));
    writeln!(out, "\n{}", paint.title("try"))?;
    write_lines(out, &guide.platform, paint)?;
    for (_, lines) in guide.tenants.iter().take(TENANTS_WITH_LINES) {
        write_lines(out, lines, paint)?;
    }
    if guide.tenants.len() > TENANTS_WITH_LINES {
        let left = guide.tenants.len() - TENANTS_WITH_LINES;
        writeln!(out, "  {}", paint.dim(&format!("# {left} more tenants: the same with their names")))?;
    }
    writeln!(out)
}

fn write_credential(out: &mut String, credential: &Credential) -> std::fmt::Result {
    writeln!(out, "  {:<36} {}", "", credential.certificate.display())?;
    writeln!(out, "  {:<36} {}", "", credential.key.display())
}

fn write_lines(out: &mut String, lines: &[Line], paint: Paint) -> std::fmt::Result {
    for Line { shows, command } in lines {
        writeln!(out, "  {}\n  {command}", paint.dim(&format!("# {shows}")))?;
    }
    Ok(())
}
