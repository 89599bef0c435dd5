//! State folders that cannot be used as they are: certificates of all kinds of wrong, and a disk that is full.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bulkhead_plan::pki::{self, ExistingCertificates, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Topology};
use time::{Duration, OffsetDateTime};

use crate::support::{Ended, NO_ENGINE, NOT_STARTED, Name, OK, xtask};

/// The certificates of acme and globex, as a start `before` now wrote them.
fn with_certificates(before: Duration) -> Name {
    let name = Name::new();
    let spec = EnvironmentSpec::with_tenants(name.as_str().parse().unwrap(), 2, 1).unwrap();
    let topology = Topology::new(&spec).unwrap();
    let (then, none) = (OffsetDateTime::now_utc() - before, ExistingCertificates::none());
    for file in pki::plan(&topology, &mut SystemKeys::new(), then, &none).unwrap().files() {
        let path = name.folder().join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, file.contents.as_bytes()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(file.mode)).unwrap();
    }
    name
}

fn dev(name: &Name) -> Ended {
    let line = ["dev", "--detach", "--backend", "process", "--tenants", "2", "--name", name.as_str()];
    xtask(&line, &[NO_ENGINE])
}

/// Every file below the folder, with its contents.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// The start is refused, names the file, and changes none of the certificates.
fn refused(name: &Name, file: &str, words: &[&str]) {
    let certificates = name.folder().join("certs");
    let before = contents(&certificates);
    let remedy = format!("rm -r {}", certificates.display());
    let mut expected = vec![file, certificates.to_str().unwrap(), "left behind", &remedy];
    expected.extend(words);
    dev(name).assert_refused(file, NOT_STARTED, &expected);
    assert_eq!(contents(&certificates), before, "{file}: certificates were changed");
    name.assert_nothing_runs(file);
}

#[test]
fn certificates_that_cannot_be_read() {
    let name = with_certificates(Duration::ZERO);
    let root = name.folder().join("certs/root.pem");
    fs::remove_file(&root).unwrap();
    // What root cannot read either.
    fs::create_dir(&root).unwrap();
    refused(&name, "certs/root.pem", &["cannot be read", "Is a directory"]);
    fs::remove_dir(&root).unwrap();
    fs::write(&root, "no certificate\n").unwrap();
    refused(&name, "certs/root.pem", &["not one certificate in PEM"]);
    let key = "certs/tenants/acme/components/agent-001.p1-key.pem";
    let name = with_certificates(Duration::ZERO);
    fs::write(name.folder().join(key), "no key\n").unwrap();
    refused(&name, key, &["private key"]);
}

#[test]
fn certificates_of_somebody_else() {
    let name = with_certificates(Duration::ZERO);
    let tenants = name.folder().join("certs/tenants");
    fs::copy(tenants.join("acme/ca.pem"), tenants.join("globex/ca.pem")).unwrap();
    refused(&name, "certs/tenants/globex/ca.pem", &["is the certificate of tenant-acme.ca.serviceradar"]);
}

/// Comes up, says what was renewed and why, and keeps what is good at the next start.
#[track_caller]
fn renewed(name: &Name, words: &[&str]) {
    let ended = dev(name);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
    for word in words {
        assert!(ended.errors.contains(word), "the notice does not say {word:?}: {}", ended.errors);
    }
    assert_eq!(xtask(&["down", "--name", name.as_str()], &[NO_ENGINE]).code, Some(OK));
    let again = dev(name);
    assert_eq!(again.code, Some(OK), "{again:#?}");
    assert!(!again.errors.contains("renewed"), "what is good is kept: {again:#?}");
}

#[test]
fn certificates_that_have_expired_are_renewed_and_this_is_said() {
    // The services' are, the authorities are not.
    let name = with_certificates(Duration::days(400));
    let certificates = name.folder().join("certs");
    let read = |file: &str| fs::read(certificates.join(file)).unwrap();
    let files = ["platform/nats.pem", "tenants/acme/ca.pem", "root.pem"];
    let before = files.map(read);
    let expired = format!("{}/platform/nats.pem: renewed, because it expired at ", certificates.display());
    renewed(&name, &[&expired, "copies of it work no longer"]);
    let kept = files.map(read).iter().zip(&before).map(|(new, old)| new == old).collect::<Vec<_>>();
    assert_eq!(kept, [false, true, true], "{files:?}");

    // All are, root and authorities too.
    let name = with_certificates(Duration::days(20 * 365));
    let expired = format!("{}/certs/root.pem: renewed, because it expired at ", name.folder().display());
    renewed(
        &name,
        &[&expired, "copies of it work no longer", "8 more certificates and revocation lists were renewed"],
    );
}

/// A disk that is mounted on a state folder.
struct Disk(PathBuf);

impl Disk {
    /// `None` where mounting is not permitted.
    fn mounted(folder: PathBuf, kilobytes: u32) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let disk = Self(folder);
        disk.mount(&format!("size={kilobytes}k")).then_some(disk)
    }

    fn grow(&self, kilobytes: u32) {
        assert!(self.mount(&format!("remount,size={kilobytes}k")), "the disk does not grow");
    }

    fn mount(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        mount.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// The disk grows a little after each start, so that the space ends at another moment of each: in the middle of the
/// certificates, of what a service is given, of what the services write, of the description.
#[test]
fn a_disk_that_is_full() {
    const STEP: u32 = 20;
    let name = Name::new();
    let Some(disk) = Disk::mounted(name.folder(), STEP) else {
        println!("skipped, this test cannot judge: mounting a small disk needs root and mount(8)");
        return;
    };
    let mut refused = 0;
    for kilobytes in (STEP..).step_by(STEP as usize) {
        disk.grow(kilobytes);
        let ended = dev(&name);
        if ended.code == Some(OK) {
            break;
        }
        let what = format!("dev on {kilobytes} kB");
        let folder = name.folder();
        let words =
            ["No space left on device", folder.to_str().unwrap(), "left behind", "the disk is full: free"];
        ended.assert_refused(&what, NOT_STARTED, &words);
        name.assert_nothing_runs(&what);
        refused += 1;
        assert!(kilobytes < 4096, "{what} is still refused: {ended:#?}");
    }
    assert!(refused >= 5, "{refused} starts were refused");
    let ended = xtask(&["status", "--name", name.as_str()], &[NO_ENGINE]);
    assert_eq!(
        ended.code,
        Some(OK),
        "when there is space it starts, with what was written before: {ended:#?}"
    );
    assert_eq!(xtask(&["down", "--name", name.as_str()], &[NO_ENGINE]).code, Some(OK));
    name.assert_nothing_runs("down");
}
