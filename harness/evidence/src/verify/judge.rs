//! Whether a report's verdict follows from what is written in it, and whether everything was asked that has to be.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_plan::access::{DenialReason, Model, Outcome};
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_plan::matrix::Plan;
use bulkhead_plan::{EnvironmentSpec, Topology};

use super::contents::Contents;
use super::findings::Verification;
use crate::bundle::names;
use crate::report::{Expected, PlatformFacts, Report, Tool, Verdict, counts, picture};
use crate::{html, junit};

/// How many cells a problem names.
const NAMED: usize = 3;

pub(super) fn check(found: &mut Verification, contents: &Contents, report: &Report, this: &Tool) {
    follows(found, report);
    is_of_this_platform(found, contents, report);
    is_complete(found, contents, report, this);
    is_rendered(found, contents, report, this);
}

/// Conclusions from expected and found, everything else from the conclusions.
fn follows(found: &mut Verification, report: &Report) {
    let before = found.problems.len();
    let wrong: Vec<&str> = report
        .cells
        .iter()
        .filter(|cell| cell.concluded() != cell.conclusion)
        .map(|cell| cell.id.as_str())
        .collect();
    if !wrong.is_empty() {
        found.problem(format!("{}: the conclusion does not follow from expected and found", some_of(&wrong)));
    }
    let mut ids = BTreeSet::new();
    let twice: Vec<&str> =
        report.cells.iter().map(|cell| cell.id.as_str()).filter(|id| !ids.insert(*id)).collect();
    if !twice.is_empty() {
        found.problem(format!("{}: there twice", some_of(&twice)));
    }
    if counts(&report.cells) != report.counts {
        found.problem("the counts are not those of the cells");
    }
    if picture(&report.cells) != report.picture {
        found.problem("the picture is not that of the cells");
    }
    if unseen(report) && report.flaws.is_empty() {
        found.problem("an expected reason was never seen in the whole run, and the report does not say so");
    }
    let verdict = Verdict::of(report);
    if verdict != report.verdict {
        found.problem(format!(
            "the verdict does not follow from the cells: they come to exit code {} ({}), and the report says {} ({})",
            verdict.exit_code, verdict.sentence, report.verdict.exit_code, report.verdict.sentence
        ));
    }
    if found.problems.len() == before {
        found.passed(format!("the verdict follows from the {} cells", report.cells.len()));
    }
}

/// Whether a refusal is expected somewhere for a reason that nobody was refused for.
fn unseen(report: &Report) -> bool {
    let seen: BTreeSet<DenialReason> = report
        .cells
        .iter()
        .filter_map(|cell| match &cell.found {
            Outcome::Denied(reason) => Some(*reason),
            _ => None,
        })
        .collect();
    report.cells.iter().any(|cell| match &cell.expected {
        Expected::Denied(reasons) => !reasons.iter().any(|reason| seen.contains(reason)),
        _ => false,
    })
}

fn is_of_this_platform(found: &mut Verification, contents: &Contents, report: &Report) {
    let described = contents.kept(names::ENVIRONMENT).map(serde_json::from_slice::<EnvironmentRecord>);
    match described {
        None => {
            found.note(format!("there is no {}: what ran is known from the report alone", names::ENVIRONMENT))
        }
        Some(Err(error)) => found.problem(format!("{} cannot be read: {error}", names::ENVIRONMENT)),
        Some(Ok(record)) if PlatformFacts::of(&record) == report.platform => {
            found.passed("the report is of the platform that is described");
        }
        Some(Ok(_)) => {
            found.problem(format!("the report is of another platform than {}", names::ENVIRONMENT))
        }
    }
}

/// Whether the cells are those that the oracle predicts for the specification, with what it expects of each.
fn is_complete(found: &mut Verification, contents: &Contents, report: &Report, this: &Tool) {
    let Some(text) = contents.kept(names::SPECIFICATION) else {
        return found.note(format!(
            "there is no {}: whether everything was attempted could not be checked",
            names::SPECIFICATION
        ));
    };
    let topology = std::str::from_utf8(text)
        .map_err(|error| error.to_string())
        .and_then(|text| EnvironmentSpec::from_yaml(text).map_err(|error| error.to_string()))
        .and_then(|spec| Topology::new(&spec).map_err(|error| error.to_string()));
    let topology = match topology {
        Ok(topology) => topology,
        Err(why) => return found.problem(format!("{} cannot be used: {why}", names::SPECIFICATION)),
    };
    if topology.spec().network != report.platform.network_mode {
        return found.problem(format!("the report is of another network than {}", names::SPECIFICATION));
    }
    let mut plan = Plan::of(&Model::of_topology(&topology, report.platform.backend));
    if let Some(filter) = &report.run.filter {
        plan = plan.only(|cell| cell.id().contains(filter.as_str()));
        found.note(format!("only attempts with {filter:?} in their names were made: a part of the table"));
    }
    let predicted: BTreeMap<String, Expected> =
        plan.cells().iter().map(|planned| (planned.cell.id(), Expected::from(&planned.expected))).collect();
    let reported: BTreeMap<&str, &Expected> =
        report.cells.iter().map(|cell| (cell.id.as_str(), &cell.expected)).collect();
    let missing: Vec<&str> =
        predicted.keys().map(String::as_str).filter(|id| !reported.contains_key(id)).collect();
    let differ: Vec<&str> = reported
        .iter()
        .filter(|(id, expected)| predicted.get(**id) != Some(**expected))
        .map(|(id, _)| *id)
        .collect();
    if missing.is_empty() && differ.is_empty() {
        return found
            .passed("the cells are all that the oracle predicts for the specification, and no others");
    }
    let mut what = Vec::new();
    if !missing.is_empty() {
        what.push(format!("missing: {}", some_of(&missing)));
    }
    if !differ.is_empty() {
        what.push(format!("not predicted so: {}", some_of(&differ)));
    }
    let what = format!(
        "the cells are not those that the oracle predicts for the specification; {}",
        what.join("; ")
    );
    weigh(found, report, this, what);
}

/// Whether the forms for people and for other programs say what the report says.
fn is_rendered(found: &mut Verification, contents: &Contents, report: &Report, this: &Tool) {
    let before = (found.problems.len(), found.notes.len());
    let forms = [(names::PAGE, html::render(report)), (names::JUNIT, junit::render(report))];
    for (name, rendered) in forms {
        match contents.kept(name) {
            None => found.problem(format!("there is no {name}")),
            Some(text) if text == rendered.as_bytes() => {}
            Some(_) => weigh(found, report, this, format!("{name} is not what {} comes to", names::REPORT)),
        }
    }
    if (found.problems.len(), found.notes.len()) == before {
        found.passed(format!("{} and {} say what {} says", names::PAGE, names::JUNIT, names::REPORT));
    }
}

/// Another version may predict and render otherwise, and so may one with local changes: then a difference shows nothing.
fn weigh(found: &mut Verification, report: &Report, this: &Tool, what: String) {
    match report.run.tool.is_surely(this) {
        true => found.problem(what),
        false => found
            .note(format!("{what}: made by {}, and this is {this}: check it with that one", report.run.tool)),
    }
}

fn some_of(cells: &[&str]) -> String {
    let named: Vec<String> = cells.iter().take(NAMED).map(|id| format!("{id:?}")).collect();
    match cells.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", named.join(", ")),
        None => named.join(", "),
    }
}
