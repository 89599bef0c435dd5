//! Judges that nobody here wrote.
//!
//! Our own suite and our own services could share a mistake. So the certificates' verifier is compared with a suite of
//! the field ([`pkits`]).

pub mod pkits;

/// Whether this run is a CI machine's (`CI=true`): then whatever is missing is a failure, and nothing is skipped.
#[must_use]
pub fn on_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}
