//! What the commands take that run tests and take times.

use clap::{Args, ValueEnum};

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
    /// Every seeded fault on processes, noticed by the access matrix
    Prove,
    /// The scenarios under every seeded fault, on processes
    ProveScenarios,
    /// The disturbances on processes that `cargo test` does not make
    Disturb,
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
