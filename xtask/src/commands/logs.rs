//! `cargo xtask logs`: all services together, coloured by tenant.

use std::process::ExitCode;

use anyhow::Context as _;
use bulkhead_identity::TenantSlug;
use bulkhead_plan::ServiceId;
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::console::{self, Look};
use bulkhead_runtime::logs::Selection;
use futures::StreamExt as _;

use crate::cli::LogsArguments;
use crate::exit::{self, OrExit as _, Outcome};
use crate::{platform, say};

pub(crate) async fn run(arguments: &LogsArguments) -> Outcome {
    let environment = platform::attach(&platform::name(&arguments.name)?).await?;
    let record = environment.record();
    let selection = Selection {
        tenants: tenants(record, &arguments.tenant).or_usage()?,
        services: services(record, &arguments.service).or_usage()?,
        last: None,
        follow: arguments.follow,
    };
    let slugs: Vec<TenantSlug> = record.tenants.iter().map(|tenant| tenant.slug.clone()).collect();
    let look = Look::of_stdout();
    let mut lines = environment.logs(&selection);
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            interrupted = tokio::signal::ctrl_c() => { interrupted.or_not_started()?; None }
        };
        let Some(line) = line else { return Ok(ExitCode::from(exit::OK)) };
        if line.is_routine && !arguments.all && !arguments.json {
            continue;
        }
        let is_read = match arguments.json {
            true => say::is_read(line.raw),
            false => say::is_read(console::log_line(look, &slugs, &line)),
        };
        if !is_read {
            return Ok(ExitCode::from(exit::OK));
        }
    }
}

fn tenants(record: &EnvironmentRecord, wanted: &[String]) -> anyhow::Result<Vec<TenantSlug>> {
    let known = || {
        let slugs: Vec<&str> = record.tenants.iter().map(|tenant| tenant.slug.as_ref()).collect();
        slugs.join(", ")
    };
    let find = |text: &String| {
        let tenant = record.tenants.iter().find(|tenant| tenant.slug.as_ref() == text);
        let tenant = tenant.with_context(|| format!("--tenant {text}: this environment has {}", known()))?;
        Ok(tenant.slug.clone())
    };
    wanted.iter().map(find).collect()
}

/// Every service that one of the texts names: `nats`, `poller`, an agent's ID (in every tenant), or a whole service ID.
fn services(record: &EnvironmentRecord, wanted: &[String]) -> anyhow::Result<Vec<ServiceId>> {
    let mut found = Vec::new();
    for text in wanted {
        let named = |id: &ServiceId| match id {
            ServiceId::Agent { agent, .. } => agent.to_string() == *text || id.to_string() == *text,
            ServiceId::Nats | ServiceId::Poller => id.to_string() == *text,
        };
        let before = found.len();
        found.extend(record.services.iter().map(|service| service.id.clone()).filter(named));
        anyhow::ensure!(
            found.len() > before,
            "--service {text}: no such service; `cargo xtask status` lists them"
        );
    }
    Ok(found)
}
