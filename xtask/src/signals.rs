//! Ctrl-C and SIGTERM: the first asks for an orderly end, a second one ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// A token that is cancelled by the first SIGINT or SIGTERM.
///
/// # Errors
/// When the process may not handle signals.
pub(crate) fn cancelled_by_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let cancel = token.clone();
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked {
                eprintln!(
                    "stopped in the middle of teardown: `cargo xtask down --all` takes away what is left"
                );
                std::process::exit(INTERRUPTED);
            }
            asked = true;
            cancel.cancel();
        }
    });
    Ok(token)
}
