//! The probe as a program: orders on standard input, what was seen on standard output, until the orders end. Both are
//! pipes, as the harness and container engines make them.

use std::os::fd::AsFd;
use std::process::ExitCode;

use tokio::net::unix::pipe::{Receiver, Sender};

#[tokio::main]
async fn main() -> ExitCode {
    match work().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the probe ends: {error} (it takes orders from the harness, through pipes)");
            ExitCode::FAILURE
        }
    }
}

async fn work() -> std::io::Result<()> {
    let orders = Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let answers = Sender::from_owned_fd(std::io::stdout().as_fd().try_clone_to_owned()?)?;
    bulkhead_probe::post::serve(orders, answers).await
}
