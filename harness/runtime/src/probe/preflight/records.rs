//! Whether the records that a description names can be read: a denial whose record nobody finds looks like silence.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use bulkhead_identity::PeerName;
use bulkhead_plan::foreign::{JudgedService, Records};
use futures::StreamExt as _;
use futures::future::join_all;

use crate::engine::{Engine, EngineError, chain};

/// How long an engine may take to hand out a line.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Whose records cannot be read, and why. The engine is asked for only when somebody's are a container's.
pub(super) async fn unreadable(
    services: &BTreeMap<PeerName, JudgedService>,
    engine: impl Future<Output = Result<Engine, EngineError>>,
) -> Vec<(PeerName, String)> {
    let (mut unreadable, mut containers) = (Vec::new(), Vec::new());
    for (name, service) in services {
        match &service.records {
            Records::File(path) => unreadable.extend(of_file(path).map(|why| (name.clone(), why))),
            Records::Container(container) => containers.push((name, container)),
            Records::None => {}
        }
    }
    if containers.is_empty() {
        return unreadable;
    }
    let engine = engine.await;
    let looks = containers.into_iter().map(async |(name, container)| {
        let why = match &engine {
            Ok(engine) => of_container(engine, container).await,
            Err(error) => {
                Some(format!("{error}; start Docker, or set DOCKER_HOST=unix:///path/of/its.sock"))
            }
        };
        let why = why?;
        let what = format!(
            "its records, what container {container} writes, cannot be read: {why}; with `records: none` it is taken at \
             its word"
        );
        Some((name.clone(), what))
    });
    unreadable.extend(join_all(looks).await.into_iter().flatten());
    unreadable
}

fn of_file(path: &Path) -> Option<String> {
    let error = std::fs::File::open(path).err()?;
    Some(format!("its records, {}, cannot be read: {error}", path.display()))
}

/// One line is asked for: a container may be there whose logs its engine keeps elsewhere, and hands out to nobody.
async fn of_container(engine: &Engine, container: &str) -> Option<String> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("1").build();
    let mut lines = engine.docker().logs(container, Some(options));
    match tokio::time::timeout(ANSWER_TIMEOUT, lines.next()).await {
        // It has written nothing as yet.
        Ok(None | Some(Ok(_))) => None,
        Ok(Some(Err(error))) => {
            Some(format!("{} (`docker ps --all` names those that there are)", chain(&error)))
        }
        Err(_) => Some(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_identity::PlatformName;

    use super::*;

    fn services(records: Records) -> BTreeMap<PeerName, JudgedService> {
        let service = JudgedService { page: "nats".to_owned(), address: "127.0.0.1:1".to_owned(), records };
        BTreeMap::from([(PeerName::Platform(PlatformName::Nats), service)])
    }

    async fn nobody_asks() -> Result<Engine, EngineError> {
        panic!("no records are a container's")
    }

    #[tokio::test]
    async fn a_file_is_read_without_an_engine() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let there = services(Records::File(file.path().to_owned()));
        assert_eq!(unreadable(&there, nobody_asks()).await, []);
        assert_eq!(unreadable(&services(Records::None), nobody_asks()).await, []);
        let gone = services(Records::File(file.path().join("gone")));
        let [(_, why)] = unreadable(&gone, nobody_asks()).await.try_into().unwrap();
        assert!(why.contains("/gone, cannot be read: "), "{why}");
    }

    #[tokio::test]
    async fn an_engine_that_does_not_answer_is_said() {
        let container = services(Records::Container("broker".to_owned()));
        let [(_, why)] =
            unreadable(&container, Engine::connect_to("tcp://127.0.0.1:1")).await.try_into().unwrap();
        for word in ["container broker", "no container engine answers at tcp://127.0.0.1:1", "DOCKER_HOST"] {
            assert!(why.contains(word), "{word}: {why}");
        }
    }
}
