//! A harness of its own, for tests that kill one: brings an environment up, says what happens, and waits for SIGTERM.
//!
//! Arguments: state root, name, backend, `attached` or `detached`, agent program, poller program.

use std::path::PathBuf;
use std::process::ExitCode;

use bulkhead_plan::EnvironmentSpec;
use bulkhead_runtime::build::Programs;
use bulkhead_runtime::{Events, Lifetime, ProgramSource, StartOptions, Starter, exit_code};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, name, backend, lifetime, agent, poller] = arguments.as_slice() else {
        eprintln!("six arguments are needed");
        return ExitCode::from(exit_code::USAGE);
    };
    let (Ok(name), Ok(backend)) = (name.parse(), backend.parse()) else {
        eprintln!("bad name or backend");
        return ExitCode::from(exit_code::USAGE);
    };
    let Ok(spec) = EnvironmentSpec::with_tenants(name, 2, 1) else { return ExitCode::from(exit_code::USAGE) };
    let options = StartOptions {
        state_root: root.into(),
        backend,
        lifetime: if lifetime == "detached" { Lifetime::Detached } else { Lifetime::Attached },
        programs: ProgramSource::Given(Programs {
            agent: agent.into(),
            poller: poller.into(),
            probe: PathBuf::new(),
        }),
        ..StartOptions::for_workspace(std::path::Path::new("."))
    };
    match run(spec, options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(exit_code::NOT_STARTED)
        }
    }
}

async fn run(spec: EnvironmentSpec, options: StartOptions) -> Result<(), Box<dyn std::error::Error>> {
    let cancel = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let on_signal = cancel.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        on_signal.cancel();
    });
    let events = Events::new(|event| println!("{event:?}"));
    let detached = options.lifetime == Lifetime::Detached;
    let environment = Starter::new(spec, options).await?.start(&events, &cancel).await?;
    if detached {
        return Ok(());
    }
    cancel.cancelled().await;
    environment.down(&events).await?;
    Ok(())
}
