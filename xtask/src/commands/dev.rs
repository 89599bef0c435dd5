//! `cargo xtask dev`: the platform up, what to do next, and the logs until Ctrl-C.

use std::process::ExitCode;

use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::console::{self, Look};
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::event::{Death, Events};
use bulkhead_runtime::logs::Selection;
use bulkhead_runtime::starter::{Lifetime, Starter};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::cli::DevArguments;
use crate::exit::{self, Failure, OrExit as _, Outcome};
use crate::{overview, platform, say, signals};

pub(crate) async fn run(arguments: &DevArguments) -> Outcome {
    let mut spec = platform::spec(&arguments.platform, &arguments.name)?;
    platform::replace_images(&mut spec, &arguments.images)?;
    let lifetime = if arguments.detach { Lifetime::Detached } else { Lifetime::Attached };
    let cancel = signals::cancelled_by_signal().or_not_started()?;
    let events = console::on_stderr();

    let starter = Starter::new(spec, platform::options(arguments.backend, lifetime)).await?;
    eprint!("{}", starter.plan());
    let environment = starter.start(&events, &cancel).await?;
    if arguments.json {
        say::line(serde_json::to_string_pretty(environment.record()).or_not_started()?);
    } else {
        say::text(overview::ready(environment.record()));
    }
    if arguments.detach {
        return Ok(ExitCode::from(exit::OK));
    }
    stay(environment, &events, &cancel).await
}

/// Shows the logs until somebody asks to stop or a service dies, then takes everything down.
async fn stay(mut environment: Environment, events: &Events, cancel: &CancellationToken) -> Outcome {
    let selection = Selection { follow: true, last: Some(0), ..Selection::default() };
    let mut lines = environment.logs(&selection);
    let tenants = slugs(environment.record());
    let look = Look::of_stdout();
    say::line(
        "following the logs, without accepted calls and checks of ports (`cargo xtask logs --all` has them); Ctrl-C to stop\n",
    );
    let died = loop {
        tokio::select! {
            () = cancel.cancelled() => break None,
            death = environment.next_death() => break Some(death),
            Some(line) = lines.next() => if !line.is_routine { say::line(console::log_line(look, &tenants, &line)) },
        }
    };
    drop(lines);
    let down = environment.down(events).await;
    if let Some(death) = died {
        return Err(after_death(&death, down.map_err(Failure::from)));
    }
    down?;
    Ok(ExitCode::from(exit::OK))
}

fn after_death(death: &Death, down: Result<(), Failure>) -> Failure {
    let error = match down {
        Ok(()) => anyhow::anyhow!("{death}\neverything else was taken down as well"),
        Err(down) => anyhow::anyhow!("{death}\nthe rest could not all be taken down: {}", down.error),
    };
    Failure { code: exit::NOT_STARTED, error }
}

fn slugs(record: &EnvironmentRecord) -> Vec<bulkhead_identity::TenantSlug> {
    record.tenants.iter().map(|tenant| tenant.slug.clone()).collect()
}

#[cfg(test)]
mod tests {
    use bulkhead_plan::ServiceId;

    use super::*;

    #[test]
    fn a_teardown_that_failed_is_not_claimed() {
        let death = Death { id: ServiceId::Nats, how: "exit code 1".to_owned(), last_lines: Vec::new() };
        let stuck = Failure { code: exit::NOT_STARTED, error: anyhow::anyhow!("still there: a network") };
        let told = after_death(&death, Err(stuck)).error.to_string();
        assert!(told.contains("still there: a network") && !told.contains("was taken down"), "{told}");
        assert!(after_death(&death, Ok(())).error.to_string().contains("was taken down as well"));
    }
}
