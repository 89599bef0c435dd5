//! The platform's poller: dials every tenant's agents, publishes and stores what they say, audits each access.
//!
//! The way of the data: [`config`] says who is polled and [`anchors`] who is believed; one task per agent
//! ([`poll`]) dials, asks and has each answer judged ([`answer`], which walks through [`foreign`] JSON and cuts
//! it into [`parts`]); agents that report by themselves are judged alike ([`report`]). What is accepted becomes a
//! [`message`] on the tenant's own subject ([`publish`]), kept in the tenant's own stream ([`streams`]); the
//! administrator reads it through [`admin`] and [`desk`]. [`fleet`] knows who answers, [`health`] tells it,
//! [`service`] starts and ends it all, [`supervise`] begins again what fails, [`program`] is its command line.
//!
//! What the poller does not do: it takes a tenant from nowhere but a verified certificate, it publishes on no
//! subject that is not made from that tenant, and no agent's silence, flood or lie delays another's poll.

pub mod admin;
pub mod anchors;
pub mod answer;
pub mod config;
pub mod desk;
pub mod fleet;
pub mod foreign;
pub mod health;
pub mod message;
pub mod parts;
pub mod poll;
pub mod program;
pub mod publish;
pub mod report;
pub mod service;
pub mod streams;
pub mod supervise;
