//! Which platform a command judges: one that is running, or one of its own.

use std::fmt::Write as _;

use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::spec::EnvironmentName;
use bulkhead_runtime::backend::ServiceState;
use bulkhead_runtime::engine::chain;
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::starter::{Lifetime, Starter};
use clap::ValueEnum;
use tokio_util::sync::CancellationToken;

use crate::cli::{BackendChoice, JudgedArguments, NameArgument};
use crate::exit::{self, Failure, OrExit as _};
use crate::platform;

/// The command line, and what it comes to.
pub(crate) struct Request<'a> {
    /// The command that asks, as it is typed.
    verb: &'static str,
    arguments: &'a JudgedArguments,
    /// The platform that is to be judged, when it has to be started.
    pub(crate) spec: EnvironmentSpec,
    /// Nobody else has a platform of this name, and nobody comes back to it.
    pub(crate) has_name_of_its_own: bool,
}

impl<'a> Request<'a> {
    pub(crate) fn of(verb: &'static str, arguments: &'a JudgedArguments) -> Result<Self, Failure> {
        let has_name_of_its_own = arguments.fresh && arguments.name.name.is_none();
        let own_name = NameArgument { name: Some(format!("{verb}-{}", std::process::id())) };
        let name = if has_name_of_its_own { &own_name } else { &arguments.name };
        let spec = platform::spec(&arguments.platform, name)?;
        Ok(Self { verb, arguments, spec, has_name_of_its_own })
    }

    pub(crate) fn name(&self) -> &EnvironmentName {
        &self.spec.name
    }

    /// The platform that is running and is meant, if there is one, whoever brought it up. What is left of one that was killed is
    /// none: a start sweeps it.
    pub(crate) async fn running(&self) -> Result<Option<EnvironmentRecord>, Failure> {
        if self.arguments.fresh {
            return Ok(None);
        }
        let Some(found) = platform::find(self.name()).await? else { return Ok(None) };
        if !found.states().await.iter().any(|(_, state)| *state == ServiceState::Running) {
            return Ok(None);
        }
        self.fits(found.record()).map(|()| Some(found.record().clone()))
    }

    /// To judge something else than what was asked for would be a verdict about the wrong platform.
    fn fits(&self, running: &EnvironmentRecord) -> Result<(), Failure> {
        let platform = &self.arguments.platform;
        let agents = |count: usize| running.tenants.iter().all(|tenant| tenant.agents.len() == count);
        let backend = match self.arguments.backend {
            BackendChoice::Auto => None,
            BackendChoice::Docker => Some(BackendKind::Docker),
            BackendChoice::Process => Some(BackendKind::Process),
        };
        let fits = [
            ("--tenants", platform.tenants.is_none_or(|count| running.tenants.len() == count)),
            ("--agents", platform.agents.is_none_or(agents)),
            ("--network", platform.network.is_none() || running.network_mode == self.spec.network),
            ("--backend", backend.is_none_or(|backend| running.backend == backend)),
            (
                "--spec",
                platform.spec.is_none() || specification_of(running).is_none_or(|spec| spec == self.spec),
            ),
        ];
        let Some((flag, _)) = fits.into_iter().find(|(_, fits)| !fits) else { return Ok(()) };
        let name = self.name();
        let error = anyhow::anyhow!(
            "{flag}: environment {name} is running and is another one ({} tenants, {} backend)\nwhat to do: leave \
             {flag} out to judge it, add --fresh for a platform beside it, or take it down (`cargo xtask down --name \
             {name}`)",
            running.tenants.len(),
            running.backend
        );
        Err(error).or_usage()
    }

    /// Brings up the platform that is asked for.
    pub(crate) async fn start(
        &self,
        events: &Events,
        cancel: &CancellationToken,
    ) -> Result<Environment, Failure> {
        let lifetime = if self.arguments.keep { Lifetime::Detached } else { Lifetime::Attached };
        let options = platform::options(self.arguments.backend, lifetime);
        Ok(Starter::new(self.spec.clone(), options).await?.start(events, cancel).await?)
    }

    /// Takes it down again, unless somebody wants to look at what did not pass.
    pub(crate) async fn take_down(
        &self,
        environment: Environment,
        passed: bool,
        events: &Events,
    ) -> Result<(), Failure> {
        let name = self.name();
        if self.arguments.keep && !passed {
            eprintln!("left running: `cargo xtask logs --name {name}`, `cargo xtask down --name {name}`");
            return Ok(());
        }
        environment.down(events).await?;
        if passed && self.has_name_of_its_own {
            platform::forget(name);
        }
        Ok(())
    }

    /// The command that judges the same again.
    pub(crate) fn command(&self, running: Option<&EnvironmentRecord>) -> String {
        let mut line = format!("cargo xtask {}", self.verb);
        let mut flag = |flag: &str, value: &dyn std::fmt::Display| {
            // Writing into a String cannot fail.
            let _ = write!(line, " --{flag} {value}");
        };
        if running.is_some() {
            flag("name", self.name());
            return line;
        }
        let JudgedArguments { platform, backend, name, .. } = self.arguments;
        if let Some(name) = &name.name {
            flag("name", name);
        }
        if *backend != BackendChoice::Auto {
            flag("backend", &word(*backend));
        }
        if let Some(spec) = &platform.spec {
            flag("spec", &spec.display());
        }
        for (name, count) in [("tenants", platform.tenants), ("agents", platform.agents)] {
            if let Some(count) = count {
                flag(name, &count);
            }
        }
        if let Some(network) = platform.network {
            flag("network", &word(network));
        }
        if self.arguments.fresh {
            line.push_str(" --fresh");
        }
        line
    }
}

/// The verdict outweighs a teardown that failed: that one is said, and decides only when all was well.
pub(crate) fn both(verdict: Result<u8, Failure>, down: Result<(), Failure>) -> Result<u8, Failure> {
    match (verdict, down) {
        (verdict, Ok(())) => verdict,
        (Ok(exit::OK), Err(down)) => Err(down),
        (Ok(code), Err(down)) => {
            eprintln!("error: {}", down.error);
            Ok(code)
        }
        (Err(failure), Err(down)) => {
            let error = anyhow::anyhow!("{}\n{}", chain(failure.error.as_ref()), down.error);
            Err(Failure { code: failure.code, error })
        }
    }
}

/// As the command line has it.
fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn specification_of(running: &EnvironmentRecord) -> Option<EnvironmentSpec> {
    let text = std::fs::read_to_string(running.state_dir.join("spec.yaml")).ok()?;
    EnvironmentSpec::from_yaml(&text).ok()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn with_request<T>(line: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
        let cli = Cli::parse_from(["xtask", "e2e"].into_iter().chain(line.split_whitespace()));
        let Command::E2e(arguments) = cli.command else { panic!("e2e was asked for") };
        look(&Request::of("e2e", &arguments.judged).unwrap())
    }

    #[test]
    fn the_line_that_repeats_a_run_has_its_platform_in_it() {
        let lines = [
            "--name t --backend process --tenants 2 --network flat --fresh",
            "--backend docker --agents 2 --network per-tenant",
            "",
        ];
        for line in lines {
            let noise = "--filter x --tag y --keep --json --concurrency 1";
            let repeated = with_request(&format!("{line} {noise}"), |request| request.command(None));
            assert_eq!(repeated.trim(), format!("cargo xtask e2e {line}").trim());
        }
    }

    #[test]
    fn a_fresh_platform_has_a_name_that_nobody_else_has() {
        let own = format!("e2e-{}", std::process::id());
        with_request("--fresh", |request| {
            assert_eq!(request.name().as_ref(), own);
            assert!(request.has_name_of_its_own);
        });
        with_request("--fresh --name t", |request| {
            assert_eq!(request.name().as_ref(), "t");
            assert!(!request.has_name_of_its_own);
        });
        with_request("", |request| assert_eq!(request.name().as_ref(), "dev"));
    }

    fn failure(code: u8, text: &'static str) -> Failure {
        Failure { code, error: anyhow::anyhow!(text) }
    }

    #[test]
    fn a_teardown_that_fails_does_not_hide_the_verdict() {
        let stuck = || Err(failure(exit::NOT_STARTED, "still there: a network"));
        for code in [exit::ISOLATION_VIOLATED, exit::NOT_JUDGED] {
            assert_eq!(both(Ok(code), stuck()).unwrap(), code);
        }
        assert_eq!(both(Ok(exit::OK), stuck()).unwrap_err().code, exit::NOT_STARTED);
        let interrupted = both(Err(failure(exit::NOT_JUDGED, "interrupted")), stuck()).unwrap_err();
        assert_eq!(interrupted.code, exit::NOT_JUDGED);
        assert_eq!(interrupted.error.to_string(), "interrupted\nstill there: a network");
    }
}
