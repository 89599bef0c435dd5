//! Rendered forms beside committed ones, bundles, and what becomes of those that somebody changed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bundles;
mod foreign;
mod forged;
mod rendered;
mod support;
mod tampered;
