//! What the attempts are evidence for, in the terms of public standards, and what they are no evidence for.

mod rows;

use std::fmt::{self, Write as _};

use bulkhead_plan::matrix::{Column, Field};

use self::rows::{Cover, Requirement, Standard};
use super::picture::parts;
use super::{anchor, who_is};
use crate::Report;
use crate::report::grouped;
use crate::text::Escaped;

pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "<section aria-labelledby=\"standards\"><h2 id=\"standards\">Standards</h2>")?;
    writeln!(
        out,
        "<p>Which attempts are evidence for which requirement. The requirements are told in our own words; the standards \
         themselves are what counts. What was possible, as it must be, are the controls among them: a certificate \
         without a flaw is let in, an owner finds what is its own. A row that this tool does not cover says so.</p>"
    )?;
    for standard in rows::STANDARDS {
        write_standard(out, report, standard)?;
    }
    writeln!(out, "</section>")
}

fn write_standard(out: &mut String, report: &Report, standard: &Standard) -> fmt::Result {
    let Standard { title, source, requirements } = standard;
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
    for requirement in *requirements {
        write_requirement(out, report, requirement)?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn write_requirement(out: &mut String, report: &Report, requirement: &Requirement) -> fmt::Result {
    let Requirement { name, asks, cover, .. } = requirement;
    write!(out, "<tr><th scope=\"row\">{name}<span class=\"asks\">{asks}</span></th><td>")?;
    let not_covered = match cover {
        Cover::Whole => "",
        Cover::Partly(gap) | Cover::Nothing(gap) => gap,
    };
    if matches!(cover, Cover::Nothing(_)) {
        write!(out, "<span class=\"badge none\">not covered</span>")?;
    } else {
        write_evidence(out, report, requirement)?;
    }
    writeln!(out, "</td><td>{not_covered}</td></tr>")
}

fn write_evidence(out: &mut String, report: &Report, requirement: &Requirement) -> fmt::Result {
    let found = matching(report, requirement);
    if found.is_empty() {
        return write!(out, "<span class=\"badge unclear\">no attempt in this run</span>");
    }
    let mut total = Field::default();
    for one in &found {
        total.open += one.counts.open;
        total.closed += one.counts.closed;
        total.unclear += one.counts.unclear;
        total.broken += one.counts.broken;
        total.violated += one.counts.violated;
    }
    for (look, count) in parts(&total) {
        write!(
            out,
            "<span class=\"badge {}\">{} {}</span> {}<br>",
            look.class(),
            look.sign(),
            grouped(count),
            look.words()
        )?;
    }
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

fn matching<'a>(report: &'a Report, requirement: &Requirement) -> Vec<Found<'a>> {
    let rows = report.picture.iter().enumerate();
    let fields = rows.flat_map(|(index, row)| row.fields.iter().map(move |field| (index, row, field)));
    let is_evidence = |operation: &str, caller| {
        requirement.evidence.iter().any(|(operations, callers)| {
            callers.contains(&caller)
                && operations.iter().any(|pattern| matches_operation(pattern, operation))
        })
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

fn matches_operation(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => operation.starts_with(start),
        None => operation == pattern,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bulkhead_plan::access::Model;
    use bulkhead_plan::environment::BackendKind;
    use bulkhead_plan::matrix::Plan;
    use bulkhead_plan::{EnvironmentSpec, Topology};

    use super::*;

    /// A pattern that no operation has any more would leave a requirement without its evidence, and nobody would see.
    #[test]
    fn every_pattern_names_operations_that_there_are() {
        let spec = EnvironmentSpec::with_tenants("t".parse().unwrap(), 2, 2).unwrap();
        let topology = Topology::new(&spec).unwrap();
        // Behind network walls some calls are not even attempted.
        let plans = [BackendKind::Docker, BackendKind::Process].map(|backend| {
            let plan = Plan::of(&Model::of_topology(&topology, backend));
            let codes = plan.cells().iter();
            codes
                .map(|planned| (planned.cell.operation.code(), Column::of(&planned.cell)))
                .collect::<BTreeSet<_>>()
        });
        let there: BTreeSet<(String, Column)> = plans.into_iter().flatten().collect();
        for requirement in rows::STANDARDS.iter().flat_map(|standard| standard.requirements) {
            for (operations, callers) in requirement.evidence {
                for pattern in *operations {
                    let is_there = |(operation, caller): &(String, Column)| {
                        matches_operation(pattern, operation) && callers.contains(caller)
                    };
                    assert!(there.iter().any(is_there), "{}: {pattern} by {callers:?}", requirement.name);
                }
            }
            let nothing = matches!(requirement.cover, Cover::Nothing(_));
            assert_eq!(nothing, requirement.evidence.is_empty(), "{}", requirement.name);
        }
    }
}
