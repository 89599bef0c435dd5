//! What may reach what: attempts, the four outcomes that they have, and the expectations that follow from the isolation
//! model.

mod attempt;
mod oracle;
mod outcome;

pub use attempt::{
    Attempt, CallTarget, CertificateFlaw, Manner, MessageOperation, Method, Operation, RequestAuthority,
    StorageOperation, TenantMetadata, Who,
};
pub use oracle::{Expectation, Model};
pub use outcome::{DenialReason, Outcome};
