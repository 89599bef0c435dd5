//! How fast a certificate hierarchy is made, in a release build and before files are written, beside the same
//! hierarchy made by `openssl`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use serde::Deserialize;

use super::Findings;
use super::figures::{Bound, Figure};
use bulkhead_runtime::build;

use crate::tools;

/// What the example of the plan crate prints.
#[derive(Deserialize)]
struct Speed {
    certificates: u32,
    seconds: Vec<f64>,
}

pub(super) fn run(runs: usize) -> anyhow::Result<Findings> {
    let small = speed(3, runs)?;
    let large = speed(1000, runs)?;
    let per_second: Vec<f64> =
        large.seconds.iter().map(|seconds| f64::from(large.certificates) / seconds).collect();
    let (by_openssl, failures) = match (0..runs).map(|_| openssl(3)).collect::<anyhow::Result<Vec<f64>>>() {
        Ok(seconds) => (seconds, Vec::new()),
        Err(error) => (Vec::new(), vec![format!("by openssl: {error:#}")]),
    };
    let figures = [
        Figure::of("PKI, 3 tenants x 4 certificates", "s", &small.seconds)
            .map(|figure| figure.held_to(Bound::AtMost(0.02))),
        Figure::of("PKI, 1,000 tenants x 4 certificates", "certificates/s", &per_second)
            .map(|figure| figure.held_to(Bound::AtLeast(15_000.0))),
        Figure::of("the same for 3 tenants by openssl, P-256", "s", &by_openssl),
    ];
    Ok(Findings { figures: figures.into_iter().flatten().collect(), failures, ..Findings::default() })
}

fn speed(tenants: usize, runs: usize) -> anyhow::Result<Speed> {
    let output = build::cargo()
        .args(["run", "--quiet", "--release", "--package", "bulkhead-plan", "--example", "pki_speed", "--"])
        .args([tenants.to_string(), "3".to_owned(), runs.to_string()])
        .current_dir(tools::checkout())
        .stderr(Stdio::inherit())
        .output()
        .context("run the pki_speed example")?;
    anyhow::ensure!(output.status.success(), "the pki_speed example ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("read what the pki_speed example printed")
}

/// Seconds that `openssl` needs for a root, and for each tenant an intermediate CA and three leaves.
fn openssl(tenants: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir().context("make a folder for openssl's files")?;
    let started = Instant::now();
    sign_root(folder.path())?;
    for tenant in 0..tenants {
        let authority = format!("tenant-{tenant}");
        sign(folder.path(), &authority, "root", "basicConstraints=critical,CA:TRUE,pathlen:0")?;
        for leaf in 0..3 {
            sign(
                folder.path(),
                &format!("{authority}-{leaf}"),
                &authority,
                "extendedKeyUsage=serverAuth,clientAuth",
            )?;
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn sign_root(folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-days",
        "30",
        "-subj",
        "/CN=root",
        "-keyout",
        "root-key.pem",
        "-out",
        "root.pem",
    ]);
    quiet(command.args(NEW_KEY).current_dir(folder))
}

fn sign(folder: &Path, name: &str, issuer: &str, extension: &str) -> anyhow::Result<()> {
    std::fs::write(folder.join(format!("{name}.ext")), extension).context("write an extension file")?;
    let mut request = Command::new("openssl");
    request.args(["req", "-new", "-subj", &format!("/CN={name}"), "-keyout", &format!("{name}-key.pem")]);
    quiet(request.args(["-out", &format!("{name}.csr")]).args(NEW_KEY).current_dir(folder))?;
    let mut certificate = Command::new("openssl");
    certificate.args(["x509", "-req", "-days", "30", "-in", &format!("{name}.csr"), "-CAcreateserial"]);
    certificate.args(["-CA", &format!("{issuer}.pem"), "-CAkey", &format!("{issuer}-key.pem")]);
    certificate.args(["-extfile", &format!("{name}.ext"), "-out", &format!("{name}.pem")]);
    quiet(certificate.current_dir(folder))
}

fn quiet(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().context("run openssl")?;
    anyhow::ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
