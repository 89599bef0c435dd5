//! What the attempts are evidence for, in the terms of public standards, and what they are no evidence for.

use std::fmt::{self, Write as _};

use bulkhead_plan::matrix::{Column, Field};

use super::picture::parts;
use super::{anchor, who_is};
use crate::Report;
use crate::report::{RequirementOutcome, RequirementReport, StandardReport, grouped};
use crate::text::Escaped;

pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "<section aria-labelledby=\"standards\"><h2 id=\"standards\">Standards</h2>")?;
    writeln!(
        out,
        "<p>Which attempts are evidence for which requirement. The requirements are told in our own words; the standards \
         themselves are what counts. What was possible, as it must be, are the controls among them: a certificate \
         without a flaw is let in, an owner finds what is its own. A requirement is held when attempts of every kind that \
         is evidence for it were made, all ended as they must, and nothing beside them (a flaw of the table, a mistake \
         that was overlooked, a scenario that did not pass) casts doubt on them. A row that this tool does not cover \
         says so.</p>"
    )?;
    for standard in &report.standards {
        write_standard(out, report, standard)?;
    }
    writeln!(out, "</section>")
}

fn write_standard(out: &mut String, report: &Report, standard: &StandardReport) -> fmt::Result {
    let (title, source) = (Escaped(&standard.title), Escaped(&standard.source));
    writeln!(out, "<h3>{title}</h3>\n<p class=\"note\">{source}</p>")?;
    writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\"><table class=\"standard\">"
    )?;
    writeln!(
        out,
        "<thead><tr><th scope=\"col\">Requirement</th><th scope=\"col\">Evidence here</th><th scope=\"col\">Not \
         covered</th></tr></thead><tbody>"
    )?;
    for requirement in &standard.requirements {
        write_requirement(out, report, requirement)?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn write_requirement(out: &mut String, report: &Report, requirement: &RequirementReport) -> fmt::Result {
    let (title, asks) = (Escaped(&requirement.title), Escaped(&requirement.asks));
    write!(out, "<tr><th scope=\"row\">{title}<span class=\"asks\">{asks}</span></th><td>")?;
    let (class, words) = look_of(requirement.outcome);
    if requirement.proved_by.is_empty() && requirement.outcome != RequirementOutcome::NotCovered {
        write!(out, "<span class=\"badge unclear\">no attempt in this run</span>")?;
    } else {
        write!(out, "<span class=\"badge {class}\">{words}</span>")?;
    }
    if !requirement.proved_by.is_empty() {
        write_evidence(out, report, requirement)?;
    }
    write!(out, "</td><td>{}", Escaped(requirement.not_covered.as_deref().unwrap_or_default()))?;
    if !requirement.not_attempted.is_empty() && !requirement.proved_by.is_empty() {
        let not_attempted = requirement.not_attempted.join(", ");
        write!(out, "<br>Not attempted in this run: <code>{}</code>", Escaped(&not_attempted))?;
    }
    writeln!(out, "</td></tr>")
}

/// Its style's name, and what it is called.
const fn look_of(outcome: RequirementOutcome) -> (&'static str, &'static str) {
    match outcome {
        RequirementOutcome::Held => ("closed", "held"),
        RequirementOutcome::PartlyHeld => ("unclear", "held as far as attempted"),
        RequirementOutcome::Violated => ("violated", "violated"),
        RequirementOutcome::Broken => ("broken", "a valid access was refused: nothing is shown"),
        RequirementOutcome::NotJudged => ("unclear", "not judged"),
        RequirementOutcome::NotCovered => ("none", "not covered"),
    }
}

fn write_evidence(out: &mut String, report: &Report, requirement: &RequirementReport) -> fmt::Result {
    write!(out, "<br>")?;
    for (look, count) in parts(&requirement.counts) {
        write!(
            out,
            "<span class=\"badge {}\">{} {}</span> {}<br>",
            look.class(),
            look.sign(),
            grouped(count),
            look.words()
        )?;
    }
    let found = found(report, requirement);
    write!(out, "<details><summary>{} kinds of attempt</summary><ul class=\"kinds\">", found.len())?;
    for Found { row, operation, caller, counts } in found {
        let (link, who) = (anchor(row, caller), who_is(caller));
        let counts: Vec<String> = parts(&counts)
            .into_iter()
            .map(|(look, count)| format!("{}{}", look.sign(), grouped(count)))
            .collect();
        let operation = Escaped(operation);
        write!(
            out,
            "<li><a href=\"#{link}\"><code>{operation}</code> by {who}</a> {}</li>",
            counts.join(" ")
        )?;
    }
    write!(out, "</ul></details>")
}

/// One field of the picture that is evidence.
struct Found<'a> {
    row: usize,
    operation: &'a str,
    caller: Column,
    counts: Field,
}

/// Where in the picture the evidence is.
fn found<'a>(report: &'a Report, requirement: &RequirementReport) -> Vec<Found<'a>> {
    let rows = report.picture.iter().enumerate();
    let fields = rows.flat_map(|(index, row)| row.fields.iter().map(move |field| (index, row, field)));
    let is_evidence = |operation: &str, caller: Column| {
        let mut proved_by = requirement.proved_by.iter();
        proved_by.any(|one| one.operation == operation && one.callers.contains(&caller))
    };
    fields
        .filter(|(_, row, field)| is_evidence(&row.operation, field.caller))
        .map(|(row, picture, field)| Found {
            row,
            operation: &picture.operation,
            caller: field.caller,
            counts: field.counts,
        })
        .collect()
}
