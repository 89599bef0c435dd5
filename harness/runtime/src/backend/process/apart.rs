//! How a program runs apart from whoever starts it.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::sweep::LABELS_VARIABLE;

/// Gives the program that `command` starts an environment of its own: its labels, by which a sweep finds it. The developer's
/// variables must not configure a service by accident, and Ctrl-C on the terminal is for the harness, which then stops what
/// it has started in order.
pub(crate) fn set(command: &mut Command, labels: String) {
    command.env_clear().env(LABELS_VARIABLE, labels).process_group(0);
    // The NATS client reads the system's certificates for each connection, and the services trust none of them.
    command.env("SSL_CERT_FILE", "/dev/null");
}
