//! The program `bulkhead-poller --config FILE`: what its command line is, and how it ends.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bulkhead_identity::PlatformName;
#[cfg(feature = "seeded-faults")]
use bulkhead_identity::seeded::Place;
use bulkhead_kit::log::{self, Format, Level, Origin};
use bulkhead_kit::signal;
use clap::Parser;
use tokio::net::TcpListener;

use crate::config::PollerConfig;
use crate::service::Poller;

/// The configuration cannot be used: the same code as for a wrong flag.
const EXIT_USAGE: u8 = 2;

/// Polls every tenant's agents over mTLS and publishes what they say under their tenant's prefix.
///
/// SIGTERM or SIGINT ends it cleanly; a second signal at once.
#[derive(Parser)]
#[command(
    name = "bulkhead-poller",
    version,
    after_help = "Example:\n  bulkhead-poller --config poller.yaml --log-format human"
)]
struct Arguments {
    /// The configuration, YAML.
    #[arg(long, env = "BULKHEAD_POLLER_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Address and port to listen on, instead of the configuration's.
    #[arg(long, env = "BULKHEAD_POLLER_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<std::net::SocketAddr>,
    /// `json` or `human`, instead of the configuration's.
    #[arg(long, env = "BULKHEAD_POLLER_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<Format>,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`, instead of the configuration's.
    #[arg(long, env = "BULKHEAD_POLLER_LOG_LEVEL", value_name = "LEVEL")]
    log_level: Option<Level>,
}

impl Arguments {
    fn configuration(&self) -> anyhow::Result<PollerConfig> {
        let mut config = PollerConfig::read(&self.config)?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.log.format = self.log_format.unwrap_or(config.log.format);
        config.log.level = self.log_level.unwrap_or(config.log.level);
        Ok(config)
    }
}

/// Runs the poller as the command line says, until a signal ends it.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let prepared = arguments.configuration().and_then(|config| {
        #[cfg(feature = "seeded-faults")]
        bulkhead_kit::seeded::begin(config.seeded_fault, Place::Poller, &arguments.config)?;
        let origin = Origin { service: PlatformName::Poller.to_string(), tenant: "platform".to_owned() };
        log::start(&config.log, origin);
        #[cfg(feature = "seeded-faults")]
        bulkhead_kit::seeded::announce();
        let listen = config.listen;
        Ok((listen, Poller::new(config)?))
    });
    let (listen, poller) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("bulkhead-poller: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(listen, poller) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bulkhead-poller: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(listen: std::net::SocketAddr, poller: Poller) -> anyhow::Result<()> {
    let shutdown = signal::shutdown().context("cannot listen for signals")?;
    let socket = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; free the port, or set `listen` to another address")
    })?;
    poller.run(socket, shutdown).await?;
    Ok(())
}
