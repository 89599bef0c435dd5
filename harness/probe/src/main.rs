//! The probe as a program: orders on standard input, what was seen on standard output, until the orders end.
//!
//! Threads that wait carry both between the pipes and a socket of the program's own, since a pipe that is polled was seen to
//! hold orders that nobody was told of (Linux 6.18, tokio 1.54; about once in fifty runs, and the run then waits for ever).

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Socket;
use std::process::ExitCode;
use std::thread;

use tokio::net::UnixStream;

// One thread: what it does is mostly waiting, and waking each other costs two threads more than they gain.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match work().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the probe ends: {error} (it takes orders from the harness)");
            ExitCode::FAILURE
        }
    }
}

async fn work() -> std::io::Result<()> {
    let mut orders = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut answers = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let (outside, inside) = Socket::pair()?;
    let mut given = outside.try_clone()?;
    thread::spawn(move || {
        // Whatever ends the orders ends the work.
        let _ = carry(&mut orders, &mut given);
        given.shutdown(Shutdown::Write)
    });
    let mut taken = outside;
    let telling = thread::spawn(move || carry(&mut taken, &mut answers));
    inside.set_nonblocking(true)?;
    let (read, write) = UnixStream::from_std(inside)?.into_split();
    bulkhead_probe::post::serve(read, write).await?;
    // The other end of the socket is closed by now, so that the last answer is followed by the end.
    match telling.join() {
        Ok(told) => told,
        Err(_) => Err(std::io::Error::other("the answers are not told any more")),
    }
}

/// Carries whatever is there at once; `std::io::copy` between a pipe and a socket splices, and waits for more.
fn carry(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&bytes[..count])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
