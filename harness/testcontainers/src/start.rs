//! From what is wanted to what runs.

use std::path::{Path, PathBuf};

use bulkhead_identity::{AuthorityName, PlatformName};
use bulkhead_plan::pki::{self, CertificatePaths, ExistingCertificates, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Placement, Role, Topology, render};
use bulkhead_runtime::build;
use bulkhead_runtime::engine::labels::{Lease, Scope, Stamp, checkout_id};
use bulkhead_runtime::engine::sweep::sweep;
use bulkhead_runtime::event::Events;
use bulkhead_runtime::images::{self, archive::NUMERIC_USER};
use bulkhead_runtime::owner::Owner;
use bulkhead_runtime::probe::Nonce;
use bulkhead_runtime::workdir::Workdir;
use testcontainers::bollard::Docker;
use time::OffsetDateTime;

use crate::builder::{Extent, PlatformBuilder};
use crate::cleanup::Cleanup;
use crate::engine;
use crate::error::StartError;
use crate::folder::{self, Folder};
use crate::network::{self, engine_name, refused};
use crate::platform::Platform;
use crate::services::Plan;

/// The environment's name on everything that this crate creates.
const ENVIRONMENT: &str = "testcontainers";
/// References of images that the engine has. Agent and poller are empty in a platform of messages only.
#[derive(Default)]
pub(crate) struct Images {
    pub(crate) nats: String,
    pub(crate) agent: String,
    pub(crate) poller: String,
}

pub(crate) async fn start(wanted: PlatformBuilder) -> Result<Platform, StartError> {
    let run = Nonce::fresh().as_str()[..8].to_owned();
    // A name that comes from the run: networks' addresses follow from it.
    let spec = wanted.spec(format!("t{run}").parse().map_err(|error| impossible(&error))?)?;
    let docker = engine::connect().await?;
    // What killed tests left behind goes first: testcontainers has no reaper of its own.
    sweep(&docker, &Scope::Dead)
        .await
        .map_err(|error| refused("sweep what earlier runs left behind", &error))?;
    let images = images(&docker, &spec, wanted.extent()).await?;

    let place = std::env::temp_dir();
    folder::sweep(&place);
    let folder = Folder::new_in(&place).map_err(|error| StartError::Folder { place, error })?;
    let stamp = stamp(&run, folder.path());
    let mut cleanup = Cleanup::of_run(&run);
    let topology = network::create(&docker, &spec, &stamp).await?;
    let placement =
        Placement::containers_known_as(&topology, |service| engine_name(&stamp, &service.id.dotted()))?;
    let root = write_files(&topology, &placement, folder.path())?;
    let plan = Plan { docker, stamp, topology, placement, images, folder: folder.path().to_owned() };

    let nats = plan.start_nats(&mut cleanup).await?;
    let mut tenants = plan.tenants(&nats)?;
    let poller = match wanted.extent() {
        Extent::Everything => Some(plan.start_others(&mut cleanup, &mut tenants).await?),
        Extent::MessagesOnly => None,
    };
    let admin = plan.platform_identity(PlatformName::Admin)?;
    let poller_identity = plan.platform_identity(PlatformName::Poller)?;
    Ok(Platform { cleanup, folder, tenants, nats, poller, admin, poller_identity, root })
}

fn stamp(run: &str, folder: &Path) -> Stamp {
    Stamp {
        environment: ENVIRONMENT.to_owned(),
        checkout: checkout_id(folder),
        run: run.to_owned(),
        owner: Owner::current(),
        lease: Lease::owned(OffsetDateTime::now_utc()),
    }
}

async fn images(docker: &Docker, spec: &EnvironmentSpec, extent: Extent) -> Result<Images, StartError> {
    let given = &spec.images;
    let nats = images::of_nats(docker, given.nats.as_deref()).await?.reference;
    if extent == Extent::MessagesOnly {
        return Ok(Images { nats, ..Images::default() });
    }
    // Nothing is built where nothing built is used.
    let programs = match (&given.agent, &given.poller) {
        (Some(_), Some(_)) => {
            build::Programs { agent: PathBuf::new(), poller: PathBuf::new(), probe: PathBuf::new() }
        }
        _ => build::programs(&workspace(), &Events::none()).await?,
    };
    let agent = images::of_service(docker, Role::Agent, given.agent.as_deref(), &programs.agent).await?;
    let poller = images::of_service(docker, Role::Poller, given.poller.as_deref(), &programs.poller).await?;
    Ok(Images { nats, agent: agent.reference, poller: poller.reference })
}

/// The checkout that this crate was compiled from: cargo keeps it where a dependency by path or by git is.
fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}

/// Writes certificates, credentials and configurations, and returns where the root certificate is.
fn write_files(topology: &Topology, placement: &Placement, folder: &Path) -> Result<PathBuf, StartError> {
    let now = OffsetDateTime::now_utc();
    let pki = pki::plan(topology, &mut SystemKeys::new(), now, &ExistingCertificates::none())?;
    let workdir = Workdir::at(folder);
    workdir.write(&pki.files())?;
    workdir.write(&render::service_files(topology, &pki, placement)?)?;
    if rustix::process::geteuid().is_root() {
        // Services run as the owner of their files, and never as root.
        workdir.give_to(Path::new("services"), NUMERIC_USER)?;
    }
    Ok(folder.join(CertificatePaths::of_authority(&AuthorityName::Root).certificate))
}

/// A topology always has these; said as an error all the same, for a library does not end its caller's test run.
pub(crate) fn impossible(what: &dyn std::fmt::Display) -> StartError {
    StartError::Engine { attempt: "lay out the platform".to_owned(), reason: what.to_string() }
}
