//! What commands print on stdout. A reader that went away (`… | head`) is no reason to fail, and none to stop what must be torn
//! down: `println!` would panic.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Prints a text as it stands.
pub(crate) fn text(text: impl Display) {
    write(&mut std::io::stdout().lock(), &text);
}

/// Prints a line.
pub(crate) fn line(line: impl Display) {
    is_read(line);
}

/// Prints a line, and says whether somebody reads it: for a command that has nothing else to do.
pub(crate) fn is_read(line: impl Display) -> bool {
    write(&mut std::io::stdout().lock(), &format_args!("{line}\n"))
}

fn write(output: &mut impl Write, text: &dyn Display) -> bool {
    match write!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != ErrorKind::BrokenPipe {
                eprintln!("error: cannot write to stdout: {error}");
            }
            false
        }
    }
}
