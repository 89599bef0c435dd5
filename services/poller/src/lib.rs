//! The platform's poller: dials every tenant's agents, publishes and stores what they say, audits each access.
//!
//! The way of the data: [`config`] says who is polled; one task per agent dials, asks and has each answer
//! judged ([`answer`]); what is accepted becomes a [`message`] on the tenant's own subject, kept in the tenant's
//! own stream ([`streams`]); the administrator reads it through [`admin`].
//!
//! What the poller does not do: it takes a tenant from nowhere but a verified certificate, it publishes on no
//! subject that is not made from that tenant, and no agent's silence, flood or lie delays another's poll.

pub mod admin;
pub mod answer;
pub mod config;
pub mod message;
pub mod streams;
