//! Names, certificate profile, verifiers and subjects: what a tenant's identity is.
//!
//! Everything here is pure: no clock, no files, no sockets. A value of one of these types is valid; texts
//! and bytes are judged once, where they enter the program.

mod authority_name;
mod label;
mod name_error;
mod names;
mod spiffe;
mod string_form;
mod subject;

pub use authority_name::AuthorityName;
pub use label::{Component, LABEL_LENGTH_MAX, Partition, RESERVED_SLUGS, ServiceName, TenantSlug};
pub use name_error::{NameError, NameFault};
pub use names::{AgentId, PeerName, PlatformName, TenantName};
pub use spiffe::SpiffeId;
pub use subject::{CHANNEL_LENGTH_MAX, Channel, Subject};
