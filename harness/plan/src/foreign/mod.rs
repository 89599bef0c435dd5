//! A platform that this project did not start: somebody else's agents, broker and poller. All that is known of it stands in
//! a file, [`PlatformDescription`], whose schema is published as `docs/schema/platform.schema.json`.
//!
//! Within the harness everybody is a role, named as this project would name it. [`Conventions`] translates: a role has a
//! certificate name of the platform's, a tenant has subjects of the platform's. Our own platform goes the same way, with our
//! own conventions. What the platform does not have, or nobody can see of it, is [`crate::access::Scope`]'s: *not covered*,
//! with the reason.

mod conventions;
mod describe;
mod error;
mod expectations;
mod judged;
mod portable;
mod template;
mod written;
mod written_conventions;

pub use conventions::Conventions;
pub use error::DescriptionError;
pub use expectations::{Expectations, Stated};
pub use judged::{AuthorityFiles, JudgedPlatform, JudgedService};
pub use template::{Template, TemplateError};
pub use written::{
    Expected, Identity, Override, PlatformDescription, Records, SCHEMA_VERSION, Trust, WrittenAgent,
    WrittenPlatform, WrittenService, WrittenTenant,
};

pub use written_conventions::{
    AccountConventions, AccountKind, GrpcConventions, LimitName, MethodName, SubjectConventions,
    WrittenConventions,
};

/// The JSON schema of [`PlatformDescription`], as it is published.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(PlatformDescription).to_value()
}
