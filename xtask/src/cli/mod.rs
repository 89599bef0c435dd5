//! The command line: what can be asked for, with an example for each.

mod checks;
mod judging;
mod platform;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use checks::{BenchArguments, BenchPart, TestArguments, TestPart};
pub(crate) use judging::{
    DescribeArguments, DisturbArguments, E2eArguments, EvidenceArguments, JudgeChoice, JudgedArguments,
    JudgesArguments, MatrixArguments, ProveArguments, VerifyEvidenceArguments,
};
pub(crate) use platform::{
    CertsCommand, ComposeArguments, DevArguments, DoctorArguments, DownArguments, ExplainArguments,
    LogsArguments, PeerRole, StatusArguments,
};

/// Proves that the tenants of one platform cannot reach each other.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:
  cargo xtask dev --tenants 3            the whole platform, in the foreground; Ctrl-C tears it down
  cargo xtask e2e                        the isolation scenarios, against it or one of their own
  cargo xtask test                       every test of the project

Exit codes:
  0  all well             2  bad usage            3  the environment did not start
  4  isolation violated   5  could not judge      1  `certs explain`: it would be refused
  130  a second Ctrl-C or SIGTERM: teardown was cut short"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the platform up: NATS, the poller and the agents of every tenant
    #[command(after_help = "Examples:
  cargo xtask dev --tenants 3                   three tenants, logs in the foreground, Ctrl-C to stop
  cargo xtask dev --tenants 3 --detach          return when everything is ready
  cargo xtask dev --backend process             plain processes on loopback, no engine needed
  cargo xtask dev --spec platform.yaml          your own tenants, partitions and agents
  cargo xtask dev --image agent=registry/agent:1.2   your own agent in place of ours")]
    Dev(DevArguments),
    /// Show what is running and what to do next
    #[command(after_help = "Examples:
  cargo xtask status
  cargo xtask status --json | jq .environment.tenants")]
    Status(StatusArguments),
    /// Show the logs of all services together, coloured by tenant
    #[command(after_help = "Examples:
  cargo xtask logs --follow
  cargo xtask logs --tenant acme
  cargo xtask logs --service nats
  cargo xtask logs --all --tenant acme | grep audit")]
    Logs(LogsArguments),
    /// Tear the platform down
    #[command(after_help = "Examples:
  cargo xtask down
  cargo xtask down --all       everything of this checkout, and whatever a killed run left behind")]
    Down(DownArguments),
    /// Run the isolation scenarios against the running platform, or against one of their own
    #[command(after_help = "Examples:
  cargo xtask e2e
  cargo xtask e2e --backend process
  cargo xtask e2e --filter 'rogue tenant CA'
  cargo xtask e2e --fresh --keep           a platform of its own, left running if a scenario fails
  cargo xtask e2e --report target/e2e      JUnit XML and Cucumber JSON
  cargo xtask e2e --against platform.yaml  somebody else's platform: its access matrix")]
    E2e(E2eArguments),
    /// Fill the access matrix: who can do what to whom from where, measured beside what the oracle predicts
    #[command(after_help = "Examples:
  cargo xtask matrix                           against the running platform, or one of its own
  cargo xtask matrix --tenants 3 --fresh
  cargo xtask matrix --filter js.purge --cells every cell of one operation, with its evidence
  cargo xtask matrix --predict --tenants 2     the oracle's table alone
  cargo xtask matrix --report target/evidence  a page, test results and a signed archive to hand on
  cargo xtask matrix --against platform.yaml   somebody else's platform, as the file describes it")]
    Matrix(MatrixArguments),
    /// Check evidence that somebody gave: hashes, signature, and whether its verdict follows from what is in it
    #[command(after_help = "Examples:
  cargo xtask verify-evidence evidence.tar.zst --public-key signer.pem
  cargo xtask verify-evidence target/evidence      whole and unchanged; by whom it was made is not proven

Exit codes: 0 verified, whatever its verdict is · 5 changed, not whole, or contradicting itself · 2 nothing to verify")]
    VerifyEvidence(VerifyEvidenceArguments),
    /// Describe the running platform as `--against` reads it, to start from with one's own; paths, and no keys
    #[command(after_help = "Examples:
  cargo xtask describe > platform.yaml         then `cargo xtask e2e --against platform.yaml`
  cargo xtask describe --without-records       as somebody sees it who cannot read the services' logs")]
    Describe(DescribeArguments),
    /// Seed realistic mistakes, one environment each, and demand that the suite notices every one of them
    #[command(after_help = "Examples:
  cargo xtask prove                             the matrix without a fault, then with each
  cargo xtask prove --list                      every fault: what it is, whose it was first, what it must turn red
  cargo xtask prove --only one-account-for-all
  cargo xtask prove --backend process --runs 3
  cargo xtask prove --scenarios                 the features instead of the matrix: which of them each fault turns red

Exit codes:
  0  every fault was noticed, and nothing else was      4  a fault survived or spilled, a scenario was never red, or a false alarm
  5  a faulty environment could not be judged")]
    Prove(ProveArguments),
    /// Disturb the world (restarts, cuts, floods, stalls) and show that tenants who have no part in it lose nothing
    #[command(after_help = "Examples:
  cargo xtask disturb                       every disturbance, an environment of its own for each
  cargo xtask disturb --list                what they do, and what must hold
  cargo xtask disturb --only nats-restart subject-flood
  cargo xtask disturb --backend process --json

Exit codes:
  0  everything held                        4  somebody who has no part in it lost something, or something crossed
  5  something was in the way of judging")]
    Disturb(DisturbArguments),
    /// Have judges that are made with other people's libraries attack the platform, and compare what they see
    #[command(after_help = "Examples:
  cargo xtask judges                       a platform of its own, as plain processes
  cargo xtask judges --name dev            the one that is running
  cargo xtask judges --only nats --json    one judge, and all that it saw")]
    Judges(JudgesArguments),
    /// Write docker-compose.override.yml for the same platform and everything that it mounts, to bring it up by hand
    #[command(after_help = "Examples:
  cargo xtask compose --tenants 3            prints the line that brings it up; then `cargo xtask e2e` judges it
  cargo xtask compose --tenants 3 --up       … and bring it up with the Compose that is installed
  cargo xtask compose --check                is the committed example what this command renders?")]
    Compose(ComposeArguments),
    /// Inspect certificates
    #[command(subcommand)]
    Certs(CertsCommand),
    /// Check this machine, with the fix for whatever is missing
    #[command(after_help = "Examples:
  cargo xtask doctor
  cargo xtask doctor --json")]
    Doctor(DoctorArguments),
    /// Run every test of the project: units, properties, real components, scenarios on each backend
    #[command(after_help = "Examples:
  cargo xtask test
  cargo xtask test --only process     the scenarios on the process backend alone")]
    Test(TestArguments),
    /// Measure: start and stop, scale, PKI, the suite, side by side with the bare engine and Compose
    #[command(after_help = "Examples:
  cargo xtask bench
  cargo xtask bench --only pki --runs 9")]
    Bench(BenchArguments),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendChoice {
    /// Containers where an engine answers, else processes; says which it took and why
    #[default]
    Auto,
    /// Containers
    Docker,
    /// Plain processes on loopback
    Process,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkChoice {
    /// A network of its own for each tenant
    PerTenant,
    /// One network for all: certificates and accounts are the only walls
    Flat,
}

/// Which platform: a number of tenants, or a specification.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlatformArguments {
    /// How many tenants [default: 3]
    #[arg(long, value_name = "N", conflicts_with = "spec")]
    pub(crate) tenants: Option<usize>,
    /// How many agents each tenant has [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "spec")]
    pub(crate) agents: Option<usize>,
    /// A YAML specification instead of flags
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// One network for each tenant, or one for all [default: per-tenant]
    #[arg(long, value_enum, conflicts_with = "spec")]
    pub(crate) network: Option<NetworkChoice>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct NameArgument {
    /// The environment's name; one per checkout unless given
    #[arg(long, value_name = "NAME", env = "BULKHEAD_NAME")]
    pub(crate) name: Option<String>,
}
