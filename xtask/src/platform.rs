//! From the command line to what is to be started, and to what is running already.

use std::path::PathBuf;

use anyhow::Context as _;
use bulkhead_plan::EnvironmentSpec;
use bulkhead_plan::spec::{EnvironmentName, NetworkMode};
use bulkhead_runtime::console;
use bulkhead_runtime::environment::Environment;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::starter::{BackendChoice, Lifetime, StartOptions};
use bulkhead_runtime::teardown::DownError;
use bulkhead_runtime::workdir::WorkdirError;

use crate::cli;
use crate::exit::{Failure, OrExit as _};
use crate::tools;

/// The name of a checkout's environment when none is given. State, containers and networks are kept apart by
/// checkout as well, so that two worktrees do not meet.
const DEFAULT_NAME: &str = "dev";
/// How many there are of each when nothing is said; the command line's help says so.
const TENANTS: usize = 3;
const AGENTS: usize = 1;

/// Where the environments of this checkout have their state.
pub(crate) fn state_root() -> PathBuf {
    tools::checkout().join(".bulkhead")
}

/// Removes what an environment leaves for its next start, of one that has none: keys, configurations, logs. What cannot be
/// removed is in nobody's way, and git ignores it.
pub(crate) fn forget(name: &EnvironmentName) {
    let _ = std::fs::remove_dir_all(state_root().join(name.as_ref()));
}

/// The name that was given, or the checkout's own.
pub(crate) fn name(argument: &cli::NameArgument) -> Result<EnvironmentName, Failure> {
    let text = argument.name.as_deref().unwrap_or(DEFAULT_NAME);
    text.parse::<EnvironmentName>().with_context(|| format!("--name {text}")).or_usage()
}

/// What is to be started: a specification file, or a number of tenants.
pub(crate) fn spec(
    platform: &cli::PlatformArguments,
    name: &cli::NameArgument,
) -> Result<EnvironmentSpec, Failure> {
    match &platform.spec {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("read the specification {}", path.display()))
                .or_usage()?;
            let mut spec = EnvironmentSpec::from_yaml(&text)
                .with_context(|| format!("the specification {} cannot be used", path.display()))
                .or_usage()?;
            if name.name.is_some() {
                spec.name = self::name(name)?;
            }
            Ok(spec)
        }
        None => {
            let (tenants, agents) = (platform.tenants.unwrap_or(TENANTS), platform.agents.unwrap_or(AGENTS));
            let mut spec = EnvironmentSpec::with_tenants(self::name(name)?, tenants, agents).or_usage()?;
            spec.network = match platform.network {
                Some(cli::NetworkChoice::Flat) => NetworkMode::Flat,
                Some(cli::NetworkChoice::PerTenant) | None => NetworkMode::PerTenant,
            };
            Ok(spec)
        }
    }
}

/// Notes the images that replace the project's own, each given as `component=reference`.
pub(crate) fn replace_images(spec: &mut EnvironmentSpec, images: &[String]) -> Result<(), Failure> {
    for image in images {
        let (component, reference) = image
            .split_once('=')
            .filter(|(_, reference)| !reference.is_empty())
            .with_context(|| {
                format!("--image {image}: write it as component=reference, as in agent=my/agent:1.2")
            })
            .or_usage()?;
        let place = match component {
            "nats" => &mut spec.images.nats,
            "poller" => &mut spec.images.poller,
            "agent" => &mut spec.images.agent,
            _ => {
                let unknown =
                    anyhow::anyhow!("--image {image}: {component:?} is none of nats, poller and agent");
                return Err(unknown).or_usage();
            }
        };
        *place = Some(reference.to_owned());
    }
    Ok(())
}

/// How environments of this checkout are started.
pub(crate) fn options(backend: cli::BackendChoice, lifetime: Lifetime) -> StartOptions {
    let mut options = StartOptions::for_workspace(&tools::checkout());
    options.lifetime = lifetime;
    options.backend = match backend {
        cli::BackendChoice::Auto => BackendChoice::Auto,
        cli::BackendChoice::Docker => BackendChoice::Docker,
        cli::BackendChoice::Process => BackendChoice::Process,
    };
    options
}

/// The environment of that name, which somebody started, or brought up by hand with Compose.
pub(crate) async fn attach(name: &EnvironmentName) -> Result<Environment, Failure> {
    let not_up = || WorkdirError::NotUp { path: state_root().join(name.as_ref()).join("environment.json") };
    Ok(find(name).await?.ok_or_else(|| StartError::from(not_up()))?)
}

/// The same, if there is one.
pub(crate) async fn find(name: &EnvironmentName) -> Result<Option<Environment>, Failure> {
    Ok(Environment::find(&state_root().join(name.as_ref()), &console::on_stderr()).await?)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self { code: error.exit_code(), error: anyhow::anyhow!("{error}") }
    }
}

impl From<DownError> for Failure {
    fn from(error: DownError) -> Self {
        Self { code: error.exit_code(), error: anyhow::anyhow!("{error}\nwhat to do: {}", error.advice()) }
    }
}
