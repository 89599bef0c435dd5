//! Names, certificate profile, verifiers and subjects: what a tenant's identity is.
//!
//! Everything here is pure: no clock, no files, no sockets. A value of one of these types is valid; texts
//! and bytes are judged once, where they enter the program.

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
mod rule;
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
pub use rule::Rule;
pub use spiffe::SpiffeId;
pub use subject::{CHANNEL_LENGTH_MAX, Channel, Subject};
pub use verifier::{PeerVerifier, VerifierError};
