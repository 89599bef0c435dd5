//! Certificates and configurations: planned elsewhere, read and written here.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Instant;

use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::fault::Fault;
use bulkhead_plan::pki::{self, Action, ExistingCertificates, Pki, SystemKeys};
use bulkhead_plan::{PlannedFile, Topology, render};
use time::OffsetDateTime;

use crate::backend::Placed;
use crate::error::Failure;
use crate::event::{Event, Events};
use crate::workdir::Workdir;

/// How many renewed certificates are named.
const SHOWN_RENEWALS: usize = 5;

/// Writes everything that the services and the developer need, and deletes what earlier services were given.
pub(super) fn write(
    workdir: &Workdir,
    placed: &Placed,
    kind: BackendKind,
    fault: Option<&Fault>,
    events: &Events,
) -> Result<(), Failure> {
    let began = Instant::now();
    let topology = &placed.topology;
    let unusable = |reason: String| Failure::Certificates { folder: workdir.path().join("certs"), reason };
    let existing = existing(workdir, topology).map_err(unusable)?;
    let now = OffsetDateTime::now_utc();
    let weakness = fault.and_then(Fault::weakness);
    let pki = pki::plan_weakened(topology, &mut SystemKeys::new(), now, &existing, weakness);
    let pki = pki.map_err(|error| unusable(error.to_string()))?;
    let rendered = render::service_files(topology, &pki, &placed.placement);
    let rendered = rendered.map_err(|error| unusable(error.to_string()))?;
    let mut files = pki.files();
    files.extend(rendered);
    files.push(PlannedFile::public("spec.yaml", topology.spec().to_yaml()));
    if let Some(fault) = fault {
        fault.seed(&mut files, topology, kind)?;
    }
    let services = Path::new("services");
    let given: BTreeSet<&Path> =
        files.iter().map(|file| file.path.as_path()).filter(|path| path.starts_with(services)).collect();
    workdir.keep_only(services, &given)?;
    let written = workdir.write(&files)?;
    tell_renewed(&pki, workdir, events);
    workdir.folder(Path::new("data/nats"))?;
    if kind == BackendKind::Process {
        workdir.remove(Path::new("logs"))?;
    }
    events.emit(Event::FilesReady { written, total: files.len(), after: began.elapsed() });
    Ok(())
}

/// Whoever has copied a certificate that is replaced must know. An authority that is renewed takes everything below it
/// along: the first few say why.
fn tell_renewed(pki: &Pki, workdir: &Workdir, events: &Events) {
    let renewed: Vec<_> =
        pki.notices().iter().filter(|notice| matches!(notice.action, Action::Renewed(_))).collect();
    for notice in renewed.iter().take(SHOWN_RENEWALS) {
        let text = format!("{}/{notice}; copies of it work no longer", workdir.path().display());
        events.emit(Event::Notice { text });
    }
    if let Some(more) = renewed.len().checked_sub(SHOWN_RENEWALS).filter(|more| *more > 0) {
        events.emit(Event::Notice {
            text: format!("{more} more certificates and revocation lists were renewed along with them"),
        });
    }
}

/// Gives the files that containers see to the numeric user that they run as: keys stay closed to everybody else.
pub(super) fn hand_over(workdir: &Workdir, user: u32) -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        workdir.give_to(Path::new("services"), user)?;
        workdir.give_to(Path::new("data"), user)?;
    }
    Ok(())
}

fn existing(workdir: &Workdir, topology: &Topology) -> Result<ExistingCertificates, String> {
    let mut existing = ExistingCertificates::none();
    for path in pki::paths(topology) {
        let full = workdir.path().join(&path);
        match std::fs::read(&full) {
            Ok(contents) => existing.insert(path, contents),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be read: {error}", full.display())),
        }
    }
    Ok(existing)
}
