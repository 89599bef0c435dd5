//! The log lines of a test, as the service writes them.

use std::io;
use std::sync::{Arc, Mutex, Once};

use bulkhead_kit::config::LogSettings;
use bulkhead_kit::log::{self, Origin};
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

/// What was logged on this thread since [`Lines::capture`]: with tokio's current-thread runtime, which
/// `#[tokio::test]` uses, that is everything the test started.
pub struct Lines {
    written: Buffer,
    _guard: DefaultGuard,
}

impl Lines {
    /// Starts capturing, as a service of this name and tenant.
    #[must_use]
    pub fn capture(service: &str, tenant: &str) -> Self {
        keep_interest();
        let written = Buffer::default();
        let writer = written.clone();
        let origin = Origin { service: service.to_owned(), tenant: tenant.to_owned() };
        let subscriber = log::subscriber(&LogSettings::default(), origin, move || writer.clone());
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Every line so far.
    ///
    /// # Panics
    /// When a line is not JSON.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        let bytes = self.written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The audit records so far.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        self.all().into_iter().filter(|line| line["kind"] == "audit").collect()
    }

    /// The refusals so far.
    #[must_use]
    pub fn refusals(&self) -> Vec<Value> {
        self.audit().into_iter().filter(|line| line["event"] == "refused").collect()
    }
}

/// With a single subscriber, tracing asks the current thread's whether anybody is interested in a line, and
/// remembers a "no" from a test without one for the whole process. A second, global one prevents that.
fn keep_interest() {
    static SINK: Once = Once::new();
    SINK.call_once(|| {
        let origin = Origin { service: String::new(), tenant: String::new() };
        let sink = log::subscriber(&LogSettings::default(), origin, io::sink);
        tracing::subscriber::set_global_default(sink).unwrap();
    });
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
