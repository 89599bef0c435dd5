//! What the commands take that judge a platform, and the suite itself.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{BackendChoice, NameArgument, PlatformArguments};

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
    /// Write report.html, report.json, junit.xml and the signed evidence.tar.zst here
    #[arg(long, value_name = "DIRECTORY")]
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
    /// Run the scenarios instead of filling the access matrix: each of them, and each of their steps that judges, must be red
    /// under some fault
    #[arg(long, conflicts_with = "runs")]
    pub(crate) scenarios: bool,
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
    /// Write junit.xml and cucumber.json here; with --against what `matrix --report` writes
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) report: Option<PathBuf>,
    /// With --against: sign with this Ed25519 key (PKCS #8 PEM, mode 0600) in place of one that is thrown away
    #[arg(long, value_name = "FILE", requires_all = ["report", "against"])]
    pub(crate) sign_key: Option<PathBuf>,
    /// Print the summary as JSON; with --against the report
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
