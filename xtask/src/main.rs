//! The list of commands behind `cargo xtask`, and little else.

mod child;
mod cli;
mod commands;
mod evidence;
mod exit;
mod overview;
mod paint;
mod platform;
mod request;
mod say;
mod signals;
mod tools;

use std::process::ExitCode;

use bulkhead_runtime::engine::chain;
use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::exit::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(Failure { code, error }) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> Outcome {
    use commands::{
        bench, certs, compose, describe, dev, disturb, doctor, down, e2e, judges, logs, matrix, prove,
        status, test, verify_evidence,
    };
    match command {
        Command::Certs(command) => certs::run(&command),
        Command::Test(arguments) => on_runtime(test::run(&arguments)),
        Command::Dev(arguments) => on_runtime(dev::run(&arguments)),
        Command::Status(arguments) => on_runtime(status::run(&arguments)),
        Command::Logs(arguments) => on_runtime(logs::run(&arguments)),
        Command::Down(arguments) => on_runtime(down::run(&arguments)),
        Command::Compose(arguments) => on_runtime(compose::run(&arguments)),
        Command::E2e(arguments) => on_runtime(e2e::run(&arguments)),
        Command::VerifyEvidence(arguments) => verify_evidence::run(&arguments),
        Command::Prove(arguments) => on_runtime(prove::run(&arguments)),
        Command::Describe(arguments) => on_runtime(describe::run(&arguments)),
        Command::Matrix(arguments) => on_runtime(matrix::run(&arguments)),
        Command::Disturb(arguments) => on_runtime(disturb::run(&arguments)),
        Command::Judges(arguments) => on_runtime(judges::run(&arguments)),
        Command::Doctor(arguments) => on_runtime(doctor::run(&arguments)),
        Command::Bench(arguments) => on_runtime(bench::run(&arguments)),
    }
}

fn on_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    use exit::OrExit as _;
    tokio::runtime::Builder::new_multi_thread().enable_all().build().or_not_started()?.block_on(command)
}
