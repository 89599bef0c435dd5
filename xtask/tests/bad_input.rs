//! The command line's bad inputs: each error says what is wrong, where, and what to do, ends with the right exit code,
//! and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bad_input/at_once.rs"]
mod at_once;
#[path = "bad_input/certificates.rs"]
mod certificates;
#[path = "bad_input/environment.rs"]
mod environment;
#[path = "bad_input/in_engine.rs"]
mod in_engine;
#[path = "bad_input/request.rs"]
mod request;
#[path = "bad_input/state.rs"]
mod state;
#[path = "bad_input/support.rs"]
mod support;
