//! Starts services one by one and waits for each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bulkhead_plan::environment::RunningService;
use bulkhead_plan::{Service, ServiceId};
use futures::{StreamExt, TryStreamExt, stream};

use super::CONCURRENCY;
use crate::backend::{Backend, Placed};
use crate::error::{Failure, NotReady};
use crate::event::{Event, Events};
use crate::logs;
use crate::readiness::{Readiness, Target};

/// The services of one environment, on their way to being ready.
pub(crate) struct Services<'a> {
    pub(crate) backend: &'a dyn Backend,
    pub(crate) readiness: &'a Readiness,
    /// How long one may take.
    pub(crate) ready_timeout: Duration,
    pub(crate) events: &'a Events,
}

impl Services<'_> {
    pub(crate) async fn create_and_start(
        &self,
        placed: &Placed,
        services: Vec<&Service>,
    ) -> Result<BTreeMap<ServiceId, RunningService>, Failure> {
        for service in &services {
            self.backend.create(placed, service).await?;
        }
        self.start(services).await
    }

    pub(crate) async fn start(
        &self,
        services: Vec<&Service>,
    ) -> Result<BTreeMap<ServiceId, RunningService>, Failure> {
        let starts = stream::iter(services).map(|service| self.start_one(service));
        starts.buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn start_one(&self, service: &Service) -> Result<(ServiceId, RunningService), Failure> {
        let began = Instant::now();
        self.events.emit(Event::ServiceStarting { id: service.id.clone() });
        let running = self.backend.start(&service.id).await?;
        self.wait_for(service, &running, began).await?;
        Ok((service.id.clone(), running))
    }

    /// Waits until a service that runs is ready.
    pub(crate) async fn wait_for(
        &self,
        service: &Service,
        running: &RunningService,
        began: Instant,
    ) -> Result<(), Failure> {
        let (id, address) = (service.id.clone(), running.address.to_string());
        let target = Target { role: service.role, name: &service.name, address: &address };
        if let Err(last_seen) = self.readiness.wait(target, self.ready_timeout).await {
            let last_lines = logs::last_lines(self.backend, &id).await;
            let late = NotReady { id, address, after: began.elapsed(), last_seen, last_lines };
            return Err(Failure::NotReady(Box::new(late)));
        }
        self.backend.settled(&id);
        self.events.emit(Event::ServiceReady { id, address, after: began.elapsed() });
        Ok(())
    }
}
