//! What the commands take that bring a platform up, look at it, and take it down.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{BackendChoice, NameArgument, PlatformArguments};

#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    pub(crate) platform: PlatformArguments,
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// Where to run it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Replace a component's image: agent=REF, poller=REF or nats=REF (repeatable)
    #[arg(long = "image", value_name = "COMPONENT=REF")]
    pub(crate) images: Vec<String>,
    /// Return when everything is ready, and leave it running
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print the environment as JSON when it is ready (with --detach)
    #[arg(long, requires = "detach")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// Print environment.json as `environment`, and each service's present state as `states`
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// Only this tenant's services (repeatable)
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: Vec<String>,
    /// Only these services: nats, poller, or an agent such as agent-001.p1 (repeatable)
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Vec<String>,
    /// Go on as new lines come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// The audit records of accepted calls and NATS's notes on checks of its port too, several a second from every agent
    #[arg(long)]
    pub(crate) all: bool,
    /// All lines as the services wrote them
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DownArguments {
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// Every environment of this checkout, and whatever a killed run left behind
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ComposeArguments {
    #[command(flatten)]
    pub(crate) platform: PlatformArguments,
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// Where to write the override
    #[arg(long, default_value = "compose/docker-compose.override.yml", value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Bring it up as well, and return when everything is ready
    #[arg(long)]
    pub(crate) up: bool,
    /// The Compose to use, and to print; the first that is found unless given
    #[arg(long, value_name = "PROGRAM", env = "BULKHEAD_COMPOSE")]
    pub(crate) compose: Option<PathBuf>,
    /// Fail when the committed example is not what this command renders
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    /// Say whether a certificate would be accepted and, if not, by which rule and what to change
    #[command(after_help = "Examples:
  cargo xtask certs explain --root root.pem --tenant-ca acme-ca.pem --expect acme --as server agent.pem
  cargo xtask certs explain --root root.pem --tenant-ca acme-ca.pem --expect acme --as client agent.pem chain.pem --json")]
    Explain(ExplainArguments),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerRole {
    /// The certificate of somebody who connects
    Client,
    /// The certificate of somebody who is connected to
    Server,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The platform's root certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) root: PathBuf,
    /// The CA certificate of a tenant, or of the platform (repeatable)
    #[arg(long = "tenant-ca", value_name = "FILE", required = true)]
    pub(crate) tenant_ca: Vec<PathBuf>,
    /// The tenant that is expected (any of its members), or one whole common name
    #[arg(long, value_name = "SLUG")]
    pub(crate) expect: String,
    /// The role in which the certificate is presented
    #[arg(long = "as", value_enum, value_name = "ROLE")]
    pub(crate) role: PeerRole,
    /// The certificate, in PEM
    #[arg(value_name = "LEAF")]
    pub(crate) leaf: PathBuf,
    /// What the peer sends along with it, in PEM
    #[arg(value_name = "CHAIN")]
    pub(crate) chain: Option<PathBuf>,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}
