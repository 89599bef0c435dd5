//! Whether a report's verdict follows from what is written in it, and whether what is rendered says the same.

use std::collections::BTreeSet;

use bulkhead_plan::access::{DenialReason, Outcome};

use super::contents::Contents;
use super::findings::Verification;
use super::platform;
use crate::bundle::names;
use crate::report::{
    Expected, PartFacts, Report, RequirementReport, StandardReport, Tool, Verdict, counts, picture, standards,
};
use crate::{html, junit};

/// How many cells a problem names.
const NAMED: usize = 3;

pub(super) fn check(found: &mut Verification, contents: &Contents, report: &Report, this: &Tool) {
    follows(found, report);
    stands_for(found, report, this);
    platform::check(found, contents, report, this);
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
    let is_part = |part: &PartFacts| part.cells == report.cells.len() && part.cells < part.of;
    if !report.run.part.as_ref().is_none_or(is_part) {
        found.problem("the report is of a part of the table, and its cells are not as many as it says");
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

/// What the cells are evidence for. Which attempts count for which requirement is said by the version that made them.
fn stands_for(found: &mut Verification, report: &Report, this: &Tool) {
    let computed = standards(report);
    if computed == report.standards {
        return found.passed("what the report says of standards follows from the cells");
    }
    let (mine, theirs) = (requirements(&computed), requirements(&report.standards));
    let differs = |mine: &&&RequirementReport| !theirs.contains(*mine);
    let what = mine.iter().find(differs).map_or_else(
        || "there is more or it is in another order".to_owned(),
        |mine| match theirs.iter().find(|theirs| theirs.id == mine.id) {
            None => format!("{} is missing", mine.id),
            Some(theirs) if theirs.outcome == mine.outcome => {
                format!("what {} rests on is something else", mine.id)
            }
            Some(theirs) => {
                let (says, comes_to) = (theirs.outcome.code(), mine.outcome.code());
                format!("{} comes to {comes_to}, and the report says {says}", mine.id)
            }
        },
    );
    weigh(
        found,
        report,
        this,
        format!("what the report says of standards does not follow from the cells: {what}"),
    );
}

fn requirements(standards: &[StandardReport]) -> Vec<&RequirementReport> {
    standards.iter().flat_map(|standard| &standard.requirements).collect()
}

/// Whether a refusal is expected somewhere for a reason that nobody was refused for.
fn unseen(report: &Report) -> bool {
    let seen: BTreeSet<DenialReason> = report
        .cells
        .iter()
        .filter_map(|cell| match &cell.found {
            Outcome::Denied(reason) => Some(std::slice::from_ref(reason)),
            Outcome::Refused(possible) => Some(possible.as_slice()),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    report.cells.iter().any(|cell| match &cell.expected {
        Expected::Denied(reasons) => !reasons.iter().any(|reason| seen.contains(reason)),
        _ => false,
    })
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
pub(super) fn weigh(found: &mut Verification, report: &Report, this: &Tool, what: String) {
    match report.run.tool.is_surely(this) {
        true => found.problem(what),
        false => found
            .note(format!("{what}: made by {}, and this is {this}: check it with that one", report.run.tool)),
    }
}

pub(super) fn some_of(cells: &[&str]) -> String {
    let named: Vec<String> = cells.iter().take(NAMED).map(|id| format!("{id:?}")).collect();
    match cells.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", named.join(", ")),
        None => named.join(", "),
    }
}
