//! The command line: what can be asked for, with an example for each.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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

Exit codes:
  0  every fault was noticed, and nothing else was      4  a fault survived or spilled, or a false alarm
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

/// Which platform is judged: the one that is running, one that is brought up for it, or somebody else's.
#[derive(Clone, Debug, Args)]
pub(crate) struct JudgedArguments {
    /// Somebody else's platform, which this project did not start, as the file describes it (docs/against.md): the access
    /// matrix, as far as it can be attempted there
    #[arg(long, value_name = "FILE", conflicts_with_all =
        ["tenants", "agents", "spec", "network", "backend", "fresh", "keep"])]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) platform: PlatformArguments,
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// Where to run a platform of its own, when none is running
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Always a platform of its own, even when one is running; under a new name, unless --name gives one
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Leave a platform of its own running when not everything passed
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MatrixArguments {
    #[command(flatten)]
    pub(crate) judged: JudgedArguments,
    /// Only cells whose name contains this text: an operation, somebody, a place. The rest of the table is then not proven
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Every cell, with its evidence
    #[arg(long)]
    pub(crate) cells: bool,
    /// What the oracle predicts, without attempting anything
    #[arg(long, conflicts_with_all = ["cells", "keep", "report"])]
    pub(crate) predict: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) evidence: EvidenceArguments,
}

/// Where evidence goes, and who vouches for it.
#[derive(Debug, Default, Args)]
pub(crate) struct EvidenceArguments {
    /// Write report.html, report.json, junit.xml and the signed evidence.tar.zst here; of our own platforms only, as yet
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "against")]
    pub(crate) report: Option<PathBuf>,
    /// Sign with this Ed25519 key (PKCS #8 PEM, mode 0600) in place of one that is made for the run and thrown away
    #[arg(long, value_name = "FILE", requires = "report")]
    pub(crate) sign_key: Option<PathBuf>,
    /// Take in what `cargo xtask prove --json` printed: which mistakes the suite was seen to find
    #[arg(long, value_name = "FILE", requires = "report")]
    pub(crate) faults: Option<PathBuf>,
    /// Take in what `cargo xtask e2e --json` printed
    #[arg(long, value_name = "FILE", requires = "report")]
    pub(crate) scenarios: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyEvidenceArguments {
    /// The archive, a folder that has it, or a folder that it was unpacked into
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The public key of whoever vouches for it (PEM); without it the one inside is used, which proves no origin
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArguments {
    #[command(flatten)]
    pub(crate) name: NameArgument,
    /// As somebody sees it who cannot read the services' records
    #[arg(long)]
    pub(crate) without_records: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProveArguments {
    /// Where to run the faulty environments
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Only these faults (repeatable)
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// Print the faults, and seed none
    #[arg(long)]
    pub(crate) list: bool,
    /// How many tenants an environment has: two at least, of which one's name begins with the other's
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) tenants: usize,
    /// How many times each is seeded; the worst counts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) runs: usize,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DisturbArguments {
    /// Where to run the environments
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: BackendChoice,
    /// Only these disturbances (repeatable)
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// Print the disturbances, and disturb nobody
    #[arg(long)]
    pub(crate) list: bool,
    /// How many tenants an environment has: the first disturbs, or is disturbed; the others have no part in it
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) tenants: usize,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct E2eArguments {
    #[command(flatten)]
    pub(crate) judged: JudgedArguments,
    /// Other features than the project's own
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "against")]
    pub(crate) features: Option<PathBuf>,
    /// Only scenarios whose feature, rule or name contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Only scenarios with this tag, without the @
    #[arg(long, value_name = "TAG", conflicts_with = "against")]
    pub(crate) tag: Option<String>,
    /// How many scenarios run at the same time
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) concurrency: usize,
    /// Write junit.xml and cucumber.json here
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "against")]
    pub(crate) report: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JudgeChoice {
    /// Callers of the agents, made with grpcio
    Grpc,
    /// An attacker at the broker, made with nats-py
    Nats,
}

#[derive(Debug, Args)]
pub(crate) struct JudgesArguments {
    /// The running environment to judge; one of their own, on plain processes, unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only these judges (repeatable)
    #[arg(long, value_enum)]
    pub(crate) only: Vec<JudgeChoice>,
    /// Print every row as JSON
    #[arg(long)]
    pub(crate) json: bool,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestPart {
    /// `cargo test` of the whole workspace
    Cargo,
    /// The scenarios on plain processes
    Process,
    /// The scenarios on containers
    Docker,
    /// The scenarios on one flat container network
    Flat,
    /// The scenarios against what Compose brought up
    Compose,
    /// Judges that are made with other people's libraries
    Judges,
    /// The access matrix on processes, on containers, and on one flat container network
    Matrix,
    /// Every seeded fault on processes
    Prove,
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Only these parts (repeatable)
    #[arg(long, value_enum)]
    pub(crate) only: Vec<TestPart>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchPart {
    /// Certificates for 3 and for 1,000 tenants, beside openssl
    Pki,
    /// Start and stop on plain processes
    Process,
    /// Start and stop on containers, beside the bare engine and Compose
    Docker,
    /// The whole suite
    E2e,
    /// The access matrix for 3, 10 and 30 tenants, and every seeded fault
    Matrix,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Only these parts (repeatable)
    #[arg(long, value_enum)]
    pub(crate) only: Vec<BenchPart>,
    /// How many measured runs of each, after one warm-up
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) runs: usize,
    /// For machines
    #[arg(long)]
    pub(crate) json: bool,
}
