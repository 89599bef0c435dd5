//! Ctrl-C, SIGTERM and a terminal that is closed: the first asks for an orderly end, a second one ends at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// A token that is cancelled by the first SIGINT, SIGTERM or SIGHUP. Whoever started this with `nohup` wants it to survive
/// the last.
///
/// # Errors
/// When the process may not handle signals.
pub(crate) fn cancelled_by_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    let cancel = token.clone();
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = received(&mut hangup) => {}
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

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            let _ = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started so that SIGHUP does nothing (proc(5), `SigIgn`).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & 1 != 0
}
