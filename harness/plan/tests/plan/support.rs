//! What the tests of this crate share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bulkhead_plan::pki::{
    self, ExistingCertificates, KeyError, KeySource, Pki, PrivateKey, Serial, SystemKeys,
};
use bulkhead_plan::{EnvironmentSpec, Placement, PlannedFile, ServiceId, Topology};
use time::OffsetDateTime;
use time::macros::datetime;

/// The moment at which the tests' certificates are made.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

/// A key source that is quick and repeats itself: a few real keys in turn, serials counted from 1. Certificates made
/// from it are for comparing, never for proving that keys differ.
pub(crate) struct RepeatedKeys {
    pems: Vec<String>,
    next: usize,
    serial: u128,
}

impl RepeatedKeys {
    pub(crate) fn new(keys: usize) -> Self {
        let mut system = SystemKeys::new();
        let pem = |_| String::from_utf8(system.key().unwrap().to_pem().to_vec()).unwrap();
        Self { pems: (0..keys).map(pem).collect(), next: 0, serial: 0 }
    }
}

impl KeySource for RepeatedKeys {
    fn key(&mut self) -> Result<PrivateKey, KeyError> {
        self.next = (self.next + 1) % self.pems.len();
        PrivateKey::from_pem(&self.pems[self.next])
    }

    fn serial(&mut self) -> Result<Serial, KeyError> {
        self.serial += 1;
        Ok(Serial::from_bytes(self.serial.to_be_bytes()))
    }

    fn of_tenant(&self, tenant: usize) -> Box<dyn KeySource + Send> {
        Box::new(Self { pems: self.pems.clone(), next: tenant, serial: (tenant as u128 + 1) << 32 })
    }
}

/// A specification of the given tenants with one agent each.
pub(crate) fn spec_of(slugs: &[&str]) -> EnvironmentSpec {
    let tenants: String = slugs.iter().map(|slug| format!("  - slug: {slug}\n")).collect();
    EnvironmentSpec::from_yaml(&format!("name: test\ntenants:\n{tenants}")).unwrap()
}

/// Certificates for a topology that has none yet, with real keys.
pub(crate) fn new_pki(topology: &Topology) -> Pki {
    pki::plan(topology, &mut SystemKeys::new(), NOW, &ExistingCertificates::none()).unwrap()
}

/// A port for every service, counted from `first`.
pub(crate) fn ports(topology: &Topology, first: u16) -> BTreeMap<ServiceId, u16> {
    topology.services().iter().map(|service| service.id.clone()).zip(first..).collect()
}

/// The topology as processes below `directory`.
pub(crate) fn processes(topology: &Topology, first_port: u16, directory: &Path) -> Placement {
    Placement::processes(topology, &ports(topology, first_port), directory.to_str().unwrap()).unwrap()
}

/// Writes planned files, as the runtime does.
pub(crate) fn write(directory: &Path, files: &[PlannedFile]) {
    for file in files {
        let path = directory.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.contents.as_bytes()).unwrap();
    }
}

/// The files of a plan as the next run finds them.
pub(crate) fn as_existing(files: &[PlannedFile]) -> ExistingCertificates {
    let mut existing = ExistingCertificates::none();
    for file in files {
        existing.insert(file.path.clone(), file.contents.as_bytes());
    }
    existing
}

/// A program that a test needs: from the variable, else from PATH. `None` after saying why, unless on CI, where a
/// missing program is a failure.
pub(crate) fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named
        .or_else(|| std::env::split_paths(&path).map(|part| part.join(name)).find(|path| path.is_file()));
    if found.is_none() {
        let reason = format!("{name} is neither on PATH nor named by {variable}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("not covered here: {reason}");
    }
    found
}

/// Compares with a committed file, or writes it when BULKHEAD_UPDATE=1.
pub(crate) fn assert_golden(path: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("BULKHEAD_UPDATE").as_deref() == Ok("1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != found {
        let line = expected.lines().zip(found.lines()).take_while(|(left, right)| left == right).count();
        let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
        panic!(
            "{} is not current from line {} on:\n  committed: {}\n  rendered:  {}\nif that is meant, run the tests with \
             BULKHEAD_UPDATE=1 and commit what changed",
            path.display(),
            line + 1,
            at(&expected),
            at(found),
        );
    }
}
