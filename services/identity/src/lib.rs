//! Names, certificate profile, verifiers and subjects: what a tenant's identity is.
//!
//! Everything here is pure: no clock, no files, no sockets. A value of one of these types is valid; texts
//! and bytes are judged once, where they enter the program.
//!
//! | question | answer |
//! |---|---|
//! | what is a name? | [`TenantSlug`], [`AgentId`], [`PeerName`], [`SpiffeId`], [`AuthorityName`] |
//! | where does a tenant speak? | [`Subject`], [`Channel`] |
//! | whom is trusted? | [`TrustRoot`], [`IssuingAuthority`], [`TrustBundle`] |
//! | and whom no longer? | [`RevocationList`] |
//! | who is accepted? | [`PeerVerifier`] with [`PeerPattern`]s, for a [`Role`] |
//! | why was somebody refused? | [`Refusal`], left in the connection's [`RefusalSlot`] |
//! | for whom is a request? | [`identity_of_verified_leaf`], [`tenant_claim`] |
//! | would this certificate be accepted? | [`explain()`] |
//!
//! ```
//! use bulkhead_identity::{PeerName, Subject};
//!
//! let agent: PeerName = "agent-001.p1.acme.serviceradar".parse()?;
//! assert_eq!(agent.spiffe_id().to_string(), "spiffe://serviceradar.local/agent-001/acme/p1");
//! let heartbeats: Subject = "acme.agents.status".parse()?;
//! assert_eq!(agent.tenant(), Some(&heartbeats.tenant));
//! # Ok::<(), bulkhead_identity::NameError>(())
//! ```
//!
//! [`seeded`] has the mistakes that only a build made for it can make.
//!
//! What this crate cannot do is the caller's duty: TLS 1.3 only, and no resumption (see
//! [`PeerVerifier::client_cert_verifier`]); reading files and their permissions; metadata of requests beyond
//! the tenant's claim.

mod authority;
mod authority_name;
mod bundle;
mod certificate;
mod claim;
mod explain;
mod handshake;
mod label;
mod moment;
mod name_error;
mod names;
mod pattern;
mod profile;
mod refusal;
mod revocation;
mod rule;
pub mod seeded;
mod spiffe;
mod string_form;
mod subject;
mod verifier;

pub use authority::{AuthorityError, IssuingAuthority, TrustRoot};
pub use authority_name::AuthorityName;
pub use bundle::{BundleError, TrustBundle};
pub use certificate::{Certificate, CertificateError, PemError, certificates_from_pem};
pub use claim::{ClaimError, identity_of_verified_leaf, tenant_claim};
pub use explain::{CertificateSummary, Explanation, Question, RuleOutcome, RuleState, explain};
pub use handshake::RefusalSlot;
pub use label::{Component, LABEL_LENGTH_MAX, Partition, RESERVED_SLUGS, ServiceName, TenantSlug};
pub use name_error::{NameError, NameFault};
pub use names::{AgentId, PeerName, PlatformName, TenantName};
pub use pattern::{PeerPattern, Role};
pub use profile::ProfileViolation;
pub use refusal::{Refusal, Whose};
pub use revocation::{RevocationList, RevocationListError};
pub use rule::Rule;
pub use spiffe::SpiffeId;
pub use subject::{CHANNEL_LENGTH_MAX, Channel, Subject};
pub use verifier::{PeerVerifier, VerifierError};
