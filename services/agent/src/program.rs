//! The program `bulkhead-agent --config FILE`: what its command line is, and how it ends.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
#[cfg(feature = "seeded-faults")]
use bulkhead_identity::seeded::Place;
use bulkhead_kit::log::{self, Origin};
use bulkhead_kit::signal;
use clap::Parser;

use crate::agent::Agent;
use crate::config::{AgentConfig, Overrides};

/// The configuration cannot be used: the same code as for a wrong flag.
const EXIT_USAGE: u8 = 2;

/// Runs a tenant's checks, answers the platform's poller over mTLS, and publishes on its tenant's subjects.
///
/// The agent's tenant is that of its certificate. A flag stands above its environment variable, and that
/// above the file. SIGTERM or SIGINT ends it cleanly; a second signal at once.
#[derive(Parser)]
#[command(
    name = "bulkhead-agent",
    version,
    after_help = "Example:\n  bulkhead-agent --config agent.yaml --log-format human\n\n\
                  Exit codes: 0 ended by a signal, 1 could not run, 2 wrong flags or configuration"
)]
struct Arguments {
    /// The configuration, YAML.
    #[arg(long, env = "BULKHEAD_AGENT_CONFIG", value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

/// Runs the agent as the command line says, until a signal ends it.
pub fn main() -> ExitCode {
    let agent = match prepare(&Arguments::parse()) {
        Ok(agent) => agent,
        Err(error) => return fail(&error, ExitCode::from(EXIT_USAGE)),
    };
    match run(agent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn prepare(arguments: &Arguments) -> anyhow::Result<Agent> {
    let config = AgentConfig::read(&arguments.config, &arguments.overrides)?;
    #[cfg(feature = "seeded-faults")]
    bulkhead_kit::seeded::begin(config.seeded_fault, Place::Agent, &arguments.config)?;
    let settings = config.log.clone();
    let agent = Agent::new(config)
        .with_context(|| format!("cannot start with configuration file {}", arguments.config.display()))?;
    let name = agent.name();
    log::start(&settings, Origin { service: name.to_string(), tenant: name.tenant.to_string() });
    #[cfg(feature = "seeded-faults")]
    bulkhead_kit::seeded::announce();
    Ok(agent)
}

// One thread: an agent mostly waits, and its memory is multiplied by the number of agents.
#[tokio::main(flavor = "current_thread")]
async fn run(agent: Agent) -> anyhow::Result<()> {
    let shutdown = signal::shutdown().context("cannot listen for signals")?;
    agent.run(shutdown).await?;
    Ok(())
}

fn fail(error: &anyhow::Error, code: ExitCode) -> ExitCode {
    eprintln!("bulkhead-agent: {error:#}");
    code
}
