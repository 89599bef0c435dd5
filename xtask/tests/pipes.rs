//! A reader that went away is no failure.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Stdio};

#[test]
fn a_reader_that_went_away_is_no_failure() {
    for arguments in
        [&["down", "--name", "nobody-has-this-name"][..], &["compose", "--check"], &["doctor", "--json"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("DOCKER_HOST", "tcp://127.0.0.1:1").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}: {errors}", output.status);
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}
