//! A program in a service's place that does what its file name says, so that tests can see services misbehave.
//!
//! `crash` says two lines and exits with 3; `deaf` answers nobody and does not end on SIGTERM.

use std::io::Write;

fn main() {
    let name = std::env::args().next().unwrap_or_default();
    let mut output = std::io::stdout();
    if name.ends_with("crash") {
        let _ = writeln!(output, "first words");
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let _ = writeln!(output, "last words at {}", now.as_nanos());
        std::process::exit(3);
    }
    let _ = writeln!(output, "deaf and alive");
    let _ = output.flush();
    loop {
        std::thread::park();
    }
}
