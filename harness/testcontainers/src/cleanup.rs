//! Takes everything away: containers, and the networks that no container of testcontainers knows of.

use std::collections::BTreeMap;

use bulkhead_plan::ServiceId;
use bulkhead_runtime::engine::chain;
use bulkhead_runtime::engine::labels::Scope;
use bulkhead_runtime::engine::sweep::sweep;
use futures::future::join_all;
use testcontainers::core::client::docker_client_instance;
use testcontainers::{ContainerAsync, Image};

use crate::error::TeardownError;
use crate::image::{AgentImage, NatsImage, PollerImage};

/// The containers of one platform.
#[derive(Debug, Default)]
pub(crate) struct Containers {
    pub(crate) nats: Option<ContainerAsync<NatsImage>>,
    pub(crate) poller: Option<ContainerAsync<PollerImage>>,
    pub(crate) agents: BTreeMap<ServiceId, ContainerAsync<AgentImage>>,
}

impl Containers {
    async fn remove(self) {
        let Self { nats, poller, agents } = self;
        let agents = async { join_all(agents.into_values().map(remove)).await };
        let nats = async { join_all(nats.into_iter().map(remove)).await };
        let poller = async { join_all(poller.into_iter().map(remove)).await };
        tokio::join!(agents, nats, poller);
    }
}

async fn remove<I: Image>(container: ContainerAsync<I>) {
    // Whatever stays behind is found by its labels right after.
    let _ = container.rm().await;
}

/// Owns everything of one run in the engine, from before the first thing is created.
#[derive(Debug)]
pub(crate) struct Cleanup {
    pub(crate) run: String,
    pub(crate) containers: Containers,
    done: bool,
}

impl Cleanup {
    pub(crate) fn of_run(run: &str) -> Self {
        Self { run: run.to_owned(), containers: Containers::default(), done: false }
    }

    /// Removes everything now.
    pub(crate) async fn finish(mut self) -> Result<(), TeardownError> {
        self.done = true;
        remove_all(self.run.clone(), std::mem::take(&mut self.containers)).await
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (run, containers) = (std::mem::take(&mut self.run), std::mem::take(&mut self.containers));
        if keep() {
            eprintln!(
                "TESTCONTAINERS_COMMAND=keep: containers and networks with the label io.bulkhead.run={run} stay"
            );
            return;
        }
        // A thread with a runtime of its own: this may run inside a runtime with one thread, or outside of any.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(remove_all(run, containers)).map_err(|error| error.to_string())
        });
        match removal.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("{error}"),
            Err(_) => {
                eprintln!("the removal of the platform's containers panicked; the next start sweeps them")
            }
        }
    }
}

/// What testcontainers' own variable asks for: containers are left for a person to look at.
pub(crate) fn keep() -> bool {
    std::env::var("TESTCONTAINERS_COMMAND").is_ok_and(|command| command.eq_ignore_ascii_case("keep"))
}

async fn remove_all(run: String, containers: Containers) -> Result<(), TeardownError> {
    containers.remove().await;
    let stuck = match docker_client_instance().await {
        Ok(docker) => match sweep(&docker, &Scope::Run(run.clone())).await {
            Ok(swept) => swept.stuck,
            Err(error) => vec![chain(&error)],
        },
        Err(error) => vec![error.to_string()],
    };
    if stuck.is_empty() { Ok(()) } else { Err(TeardownError { run, stuck }) }
}
