//! One file for each command. What is heavy is in a library with tests of its own.

pub(crate) mod against;
pub(crate) mod bench;
pub(crate) mod certs;
pub(crate) mod compose;
pub(crate) mod describe;
pub(crate) mod dev;
pub(crate) mod disturb;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod e2e;
pub(crate) mod judges;
pub(crate) mod logs;
pub(crate) mod matrix;
pub(crate) mod prove;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod verify_evidence;
