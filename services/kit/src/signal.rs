//! SIGINT and SIGTERM: the first asks for a clean end, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal: 128 + SIGINT, as shells have it.
const EXIT_INTERRUPTED: i32 = 130;

/// A token that is cancelled by the first SIGINT or SIGTERM. A second signal ends the process with
/// code 130, so that a shutdown that hangs can always be ended without SIGKILL.
///
/// # Errors
/// The system's, when a handler cannot be installed.
pub fn shutdown() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let shutdown = token.clone();
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            if shutdown.is_cancelled() {
                std::process::exit(EXIT_INTERRUPTED);
            }
            tracing::info!(signal = name, "shutting down");
            shutdown.cancel();
        }
    });
    Ok(token)
}
