//! The three services as testcontainers images.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bulkhead_plan::Role;
use bulkhead_plan::placement::{CONTAINER_DATA, CONTAINER_FILES};
use bulkhead_plan::render::config_file_name;
use bulkhead_plan::topology::{AGENT_PORT, NATS_PORT, POLLER_PORT};
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::{ContainerPort, Mount, WaitFor};
use testcontainers::{ContainerRequest, CopyToContainer, Image, ImageExt};

use crate::engine;
use crate::reference::{Reference, ReferenceError};

/// Memory that one service may use, in bytes: NATS with a hundred tenants uses 20 MB, an agent 5 MB.
const MEMORY: i64 = 512 << 20;
/// Threads and processes of one container.
const PIDS: i64 = 512;

/// Which of the three services an image is. Only [`Nats`], [`Agent`] and [`Poller`] are.
pub trait Kind: fmt::Debug + Clone + Send + Sync + Unpin + 'static {
    /// What it does.
    const ROLE: Role;
    /// Where it listens inside its container.
    const PORT: u16;
}

/// The message broker.
#[derive(Debug, Clone)]
pub struct Nats;
/// A tenant's agent.
#[derive(Debug, Clone)]
pub struct Agent;
/// The platform's poller.
#[derive(Debug, Clone)]
pub struct Poller;

impl Kind for Nats {
    const ROLE: Role = Role::Nats;
    const PORT: u16 = NATS_PORT;
}

impl Kind for Agent {
    const ROLE: Role = Role::Agent;
    const PORT: u16 = AGENT_PORT;
}

impl Kind for Poller {
    const ROLE: Role = Role::Poller;
    const PORT: u16 = POLLER_PORT;
}

/// NATS with mutual TLS and an account per tenant.
pub type NatsImage = ServiceImage<Nats>;
/// A tenant's agent, which serves gRPC over mutual TLS.
pub type AgentImage = ServiceImage<Agent>;
/// The platform's poller, which dials every agent.
pub type PollerImage = ServiceImage<Poller>;

/// A service's image with the files that the service is given.
///
/// It waits for nothing: testcontainers knows log lines and plain HTTP, and neither says that a service with mutual
/// TLS answers. Use [`crate::ready`] once the container has started.
#[derive(Debug, Clone)]
pub struct ServiceImage<K> {
    reference: Reference,
    files: PathBuf,
    copied: [CopyToContainer; 1],
    mounts: Vec<Mount>,
    ports: [ContainerPort; 1],
    kind: PhantomData<K>,
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The reference names no image.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The service's files are not there.
    #[error(
        "cannot read {path}, the configuration of the {role}: {error}; give the folder with {role}'s configuration, \
         tls/ and trust/ in it, as `bulkhead_plan::render::service_files` makes it"
    )]
    Files {
        /// Of which service.
        role: Role,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

impl<K: Kind> ServiceImage<K> {
    /// The image `reference`, to be given everything in the folder `files`: the service's configuration under the
    /// name that [`config_file_name`] says, `tls/` and `trust/`, as [`bulkhead_plan::render::service_files`] makes it
    /// for a placement in containers.
    ///
    /// # Errors
    /// When the reference names no image, or the folder has no such configuration.
    pub fn new(reference: &str, files: impl Into<PathBuf>) -> Result<Self, ImageError> {
        let files = files.into();
        let path = files.join(config_file_name(K::ROLE));
        std::fs::metadata(&path).map_err(|error| ImageError::Files { role: K::ROLE, path, error })?;
        let data = (K::ROLE == Role::Nats).then(|| Mount::tmpfs_mount(CONTAINER_DATA));
        Ok(Self {
            reference: reference.parse()?,
            // The whole folder is copied with its owner and modes; testcontainers gives single files to root.
            copied: [CopyToContainer::new(files.clone(), CONTAINER_FILES)],
            files,
            mounts: data.into_iter().collect(),
            ports: [ContainerPort::Tcp(K::PORT)],
            kind: PhantomData,
        })
    }

    /// The image as a container that may as little as it needs: it runs as the owner of its files, with no
    /// capabilities, bounded in memory and processes, and its port is published on the host's loopback only (on every
    /// interface where the engine is on another machine, as testcontainers does it).
    ///
    /// Start this, not the bare image: keys are readable by their owner only, and an image's own user is another.
    ///
    /// # Errors
    /// When the folder of files is gone.
    pub fn request(self) -> Result<ContainerRequest<Self>, ImageError> {
        let unreadable = |error| ImageError::Files { role: K::ROLE, path: self.files.clone(), error };
        let owner = owner_of(&self.files).map_err(unreadable)?;
        Ok(self
            .with_user(owner)
            .with_cap_drop("ALL")
            .with_security_opt("no-new-privileges")
            .with_host_config_modifier(|config| restrict(config, K::PORT)))
    }
}

fn owner_of(folder: &Path) -> io::Result<String> {
    let facts = std::fs::metadata(folder)?;
    Ok(format!("{}:{}", facts.uid(), facts.gid()))
}

fn restrict(config: &mut HostConfig, port: u16) {
    config.memory = Some(MEMORY);
    config.memory_swap = Some(MEMORY);
    config.pids_limit = Some(PIDS);
    // NATS and the poller are on every tenant's network and must not be a router between them.
    config.sysctls = Some(HashMap::from([("net.ipv4.ip_forward".to_owned(), "0".to_owned())]));
    if engine::is_on_this_host() {
        let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
        config.publish_all_ports = Some(false);
        config.port_bindings = Some(HashMap::from([(format!("{port}/tcp"), Some(vec![binding]))]));
    }
}

impl<K: Kind> Image for ServiceImage<K> {
    fn name(&self) -> &str {
        self.reference.name()
    }

    fn tag(&self) -> &str {
        self.reference.tag()
    }

    fn ready_conditions(&self) -> Vec<WaitFor> {
        Vec::new()
    }

    fn mounts(&self) -> impl IntoIterator<Item = &Mount> {
        &self.mounts
    }

    fn copy_to_sources(&self) -> impl IntoIterator<Item = &CopyToContainer> {
        &self.copied
    }

    fn cmd(&self) -> impl IntoIterator<Item = impl Into<std::borrow::Cow<'_, str>>> {
        ["--config".to_owned(), format!("{CONTAINER_FILES}/{}", config_file_name(K::ROLE))]
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &self.ports
    }
}
