//! The programs or images that services are run from.

use std::time::Instant;

use bulkhead_plan::{EnvironmentSpec, Role};

use super::ProgramSource;
use crate::backend::{Images, Programs};
use crate::engine::Engine;
use crate::error::Failure;
use crate::event::{Event, Events};
use crate::images::{self, Image, ImageError};
use crate::{build, nats_binary};

/// Programs for the process backend.
pub(super) async fn programs(
    spec: &EnvironmentSpec,
    source: &ProgramSource,
    events: &Events,
) -> Result<Programs, Failure> {
    let images = &spec.images;
    if [&images.nats, &images.poller, &images.agent].iter().any(|image| image.is_some()) {
        let text = "the process backend uses no images: those that were given are left aside".to_owned();
        events.emit(Event::Notice { text });
    }
    let nats = async { nats_binary::obtain().await.map_err(Failure::from) };
    let (services, nats) = tokio::try_join!(services(source, events), nats)?;
    let text = format!("nats-server {} from {}", nats.version, nats.origin);
    events.emit(Event::Notice { text });
    Ok(Programs { nats: nats.path, poller: services.poller, agent: services.agent })
}

/// Images for the docker backend.
pub(super) async fn images(
    engine: &Engine,
    spec: &EnvironmentSpec,
    source: &ProgramSource,
    events: &Events,
) -> Result<Images, Failure> {
    let given = &spec.images;
    let nats =
        async { ready(Role::Nats, images::of_nats(engine.docker(), given.nats.as_deref()).await, events) };
    let services = async {
        // Programs are not built only to be left aside for somebody's own images.
        let programs = match (&given.agent, &given.poller) {
            (Some(_), Some(_)) => build::Programs { agent: "".into(), poller: "".into(), probe: "".into() },
            _ => services(source, events).await?,
        };
        let docker = engine.docker();
        let agent = images::of_service(docker, Role::Agent, given.agent.as_deref(), &programs.agent);
        let poller = images::of_service(docker, Role::Poller, given.poller.as_deref(), &programs.poller);
        let (agent, poller) = tokio::join!(agent, poller);
        Ok((ready(Role::Agent, agent, events)?, ready(Role::Poller, poller, events)?))
    };
    let (nats, (agent, poller)) = tokio::try_join!(nats, services)?;
    Ok(Images { nats, poller, agent })
}

fn ready(role: Role, image: Result<Image, ImageError>, events: &Events) -> Result<String, Failure> {
    let image = image?;
    events.emit(Event::ImageReady { role, image: image.clone() });
    Ok(image.reference)
}

async fn services(source: &ProgramSource, events: &Events) -> Result<build::Programs, Failure> {
    match source {
        ProgramSource::Given(programs) => Ok(programs.clone()),
        ProgramSource::Build(workspace) => {
            let began = Instant::now();
            let programs = build::programs(workspace, events).await?;
            events.emit(Event::Built { after: began.elapsed() });
            Ok(programs)
        }
    }
}
