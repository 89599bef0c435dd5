//! A judge at work: its script against a running environment, its rows joined with the services' own records.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_plan::access::{DenialReason, Model};
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::topology::ServiceId;
use bulkhead_runtime::probe::records::{Book, Complaint, Event, Line, Place, Source};
use bulkhead_runtime::probe::verdict::served_as_well;
use bulkhead_runtime::spawn;
use tokio::process::Command;
use tokio::time::timeout;

use crate::expected;
use crate::forged::{Forged, ForgedError};
use crate::python::Python;
use crate::rows::{Cell, Document, Row, Sight};
use crate::verdict::{Judged, Verdict, outcome};

/// How long a judge may take for everything.
const DEADLINE: Duration = Duration::from_secs(180);
/// How long a service's record may take to appear in its log.
const RECORD_DEADLINE: Duration = Duration::from_secs(3);

/// Which judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// Callers of the agents, made with `grpcio`.
    Grpc,
    /// An attacker at the broker, made with `nats-py`.
    Nats,
}

/// Why a judge said nothing.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// It has no forged certificates to show.
    #[error(transparent)]
    Forged(#[from] ForgedError),
    /// It could not be started.
    #[error("{script} could not be run: {error}")]
    NotRun {
        /// Its file.
        script: &'static str,
        /// The system's reason.
        error: io::Error,
    },
    /// It did not come to an end.
    #[error("{script} has not ended after {} s", DEADLINE.as_secs())]
    Endless {
        /// Its file.
        script: &'static str,
    },
    /// It could not make all its observations.
    #[error("{script} could not observe everything: {output}")]
    Failed {
        /// Its file.
        script: &'static str,
        /// Its last lines.
        output: String,
    },
    /// What it printed is no table.
    #[error("{script} printed no table: {error}")]
    Unreadable {
        /// Its file.
        script: &'static str,
        /// Where.
        error: serde_json::Error,
    },
}

impl Judge {
    /// Every judge.
    pub const ALL: [Self; 2] = [Self::Grpc, Self::Nats];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Nats => "nats",
        }
    }

    const fn script(self) -> &'static str {
        match self {
            Self::Grpc => "grpc_judge.py",
            Self::Nats => "nats_judge.py",
        }
    }

    /// Runs it against a running environment, and compares what it sees with what the access model expects.
    ///
    /// # Errors
    /// It did not see everything that it was to look at.
    pub async fn judge(self, python: &Python, record: &EnvironmentRecord) -> Result<Verdict, JudgeError> {
        let forged = Forged::of(record)?;
        let book = Book::open(record.services.iter().map(|service| {
            let source = match record.backend {
                BackendKind::Process => Source::File(PathBuf::from(&service.logs)),
                BackendKind::Docker | BackendKind::Compose => Source::Container(service.handle.clone()),
            };
            (service.id.to_string(), source)
        }));
        let document = self.run(python, record, &forged).await?;
        let model = Model::of_record(record);
        let mut rows = Vec::new();
        for row in document.rows {
            rows.push(judged(&model, &book, row).await);
        }
        Ok(Verdict::of(document.judge, rows, &self.required(record, &forged)))
    }

    fn required(self, record: &EnvironmentRecord, forged: &Forged) -> BTreeSet<Cell> {
        match self {
            Self::Grpc => expected::at_the_agents(record, &forged.names),
            Self::Nats => expected::at_the_broker(record, &forged.names),
        }
    }

    async fn run(
        self,
        python: &Python,
        record: &EnvironmentRecord,
        forged: &Forged,
    ) -> Result<Document, JudgeError> {
        let script = self.script();
        let mut command = Command::new(&python.program);
        command.arg("-B").arg(python.scripts.join(script));
        command.arg(record.state_dir.join("environment.json")).arg("--forged").arg(forged.list());
        // What it imports is what was pinned; its refusals are rows, not lines of a log.
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env("GRPC_VERBOSITY", "NONE");
        let output = timeout(DEADLINE, spawn::output(&mut command)).await;
        let output = output.map_err(|_elapsed| JudgeError::Endless { script })?;
        let output = output.map_err(|error| JudgeError::NotRun { script, error })?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(6)..].join("\n");
            return Err(JudgeError::Failed { script, output: last });
        }
        serde_json::from_slice(&output.stdout).map_err(|error| JudgeError::Unreadable { script, error })
    }
}

async fn judged(model: &Model, book: &Book, mut row: Row) -> Judged {
    let record = recorded(book, &mut row).await;
    let outcome = outcome(&row, record);
    let Row { cell, mut evidence, controls, .. } = row;
    evidence.extend(controls.into_iter().map(|control| {
        let word = if control.held { "held" } else { "FAILED" };
        format!("control {word}: {}", control.what)
    }));
    Judged::of(model, cell, outcome, evidence)
}

/// What the called service has written of the refused connections of a row; `None` where nobody writes of them.
async fn recorded(book: &Book, row: &mut Row) -> Option<Result<DenialReason, String>> {
    if !matches!(row.outcome, Sight::TurnedAway | Sight::Denied) {
        return None;
    }
    let page = page_of(row.cell.target.as_ref()?)?;
    if row.callers.is_empty() {
        return Some(Err(format!("no connection to {page} came about")));
    }
    let mut reason = None;
    for caller in row.callers.clone() {
        match refusal_of(book, &page, caller).await {
            Err(why) => return Some(Err(why)),
            Ok((found, text)) => {
                row.evidence.push(format!("{page} recorded: {text}"));
                reason = Some(found);
            }
        }
    }
    reason.map(Ok)
}

fn page_of(service: &PeerName) -> Option<String> {
    let id = match service {
        PeerName::Tenant(name) => ServiceId::Agent { tenant: name.tenant.clone(), agent: name.agent_id() },
        PeerName::Platform(bulkhead_identity::PlatformName::Nats) => ServiceId::Nats,
        PeerName::Platform(_) => return None,
    };
    Some(id.to_string())
}

/// The one refusal of this caller, after which it was not served.
async fn refusal_of(book: &Book, page: &str, caller: SocketAddr) -> Result<(DenialReason, String), String> {
    let wanted = format!("a refusal of {caller}");
    let is_it = |line: &Line| reason_in(line, caller).is_some();
    let line = book.find(page, Place::default(), &wanted, RECORD_DEADLINE, is_it).await;
    let line = line.map_err(|missing| missing.to_string())?;
    let served = book.look(page, Place::default(), |lines| served_as_well(lines, is_it, caller)).flatten();
    if let Some(call) = served {
        return Err(format!("{page} has refused {caller}, and served it as well: {call}"));
    }
    let unknown = || format!("refused for a reason unknown here: {}", line.text);
    let reason = reason_in(&line, caller).flatten().ok_or_else(unknown)?;
    Ok((reason, line.text))
}

/// Whether a line is of a refusal of this caller, and the reason if it is one that the model knows.
fn reason_in(line: &Line, caller: SocketAddr) -> Option<Option<DenialReason>> {
    if let Some(audit) = line.audit.as_ref().filter(|audit| audit.peer() == Some(caller)) {
        return (audit.event == Event::Refused).then(|| audit.denial());
    }
    let broker = line.broker.as_ref().filter(|record| record.peer == caller)?;
    Some(match broker.complaint {
        Complaint::Denied(reason) => Some(reason),
        Complaint::Other => None,
    })
}
