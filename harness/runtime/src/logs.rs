//! What the services wrote: all together, by tenant, in short human lines.

pub(crate) mod file;
mod line;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use bulkhead_identity::TenantSlug;
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_plan::{EnvironmentSpec, ServiceId, Topology};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{self, BoxStream};

use crate::backend::{Backend, LogPart};
use crate::workdir::Workdir;
pub use line::{Level, LogLine};

/// How many lines an error shows.
const SHOWN_LINES: usize = 20;
/// How much of a container's log is kept when a start fails.
const KEPT_LINES: usize = 2000;
/// How long reading a log may take when the environment is about to go.
const KEEP_TIMEOUT: Duration = Duration::from_secs(2);

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these tenants; of everybody when empty.
    pub tenants: Vec<TenantSlug>,
    /// Of these services; of all when empty.
    pub services: Vec<ServiceId>,
    /// At most so many of the lines that are there already, of each service.
    pub last: Option<usize>,
    /// Whether to wait for more.
    pub follow: bool,
}

impl Selection {
    /// Everything there is now, of one tenant.
    pub fn of_tenant(tenant: TenantSlug) -> Self {
        Self { tenants: vec![tenant], ..Self::default() }
    }

    fn takes(&self, id: &ServiceId, tenant: Option<&TenantSlug>) -> bool {
        let of_tenant = self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.contains(tenant));
        of_tenant && (self.services.is_empty() || self.services.contains(id))
    }
}

/// The selected lines of all services. Without `follow` they come in the order of their times.
pub(crate) fn together(
    backend: &dyn Backend,
    record: &EnvironmentRecord,
    selection: &Selection,
) -> BoxStream<'static, LogLine> {
    let part = LogPart { last: selection.last, follow: selection.follow };
    let services =
        record.services.iter().filter(|service| selection.takes(&service.id, service.tenant.as_ref()));
    let streams: Vec<_> = services
        .map(|service| {
            let (id, tenant) = (service.id.clone(), service.tenant.clone());
            backend.log(&service.id, part).map(move |text| LogLine::read(id.clone(), tenant.clone(), &text))
        })
        .collect();
    let together = stream::select_all(streams);
    if selection.follow {
        return together.boxed();
    }
    stream::once(async move {
        let mut lines: Vec<LogLine> = together.collect().await;
        // RFC 3339 in UTC sorts as text; lines without a time stay where they were.
        lines.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
        stream::iter(lines)
    })
    .flatten()
    .boxed()
}

/// The last lines of one service, as it wrote them.
pub(crate) async fn last_lines(backend: &dyn Backend, id: &ServiceId) -> Vec<String> {
    let part = LogPart { last: Some(SHOWN_LINES), follow: false };
    let lines = backend.log(id, part).collect::<Vec<_>>();
    tokio::time::timeout(KEEP_TIMEOUT, lines).await.unwrap_or_default()
}

/// Writes the logs of containers into the state folder: with the container they would be gone. Whatever cannot be
/// kept is not: the start has failed already, and its error has the last lines.
pub(crate) async fn keep(backend: &dyn Backend, spec: &EnvironmentSpec, workdir: &Workdir) {
    let (Ok(topology), Ok(folder)) = (Topology::new(spec), workdir.folder(Path::new("logs"))) else { return };
    let part = LogPart { last: Some(KEPT_LINES), follow: false };
    let keeps = topology.services().iter().map(async |service| {
        let lines =
            tokio::time::timeout(KEEP_TIMEOUT, backend.log(&service.id, part).collect::<Vec<_>>()).await;
        let path = folder.join(format!("{}.log", service.id.dotted()));
        if let Some(lines) = lines.ok().filter(|lines| !lines.is_empty()) {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
            let _ = file.and_then(|mut file| file.write_all(format!("{}\n", lines.join("\n")).as_bytes()));
        }
    });
    join_all(keeps).await;
}
