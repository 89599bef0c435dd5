//! Whether a report is of the platform that is described, and has every cell that the oracle predicts for it.

use std::collections::BTreeMap;
use std::path::Path;

use bulkhead_plan::access::Model;
use bulkhead_plan::environment::{BackendKind, EnvironmentRecord};
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_plan::matrix::{Part, Plan};
use bulkhead_plan::spec::NetworkMode;
use bulkhead_plan::{EnvironmentSpec, Topology};

use super::contents::Contents;
use super::findings::Verification;
use super::judge::{some_of, weigh};
use crate::bundle::names;
use crate::report::{Expected, Hidden, PartFacts, PlatformFacts, Report, StartedBy, Tool};

pub(super) fn check(found: &mut Verification, contents: &Contents, report: &Report, this: &Tool) {
    match &report.platform.started_by {
        StartedBy::Bulkhead { backend, network_mode } => {
            is_of_what_ran(found, contents, report);
            let plan = specified(contents, *backend, *network_mode);
            is_complete(found, report, this, names::SPECIFICATION, plan);
        }
        StartedBy::Others(_) => {
            let described = described(contents);
            is_of_what_is_described(found, report, described.as_ref());
            let plan = described.map(|platform| {
                platform.and_then(|platform| Plan::of_platform(&platform).map_err(|error| error.to_string()))
            });
            is_complete(found, report, this, names::DESCRIPTION, plan);
        }
    }
}

fn is_of_what_ran(found: &mut Verification, contents: &Contents, report: &Report) {
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

/// A platform that somebody else started. Which files it names matters here, and not what is in them.
fn described(contents: &Contents) -> Option<Result<JudgedPlatform, String>> {
    let text = contents.kept(names::DESCRIPTION)?;
    let platform = std::str::from_utf8(text).map_err(|error| error.to_string()).and_then(|text| {
        let read = PlatformDescription::read(text);
        read.and_then(|read| read.judged(Path::new(""), Path::new(""))).map_err(|error| error.to_string())
    });
    Some(platform)
}

fn is_of_what_is_described(
    found: &mut Verification,
    report: &Report,
    described: Option<&Result<JudgedPlatform, String>>,
) {
    match described {
        None => found.note(format!(
            "there is no {}: what the platform is was only known to whoever made this",
            names::DESCRIPTION
        )),
        // Said of the cells, which need it as well.
        Some(Err(_)) => {}
        Some(Ok(platform)) => {
            // What is not so only the run could see.
            let findings = report.platform.findings();
            match PlatformFacts::of_described(platform, findings, &Hidden::nothing()) == report.platform {
                true => found.passed("the report is of the platform that is described"),
                false => {
                    found.problem(format!("the report is of another platform than {}", names::DESCRIPTION))
                }
            }
        }
    }
}

/// What the oracle predicts for the specification.
fn specified(
    contents: &Contents,
    backend: BackendKind,
    network_mode: NetworkMode,
) -> Option<Result<Plan, String>> {
    let text = contents.kept(names::SPECIFICATION)?;
    let topology = std::str::from_utf8(text)
        .map_err(|error| error.to_string())
        .and_then(|text| EnvironmentSpec::from_yaml(text).map_err(|error| error.to_string()))
        .and_then(|spec| Topology::new(&spec).map_err(|error| error.to_string()));
    Some(topology.and_then(|topology| match topology.spec().network == network_mode {
        true => Ok(Plan::of(&Model::of_topology(&topology, backend))),
        false => Err("the report is of another network".to_owned()),
    }))
}

/// Whether the cells are those that the oracle predicts for what stands in a file, with what it expects of each.
fn is_complete(
    found: &mut Verification,
    report: &Report,
    this: &Tool,
    file: &str,
    plan: Option<Result<Plan, String>>,
) {
    let mut plan = match plan {
        None => {
            return found
                .note(format!("there is no {file}: whether everything was attempted could not be checked"));
        }
        Some(Err(why)) => return found.problem(format!("{file} cannot be used: {why}")),
        Some(Ok(plan)) => plan,
    };
    if let Some(part) = &report.run.part {
        let PartFacts { filter, cells, of } = part;
        plan = match filter {
            Some(filter) => plan.only(|cell| cell.id().contains(filter.as_str())),
            // Which they are is not said: whatever is there has to be predicted, and no more can be asked.
            None => plan.only(|cell| report.cells.iter().any(|reported| reported.id == cell.id())),
        };
        let which =
            filter.as_ref().map(|filter| format!(" with {filter:?} in their names")).unwrap_or_default();
        found.note(format!("only attempts{which} were made: a part of the table, {cells} of {of} cells"));
        if plan.part() != Some(Part { cells: *cells, of: *of }) {
            weigh(found, report, this, format!("the part that was attempted is not {cells} of {of} cells"));
        }
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
    let what = match file == names::SPECIFICATION {
        true => "the specification",
        false => "the platform's description",
    };
    if missing.is_empty() && differ.is_empty() {
        return found.passed(format!("the cells are all that the oracle predicts for {what}, and no others"));
    }
    let mut how = Vec::new();
    if !missing.is_empty() {
        how.push(format!("missing: {}", some_of(&missing)));
    }
    if !differ.is_empty() {
        how.push(format!("not predicted so: {}", some_of(&differ)));
    }
    let how = how.join("; ");
    weigh(found, report, this, format!("the cells are not those that the oracle predicts for {what}; {how}"));
}
