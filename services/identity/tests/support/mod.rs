//! What the tests of this crate are made with: a forge of certificates, and one attempt to be accepted.

// Each test binary uses a part of it.
#![allow(dead_code)]

pub(crate) mod attempt;
pub(crate) mod der;
pub(crate) mod forge;
pub(crate) mod handshake;
