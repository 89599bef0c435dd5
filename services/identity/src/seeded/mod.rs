//! Seeded faults: realistic isolation mistakes, one of which a program can be told to make, so that a suite that
//! finds nothing is seen to be able to find something.
//!
//! Without the feature `seeded-faults`, which nothing that is shipped enables, [`is_on`] is the constant `false`: there
//! is no switch, and no text that names a fault. With it, a program switches one on when it starts, and a test on its
//! own thread.
//!
//! Each mistake is made where the right thing is done otherwise (`if seeded::is_on(…)`), and is one mistake only: where
//! a second wall stands behind the first, it still stands, and [`SeededFault`] says so.

#[cfg(feature = "seeded-faults")]
mod believing;
mod fault;
#[cfg(feature = "seeded-faults")]
mod switch;

#[cfg(feature = "seeded-faults")]
pub(crate) use believing::believing;
pub use fault::SeededFault;
#[cfg(feature = "seeded-faults")]
pub use fault::{Place, UnknownFault};
#[cfg(feature = "seeded-faults")]
pub use switch::{AlreadyOn, OnThisThread, is_on, on_this_thread, switch_on, switched_on};

#[cfg(not(feature = "seeded-faults"))]
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::label::TenantSlug;
#[cfg(not(feature = "seeded-faults"))]
use crate::{names::PeerName, refusal::Refusal, verifier::PeerVerifier};

/// Whether this process makes the mistake: never.
#[cfg(not(feature = "seeded-faults"))]
pub const fn is_on(_: SeededFault) -> bool {
    false
}

/// The judgement of a verifier that believes what a peer sends beside its leaf: there is none.
#[cfg(not(feature = "seeded-faults"))]
pub(crate) const fn believing(
    _: &PeerVerifier,
    _: &CertificateDer<'_>,
    _: &[CertificateDer<'_>],
    _: UnixTime,
) -> Option<Result<PeerName, Refusal>> {
    None
}

/// Whether both are one tenant.
pub(crate) fn same_tenant(expected: &TenantSlug, found: &TenantSlug) -> bool {
    expected == found || is_on(SeededFault::MemberByPrefix) && found.as_str().starts_with(expected.as_str())
}
