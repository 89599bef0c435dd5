//! The runner: features in, a report out.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bulkhead_plan::environment::EnvironmentRecord;
use cucumber::event::ScenarioFinished;
use cucumber::gherkin::{Feature, Rule, Scenario};
use cucumber::{World, WriterExt, writer};

use crate::phrase::{Phrase, phrase_at};
use crate::platform::{Platform, PlatformError};
use crate::programs::Programs;
use crate::report::{Conclusion, Kept, NotCovered, Report, ScenarioReport};
use crate::scene::Scene;
use crate::{features, material, steps};

/// Scenarios that need walls between networks.
const NETWORK_WALLS: &str = "network-walls";
/// How many lines of each service's log a failure shows.
const LOG_LINES: usize = 8;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the features.
    pub features: PathBuf,
    /// Only scenarios whose feature, rule or name contains this.
    pub name: Option<String>,
    /// Only scenarios with this tag, without the `@`.
    pub tag: Option<String>,
    /// How many scenarios run at the same time.
    pub concurrency: usize,
    /// Without them, scenarios that start programs of their own cannot be judged.
    pub programs: Option<Programs>,
    /// A JUnit XML file to write.
    pub junit: Option<PathBuf>,
    /// A Cucumber JSON file to write.
    pub json: Option<PathBuf>,
    /// The command that starts a run, for the lines that say how to repeat a scenario.
    pub command: String,
}

/// A run that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The environment does not have what the scenarios need.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A report file could not be created.
    #[error("cannot write the report {}: {source}", path.display())]
    ReportFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There are no features.
    #[error("there are no features in {}: give the folder that has the .feature files", .0.display())]
    NoFeatures(PathBuf),
    /// A feature file cannot be read; without it a guarantee would be missing.
    #[error("a feature cannot be read, so that nothing was run: {0}")]
    Feature(String),
}

/// Runs the scenarios against a running environment. Each ended scenario is told at once.
///
/// The future is not `Send` (cucumber runs its scenarios on one thread): drive it with `block_on` or on a
/// local set.
///
/// # Errors
/// [`RunError`] when nothing could be run at all. What scenarios found is in the [`Report`].
pub async fn run(
    options: &Options,
    environment: EnvironmentRecord,
    tell: impl Fn(&ScenarioReport) + 'static,
) -> Result<Report, RunError> {
    if !options.features.is_dir() {
        return Err(RunError::NoFeatures(options.features.clone()));
    }
    let features = features::read(&options.features).await?;
    let (junit, json) = (create(options.junit.as_ref())?, create(options.json.as_ref())?);
    let platform = Arc::new(Platform::open(environment, options.programs.clone())?);
    let swept = steps::sweep(&platform).await;
    let kept = swept.left.into_iter().map(Kept).collect();
    let course = Rc::new(Course {
        platform,
        options: options.clone(),
        report: RefCell::new(Report { kept, swept: swept.removed, ..Report::default() }),
        unheard: RefCell::default(),
        tell: Box::new(tell),
    });
    let (entering, ending, choosing) = (Rc::clone(&course), Rc::clone(&course), Rc::clone(&course));
    let writer = writer::JUnit::for_tee(junit, 0).tee::<Scene, _>(writer::Json::for_tee(json)).normalized();
    Scene::cucumber::<PathBuf>()
        .with_parser(features::AsRead)
        .max_concurrent_scenarios(options.concurrency.max(1))
        .before(move |_, _, _, scene| {
            scene.enter(Arc::clone(&entering.platform));
            Box::pin(std::future::ready(()))
        })
        .after(move |feature, rule, scenario, finished, scene| {
            let course = Rc::clone(&ending);
            Box::pin(async move { course.end(&Place { feature, rule, scenario }, finished, scene).await })
        })
        .with_writer(writer)
        // A sentence without a step proves nothing: skipped steps are failures in every report.
        .fail_on_skipped()
        // The arguments of this process are its own, not cucumber's.
        .with_default_cli()
        .filter_run(features, move |feature, rule, scenario| {
            choosing.takes(&Place { feature, rule, scenario })
        })
        .await;
    publish(options.junit.as_ref())?;
    publish(options.json.as_ref())?;
    let mut report = course.report.take();
    let unheard = course.unheard.take();
    unheard.iter().for_each(|scenario| (course.tell)(scenario));
    report.scenarios.extend(unheard);
    Ok(report)
}

/// One run, as its hooks share it.
struct Course {
    platform: Arc<Platform>,
    options: Options,
    report: RefCell<Report>,
    /// The scenarios that were chosen and have not ended yet. One that is still here at the end proves nothing.
    unheard: RefCell<Vec<ScenarioReport>>,
    tell: Box<dyn Fn(&ScenarioReport)>,
}

impl Course {
    /// Whether a scenario is run. What this environment cannot show is reported as such, with the reason, and
    /// never as passed.
    fn takes(&self, place: &Place<'_>) -> bool {
        if !place.is_wanted(&self.options) {
            return false;
        }
        let needs_walls = place.tags().any(|tag| tag == NETWORK_WALLS);
        let Some(reason) = self.platform.no_walls().filter(|_| needs_walls) else {
            self.unheard.borrow_mut().push(place.report("it was to run, and its end was never heard of"));
            return true;
        };
        let (feature, name) = (place.feature.name.clone(), place.scenario.name.clone());
        self.report.borrow_mut().not_covered.push(NotCovered { feature, name, reason });
        false
    }

    /// Cleans up after a scenario and says how it ended.
    async fn end(&self, place: &Place<'_>, finished: &ScenarioFinished, scene: Option<&mut Scene>) {
        let mut ended = place.report(&why_failed(finished).unwrap_or_default());
        ended.failed_at = failed_at(finished);
        let mut kept = Vec::new();
        if let Some(scene) = scene {
            kept = steps::clean_up(scene).await;
            ended.took_ms = scene.started.elapsed().as_millis();
            if ended.why.is_empty() {
                ended.conclusion = Conclusion::Passed;
            } else {
                ended.conclusion = scene.conclusion.unwrap_or(Conclusion::Inconclusive);
                ended.details = self.story(place, scene);
            }
        }
        (self.tell)(&ended);
        forget_one(&mut self.unheard.borrow_mut(), &ended);
        let mut report = self.report.borrow_mut();
        report.kept.extend(kept.into_iter().map(Kept));
        report.scenarios.push(ended);
    }

    /// All that helps to understand a failure.
    fn story(&self, place: &Place<'_>, scene: &mut Scene) -> Vec<String> {
        let mut lines = scene.evidence.clone();
        for credential in &scene.certificates {
            lines.extend(material::describe(credential));
        }
        scene.pages.sort();
        scene.pages.dedup();
        for page in &scene.pages {
            lines.push(format!("the last lines of {page}:"));
            let last = self.platform.book.last(page, LOG_LINES);
            lines.extend(last.into_iter().map(|line| format!("  {line}")));
        }
        lines.push(format!("to repeat it: {} --filter \"{}\"", self.options.command, place.scenario.name));
        lines
    }
}

/// Takes out the entry of a scenario that has ended. Names need not be unique: one end is one entry.
fn forget_one(unheard: &mut Vec<ScenarioReport>, ended: &ScenarioReport) {
    let place =
        |scenario: &ScenarioReport| (scenario.feature.clone(), scenario.rule.clone(), scenario.name.clone());
    if let Some(at) = unheard.iter().position(|chosen| place(chosen) == place(ended)) {
        unheard.remove(at);
    }
}

type Output = Box<dyn std::io::Write>;

/// A report's file, under a name of its own until it is whole; a report that nobody wants is written nowhere.
fn create(path: Option<&PathBuf>) -> Result<Output, RunError> {
    let Some(path) = path else { return Ok(Box::new(std::io::sink())) };
    match File::create(unfinished(path)) {
        Ok(file) => Ok(Box::new(file)),
        Err(source) => Err(RunError::ReportFile { path: path.clone(), source }),
    }
}

/// Takes the place of the last run's report, which an interrupted run leaves alone.
fn publish(path: Option<&PathBuf>) -> Result<(), RunError> {
    let Some(path) = path else { return Ok(()) };
    std::fs::rename(unfinished(path), path)
        .map_err(|source| RunError::ReportFile { path: path.clone(), source })
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// A scenario and where it stands.
struct Place<'a> {
    feature: &'a Feature,
    rule: Option<&'a Rule>,
    scenario: &'a Scenario,
}

impl Place<'_> {
    /// A report that is no verdict yet.
    fn report(&self, why: &str) -> ScenarioReport {
        ScenarioReport {
            feature: self.feature.name.clone(),
            rule: self.rule_name().to_owned(),
            name: self.scenario.name.clone(),
            conclusion: Conclusion::Inconclusive,
            why: why.to_owned(),
            failed_at: None,
            took_ms: 0,
            details: Vec::new(),
        }
    }

    fn rule_name(&self) -> &str {
        self.rule.map_or("", |rule| rule.name.as_str())
    }

    fn tags(&self) -> impl Iterator<Item = &String> {
        let of_rule = self.rule.into_iter().flat_map(|rule| &rule.tags);
        self.feature.tags.iter().chain(of_rule).chain(&self.scenario.tags)
    }

    fn is_wanted(&self, options: &Options) -> bool {
        let by_name = options.name.as_deref().is_none_or(|name| {
            [&self.feature.name, self.rule_name(), &self.scenario.name].iter().any(|text| text.contains(name))
        });
        let by_tag = options.tag.as_deref().is_none_or(|tag| self.tags().any(|found| found == tag));
        by_name && by_tag
    }
}

fn why_failed(finished: &ScenarioFinished) -> Option<String> {
    match finished {
        ScenarioFinished::StepPassed => None,
        ScenarioFinished::StepSkipped => Some("a step has no definition".to_owned()),
        ScenarioFinished::BeforeHookFailed(_) => Some("the scenario could not begin".to_owned()),
        ScenarioFinished::StepFailed(_, _, error) => {
            let text = error.to_string();
            Some(text.trim_start_matches("Step panicked. Captured output: ").to_owned())
        }
    }
}

fn failed_at(finished: &ScenarioFinished) -> Option<Phrase> {
    match finished {
        ScenarioFinished::StepFailed(_, Some(location), _) => phrase_at(location),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_last_report_stays_until_the_next_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("junit.xml");
        std::fs::write(&path, "the last").unwrap();
        let mut file = create(Some(&path)).unwrap();
        file.write_all(b"the next").unwrap();
        drop(file);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the last");
        publish(Some(&path)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the next");
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1);
    }

    #[test]
    fn a_scenario_whose_end_is_never_heard_of_stays_unjudged() {
        let chosen = |name: &str| ScenarioReport {
            feature: "f".to_owned(),
            rule: "r".to_owned(),
            name: name.to_owned(),
            conclusion: Conclusion::Inconclusive,
            why: String::new(),
            failed_at: None,
            took_ms: 0,
            details: Vec::new(),
        };
        let mut unheard = vec![chosen("one"), chosen("twice"), chosen("twice"), chosen("silent")];
        for ended in ["one", "twice"] {
            forget_one(&mut unheard, &chosen(ended));
        }
        let names: Vec<&str> = unheard.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["twice", "silent"]);
        let report = Report { scenarios: unheard, ..Report::default() };
        assert_eq!(report.exit_code(), 5);
    }
}
