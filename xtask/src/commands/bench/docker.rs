//! Containers: our start and a bare create-and-start of the same containers in turn, and Compose beside them. Pairs are
//! compared one by one, so that what else the machine does in the meantime weighs on both.

use bulkhead_runtime::backend::compose::ComposeFiles;
use bulkhead_runtime::engine::Engine;
use bulkhead_runtime::error::StartError;
use bulkhead_runtime::starter::{BackendChoice, ProgramSource};

use super::figures::{Bound, Figure};
use super::raw::Graph;
use super::stage::{self, Stage, Started, Subject};
use super::{Findings, death};
use crate::exit::{Failure, OrExit as _};
use crate::tools;

const SIZES: [usize; 2] = [3, 30];
/// How much longer than the bare engine calls a start may take.
const RATIO: f64 = 1.2;
/// In how many seconds few tenants are to be down.
const DOWN_S: f64 = 1.0;

/// What the runs of one size gave, run by run.
#[derive(Default)]
struct Samples {
    up: Vec<f64>,
    down: Vec<f64>,
    raw: Vec<f64>,
    ratio: Vec<f64>,
    /// For each Compose its version and its seconds.
    composes: Vec<(String, Vec<f64>)>,
}

pub(super) async fn run(stage: &Stage) -> Result<Findings, Failure> {
    let engine = Engine::connect().await.map_err(StartError::from)?;
    let mut findings = Findings::default();
    for tenants in SIZES {
        let samples = measure(stage, &engine, tenants).await;
        let samples = findings.keep(stage, format!("{tenants} tenants"), samples)?;
        findings.figures.extend(samples.iter().flat_map(|samples| figures(tenants, samples)));
    }
    let (programs, _) = stage::services(stage).await?;
    let death = death::at_start(stage, BackendChoice::Docker, &programs).await;
    if let Some(death) = findings.keep(stage, "a death at the start".to_owned(), death)? {
        let figure = Figure::of("an agent dies at its start, until it is reported", "s", &death);
        findings.figures.extend(figure.map(|figure| figure.held_to(Bound::AtMost(stage::DEATH_S))));
    }
    findings.notes.push(engine.description.clone());
    findings.notes.push(
        "ours asks cargo whether the build is fresh, writes all files, and waits until everything answers over mTLS; \
         the bare calls create and start the same containers and wait for nothing"
            .to_owned(),
    );
    Ok(findings)
}

fn figures(tenants: usize, samples: &Samples) -> Vec<Figure> {
    let of =
        |what: &str, unit, samples: &[f64]| Figure::of(format!("{tenants} tenants {what}"), unit, samples);
    let mut figures = vec![
        of("up, until all is ready", "s", &samples.up),
        of("created and started by bare engine calls", "s", &samples.raw),
        of("ours / bare, pair by pair", "ratio", &samples.ratio)
            .map(|figure| figure.held_to(Bound::AtMost(RATIO))),
        of("down", "s", &samples.down).map(|figure| match tenants {
            3 => figure.held_to(Bound::AtMost(DOWN_S)),
            _ => figure,
        }),
    ];
    let composes = samples.composes.iter();
    figures
        .extend(composes.map(|(version, seconds)| {
            of(&format!("by Compose {version}, the same readiness"), "s", seconds)
        }));
    figures.into_iter().flatten().collect()
}

async fn measure(stage: &Stage, engine: &Engine, tenants: usize) -> Result<Samples, Failure> {
    let programs = ProgramSource::Build(tools::checkout());
    let ours =
        Subject { label: "docker", tenants, backend: BackendChoice::Docker, programs: programs.clone() };
    let composes: Vec<(String, Subject)> = tools::composes()
        .or_usage()?
        .into_iter()
        .map(|compose| {
            let files = ComposeFiles {
                program: compose.program,
                base: tools::checkout().join("compose/docker-compose.yml"),
                rendered: tools::target_directory().join("bench/docker-compose.override.yml"),
            };
            let backend = BackendChoice::Compose(files);
            (compose.version, Subject { label: "compose", tenants, backend, programs: programs.clone() })
        })
        .collect();
    let samples = in_turn(stage, engine, &ours, &composes).await;
    ours.forget();
    composes.iter().for_each(|(_, subject)| subject.forget());
    samples
}

async fn in_turn(
    stage: &Stage,
    engine: &Engine,
    ours: &Subject,
    composes: &[(String, Subject)],
) -> Result<Samples, Failure> {
    let mut samples = Samples::default();
    let graph = warm_up(stage, engine, ours).await?;
    for (version, subject) in composes {
        stage::down(stage.start(subject).await?.environment).await?;
        samples.composes.push((version.clone(), Vec::new()));
    }
    for _ in 0..stage.runs {
        let Started { environment, seconds } = stage.start(ours).await?;
        samples.up.push(seconds);
        samples.down.push(stage::down(environment).await?);
        stage.go_on()?;
        let raw = graph.create_and_start(engine.docker()).await?;
        samples.raw.push(raw);
        samples.ratio.push(seconds / raw);
        for ((_, subject), (_, compose)) in composes.iter().zip(&mut samples.composes) {
            let Started { environment, seconds } = stage.start(subject).await?;
            compose.push(seconds);
            stage::down(environment).await?;
        }
    }
    Ok(samples)
}

/// Makes the images and certificates, and looks at what the bare calls are to make again.
async fn warm_up(stage: &Stage, engine: &Engine, ours: &Subject) -> Result<Graph, Failure> {
    let Started { environment, .. } = stage.start(ours).await?;
    let graph = Graph::of(engine.docker(), environment.record()).await;
    stage::down(environment).await?;
    let graph = graph?;
    graph.create_and_start(engine.docker()).await?;
    Ok(graph)
}
