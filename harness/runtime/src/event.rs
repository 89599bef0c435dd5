//! What happens while an environment comes up, runs and goes down, as values. How they look is `console`'s business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::{Role, ServiceId};

use crate::images::Image;

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Which backend will run the services, and why that one.
    BackendChosen {
        /// Which.
        backend: BackendKind,
        /// Why.
        reason: String,
    },
    /// What earlier runs left behind was taken away.
    Swept {
        /// What is gone: containers, networks, processes.
        removed: Vec<String>,
        /// What would not go, with reasons.
        stuck: Vec<String>,
    },
    /// The compiler is at work.
    Building {
        /// What it says.
        line: String,
    },
    /// The services' programs are current.
    Built {
        /// How long that took.
        after: Duration,
    },
    /// A service's image is in the engine.
    ImageReady {
        /// For which service.
        role: Role,
        /// Which, and from where.
        image: Image,
    },
    /// Certificates and configurations are written.
    FilesReady {
        /// How many files were written or replaced; the others were right already.
        written: usize,
        /// How many there are.
        total: usize,
        /// How long that took.
        after: Duration,
    },
    /// A service is about to start.
    ServiceStarting {
        /// Which.
        id: ServiceId,
    },
    /// A service answers as it should.
    ServiceReady {
        /// Which.
        id: ServiceId,
        /// Where it answers, as seen from the host.
        address: String,
        /// Since its start.
        after: Duration,
    },
    /// A service ended by itself.
    ServiceDied(Death),
    /// Everything answers.
    Ready {
        /// How many services.
        services: usize,
        /// Since the start of the whole.
        after: Duration,
    },
    /// Teardown began.
    Stopping,
    /// Teardown ended.
    Stopped {
        /// How long it took.
        after: Duration,
        /// What would not go, with reasons.
        stuck: Vec<String>,
    },
    /// Something that a person should know and that stops nothing.
    Notice {
        /// What.
        text: String,
    },
}

/// A service that ended without having been asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Which.
    pub id: ServiceId,
    /// How: `exit code 2`, `signal 9`, `killed for using too much memory`.
    pub how: String,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

impl fmt::Display for Death {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ended with {}", self.id, self.how)?;
        match self.last_lines.as_slice() {
            [] => write!(formatter, " and logged nothing"),
            lines => {
                write!(formatter, "; its last lines:")?;
                lines.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
            }
        }
    }
}

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl Events {
    /// Calls `sink` for each event, on whatever thread it happens.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Nobody listens.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// Says that something happened.
    pub fn emit(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Events")
    }
}
