//! Plain processes on loopback: start and down of few and of many tenants, and what a tenant costs in memory.

use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::starter::{BackendChoice, ProgramSource};

use super::figures::{Bound, Figure};
use super::stage::{self, Stage, Started, Subject};
use super::{Findings, death};
use crate::exit::Failure;
use crate::tools;

/// How many tenants, and in how many seconds they are to be up.
const SIZES: [(usize, Option<f64>); 3] = [(3, Some(0.3)), (30, None), (100, Some(1.0))];
/// In how many seconds few tenants are to be down.
const DOWN_S: f64 = 1.0;

/// What the runs of one size gave.
#[derive(Default)]
struct Samples {
    up: Vec<f64>,
    down: Vec<f64>,
    /// Resident MiB of a tenant's agent, as a mean over the tenants of one run.
    tenant: Vec<f64>,
}

pub(super) async fn run(stage: &Stage) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let (programs, asked) = stage::services(stage).await?;
    findings.figures.extend(Figure::of("cargo, asked whether the build is fresh", "s", &asked));
    let as_dev = subject(3, ProgramSource::Build(tools::checkout()));
    let whole = measure(stage, &as_dev).await;
    if let Some(whole) = findings.keep(stage, "3 tenants as `dev` starts them".to_owned(), whole)? {
        let figure =
            Figure::of("3 tenants up as `dev` starts them, which asks only after a change", "s", &whole.up);
        findings.figures.extend(figure);
    }
    for (tenants, limit) in SIZES {
        let measured = measure(stage, &subject(tenants, ProgramSource::Given(programs.clone()))).await;
        let measured = findings.keep(stage, format!("{tenants} tenants"), measured)?;
        findings.figures.extend(measured.iter().flat_map(|samples| figures(tenants, limit, samples)));
    }
    let death = death::at_start(stage, BackendChoice::Process, &programs).await;
    if let Some(death) = findings.keep(stage, "a death at the start".to_owned(), death)? {
        let figure = Figure::of("an agent dies at its start, until it is reported", "s", &death);
        findings.figures.extend(figure.map(|figure| figure.held_to(Bound::AtMost(stage::DEATH_S))));
    }
    let note = "services of the dev profile, as `dev` builds them; certificates of an earlier start";
    findings.notes.push(note.to_owned());
    Ok(findings)
}

fn figures(tenants: usize, limit: Option<f64>, samples: &Samples) -> Vec<Figure> {
    let held = |figure: Option<Figure>, limit: Option<f64>| match (figure, limit) {
        (Some(figure), Some(limit)) => Some(figure.held_to(Bound::AtMost(limit))),
        (figure, _) => figure,
    };
    let up = Figure::of(format!("{tenants} tenants up, until all is ready"), "s", &samples.up);
    let down = Figure::of(format!("{tenants} tenants down"), "s", &samples.down);
    let memory = format!("memory per tenant, of {tenants} (its agent, resident)");
    let figures = [
        held(up, limit),
        held(down, (tenants == 3).then_some(DOWN_S)),
        Figure::of(memory, "MiB", &samples.tenant),
    ];
    figures.into_iter().flatten().collect()
}

fn subject(tenants: usize, programs: ProgramSource) -> Subject {
    Subject { label: "process", tenants, backend: BackendChoice::Process, programs }
}

/// One warm-up, which makes the certificates, and then the runs that count.
async fn measure(stage: &Stage, subject: &Subject) -> Result<Samples, Failure> {
    let samples = measure_all(stage, subject).await;
    subject.forget();
    samples
}

async fn measure_all(stage: &Stage, subject: &Subject) -> Result<Samples, Failure> {
    let mut samples = Samples::default();
    stage::down(stage.start(subject).await?.environment).await?;
    for _ in 0..stage.runs {
        let Started { environment, seconds } = stage.start(subject).await?;
        samples.up.push(seconds);
        samples.tenant.extend(per_tenant(environment.record()));
        samples.down.push(stage::down(environment).await?);
    }
    Ok(samples)
}

/// Resident MiB per tenant; nothing where the system does not say.
fn per_tenant(record: &EnvironmentRecord) -> Option<f64> {
    let agents = record.services.iter().filter(|service| service.tenant.is_some());
    let kibibytes = agents.map(|service| resident(&service.handle)).sum::<Option<u32>>()?;
    let tenants = u32::try_from(record.tenants.len()).ok()?;
    Some(f64::from(kibibytes) / 1024.0 / f64::from(tenants))
}

/// KiB that a process has in memory (`VmRSS` of proc(5)).
fn resident(pid: &str) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    resident_in(&status)
}

fn resident_in(status: &str) -> Option<u32> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_process_has_in_memory() {
        assert_eq!(resident_in("Name:\tbulkhead-agent\nVmRSS:\t    5120 kB\nThreads:\t3\n"), Some(5120));
        assert_eq!(resident_in("Name:\tgone\n"), None);
    }
}
