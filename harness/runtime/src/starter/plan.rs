//! What a start will do, for people to read before it does it.

use std::fmt;

use bulkhead_plan::EnvironmentSpec;

use super::choice::Chosen;
use super::{Lifetime, ProgramSource, StartOptions};
use crate::workdir::Workdir;

/// What a start will do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPlan {
    lines: Vec<(&'static str, String)>,
}

impl StartPlan {
    pub(super) fn of(
        spec: &EnvironmentSpec,
        options: &StartOptions,
        chosen: &Chosen,
        workdir: &Workdir,
    ) -> Self {
        let agents: usize = spec.tenants().iter().map(|tenant| tenant.agents.len()).sum();
        let slugs: Vec<&str> = spec.tenants().iter().map(|tenant| tenant.slug.as_ref()).collect();
        let shown = slugs.iter().take(8).copied().collect::<Vec<_>>().join(", ");
        let more = if slugs.len() > 8 { ", …" } else { "" };
        let programs = match &options.programs {
            ProgramSource::Build(workspace) => format!("built by cargo in {}", workspace.display()),
            ProgramSource::Given(programs) => {
                format!("{}, {}", programs.agent.display(), programs.poller.display())
            }
        };
        let lifetime = match options.lifetime {
            Lifetime::Attached => "as long as this command runs",
            Lifetime::Detached => "until `cargo xtask down`",
        };
        let mut lines = vec![
            ("environment", spec.name.to_string()),
            ("tenants", format!("{} ({shown}{more})", slugs.len())),
            ("services", format!("nats, poller, {agents} agents")),
            ("backend", format!("{} ({})", chosen.kind(), chosen.reason())),
            ("network", spec.network.to_string()),
            ("programs", programs),
            ("state", workdir.path().display().to_string()),
            ("stays", lifetime.to_owned()),
        ];
        if let Some(fault) = options.fault {
            lines.push(("FAULT", format!("{}: {}", fault.id(), fault.title())));
        }
        Self { lines }
    }

    /// Names and values, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Display for StartPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, value)| writeln!(formatter, "{name:>12}  {value}"))
    }
}
