//! The last lines of a container that is starting, gathered as they are written.
//!
//! The engine tells of a death within some 30 ms, and then keeps the container locked until its networks are taken down,
//! three times as long: until then it neither shows the log nor describes the end. So whoever wants to say at once why a
//! service died must have been listening before it did.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::lines_of;

/// How long the last lines may take to come after the death that they explain.
const REST: Duration = Duration::from_millis(50);

/// What one container writes, as far as it is worth showing.
#[derive(Debug)]
pub(super) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    listening: AbortOnDropHandle<()>,
}

impl Tail {
    /// Begins to listen, best before the container is started; keeps the last `shown` lines. None where the engine does
    /// not let us: then the log is asked for when it is needed.
    pub(super) async fn listen(docker: &Docker, name: &str, shown: usize) -> Option<Self> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = docker.attach_container(name, Some(options)).await.ok()?;
        let lines: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let kept = lines.clone();
        let listening = tokio::spawn(async move {
            let mut written = lines_of(attached.output);
            while let Some(line) = written.next().await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_back(line);
                if kept.len() > shown {
                    kept.pop_front();
                }
            }
        });
        Some(Self { lines, listening: AbortOnDropHandle::new(listening) })
    }

    /// The last lines of a container that has ended.
    pub(super) async fn last_lines(self) -> Vec<String> {
        // The engine ends the stream with the container; whatever is still missing then is not waited for.
        let _ = tokio::time::timeout(REST, self.listening).await;
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}
