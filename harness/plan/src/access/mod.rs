//! What may reach what: attempts, the four outcomes that they have, and the expectations that follow from the isolation
//! model.

mod attempt;
mod oracle;
mod outcome;
mod said;
mod vantage;
mod verdict;
mod words;

pub use attempt::{
    Artefact, Attempt, BrokerOperation, CallTarget, CertificateFlaw, Manner, MessageOperation, Method,
    Operation, RequestAuthority, SideDoor, StorageOperation, TenantMetadata, Who,
};
pub use oracle::{Expectation, Model, Scope};
pub use outcome::{DenialReason, Outcome};
pub use vantage::Vantage;
pub use verdict::Conclusion;
