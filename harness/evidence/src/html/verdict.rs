//! The verdict first: one sentence, what it means and what it does not, and what was judged.

use std::fmt::{self, Write as _};

use bulkhead_plan::access::Conclusion;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::cells;
use crate::Report;
use crate::report::{StartedBy, Tool, VerdictWord, grouped};
use crate::text::Escaped;

/// How many tenants are named.
const NAMED_TENANTS: usize = 8;
/// How much of a revision a person needs; the whole is at the page's end.
const SHORT: usize = 12;
/// How many of the cells that are not as they must be are named beside the verdict.
const NAMED: usize = 5;
const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC");

/// For the window's title.
pub(super) const fn short(report: &Report) -> &'static str {
    match report.verdict.word {
        VerdictWord::Isolated => "isolated",
        VerdictWord::PartAsPredicted => "a part, as predicted",
        VerdictWord::Violated => "VIOLATED",
        VerdictWord::Broken => "BROKEN",
        VerdictWord::NotJudged => "not proven",
    }
}

pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    let (class, sign) = match report.verdict.word {
        VerdictWord::Isolated => ("good", "✓"),
        VerdictWord::Violated | VerdictWord::Broken => ("bad", "✗"),
        // Not the colour of a proof: the rest of the table may be anything.
        VerdictWord::PartAsPredicted => ("unsure", "\u{25d0}"),
        VerdictWord::NotJudged => ("unsure", "?"),
    };
    writeln!(out, "<section class=\"verdict {class}\" aria-labelledby=\"verdict\">")?;
    writeln!(out, "<p class=\"mark\" aria-hidden=\"true\">{sign}</p>\n<div>")?;
    writeln!(out, "<h1 id=\"verdict\">{}</h1>", Escaped(&report.verdict.sentence))?;
    if !report.verdict.further.is_empty() {
        writeln!(out, "<p class=\"further\">Also: {}.</p>", Escaped(&report.verdict.further.join("; ")))?;
    }
    named(out, report)?;
    taken_at_their_word(out, report)?;
    let (means, does_not) = meaning(report);
    writeln!(out, "<div class=\"meaning\">")?;
    writeln!(out, "<div><h2>What this means</h2><p>{means}</p></div>")?;
    writeln!(out, "<div><h2>What it does not mean</h2><p>{does_not}</p></div>\n</div>\n</div>\n</section>")?;
    contents(out, report)?;
    facts(out, report)
}

/// The first of what is not as it must be, each with the way to its evidence.
fn named(out: &mut String, report: &Report) -> fmt::Result {
    let mut red: Vec<_> = report.cells.iter().filter(|cell| cell.conclusion != Conclusion::Passed).collect();
    let findings = report.platform.findings();
    if red.is_empty() && report.flaws.is_empty() && findings.is_empty() {
        return Ok(());
    }
    red.sort_by_key(|cell| std::cmp::Reverse(cell.conclusion));
    writeln!(out, "<ul class=\"named\">")?;
    // All of them: they are few, and the cause of what follows.
    for finding in findings {
        writeln!(out, "<li>In the description of the platform, and not so: {}</li>", Escaped(finding))?;
    }
    for cell in red.iter().take(NAMED) {
        writeln!(out, "<li>{}</li>", cells::Sentence { cell, link: cells::link(report, cell).as_deref() })?;
    }
    if let Some(more) = red.len().checked_sub(NAMED).filter(|more| *more > 0) {
        writeln!(out, "<li>and {} more, which are marked in the table</li>", grouped(more))?;
    }
    for flaw in report.flaws.iter().take(NAMED) {
        writeln!(out, "<li>The table itself: {}</li>", Escaped(flaw))?;
    }
    if let Some(more) = report.flaws.len().checked_sub(NAMED).filter(|more| *more > 0) {
        writeln!(out, "<li>and {more} more flaws, under <a href=\"#not-covered\">Not covered</a></li>")?;
    }
    writeln!(out, "</ul>")
}

/// Whose refusals rest on less than others', and whose word the expectations are.
fn taken_at_their_word(out: &mut String, report: &Report) -> fmt::Result {
    let silent = report.platform.without_records();
    if !silent.is_empty() {
        writeln!(
            out,
            "<p class=\"further\">Without records that anybody here could read: {}. A refusal of theirs counts when it was \
             said in the protocol\u{2019}s own words, between two controls: it shows that they refused, and not quite why.</p>",
            Escaped(&silent.join(", "))
        )?;
    }
    let stated = report.platform.owner_expects();
    if !stated.is_empty() {
        writeln!(
            out,
            "<p class=\"further\">Of these attempts the platform\u{2019}s owner says what is expected, and not the isolation \
             model:</p>\n<ul class=\"named\">"
        )?;
        for words in stated {
            writeln!(out, "<li>{}</li>", Escaped(words))?;
        }
        writeln!(out, "</ul>")?;
    }
    Ok(())
}

fn meaning(report: &Report) -> (&'static str, &'static str) {
    const ELSEWHERE: &str = "It speaks of this platform, in these versions and this configuration, at this time. It says \
                             nothing of what was not attempted (see <a href=\"#not-covered\">Not covered</a>), of \
                             weaknesses that no attempt here would touch, or of another installation.";
    match report.verdict.word {
        VerdictWord::Isolated if !report.platform.without_records().is_empty() => (
            "Each attempt was made against running services, with real certificates. A refusal counts only between \
             controls before and after, in which the same door opened to its owner, and only if what the attacker saw and \
             what the server recorded agree, or, of a service without records, if it said no in so many words. Silence \
             never counts as a refusal.",
            ELSEWHERE,
        ),
        VerdictWord::Isolated => (
            "Each attempt was made against running services, from the place that it names, with real certificates. A \
             refusal counts only if three things agree: what the attacker saw, what the server recorded (or, of what no \
             server records, what the broker answered and who heard of it), and controls before and after, in which the \
             same door opened to its owner. Silence never counts as a refusal.",
            ELSEWHERE,
        ),
        VerdictWord::PartAsPredicted => (
            "Each attempt that was made ended as the isolation model says it must. They were chosen from the table: whoever \
             chose others might have found something else.",
            "It does not mean that the tenants are isolated. That is said only of a whole table.",
        ),
        VerdictWord::Violated => (
            "Somebody did something that the isolation model forbids, while the tenants\u{2019} services ran. Each such \
             attempt is marked <b>!</b> below, with what the attacker saw and what the server recorded.",
            ELSEWHERE,
        ),
        VerdictWord::Broken => (
            "Somebody was refused what the isolation model grants. A door that opens to nobody looks like a good wall, \
             and so the refusals in this report are not evidence of isolation.",
            "It does not mean that a tenant\u{2019}s data was reached: no attempt showed that.",
        ),
        VerdictWord::NotJudged => (
            "For some attempts it could not be said what came of them: a control failed, a record is missing, an answer \
             did not come, or a refusal came for another reason than the expected one. Each is marked <b>?</b> below.",
            "It does not mean that isolation was broken, and it does not mean that it holds: what could not be checked is \
             never counted as refused.",
        ),
    }
}

fn contents(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "<nav aria-label=\"Contents\"><ul>")?;
    let entries = [
        ("matrix", "The matrix", true),
        ("evidence", "Every attempt", true),
        ("faults", "Mistakes made on purpose", report.proof.is_some()),
        ("scenarios", "Scenarios", report.scenarios.is_some()),
        ("not-covered", "Not covered", true),
        ("standards", "Standards", true),
        ("verify", "How to verify", true),
    ];
    for (id, title, _) in entries.into_iter().filter(|(_, _, is_there)| *is_there) {
        writeln!(out, "<li><a href=\"#{id}\">{title}</a></li>")?;
    }
    writeln!(out, "</ul></nav>")
}

fn facts(out: &mut String, report: &Report) -> fmt::Result {
    let Report { run, platform, .. } = report;
    let agents: usize = platform.tenants.iter().map(|tenant| tenant.agents.len()).sum();
    let began = run.started_at.to_offset(time::UtcOffset::UTC).format(MOMENT).unwrap_or_default();
    let took = std::time::Duration::from_millis(run.took_ms);
    writeln!(
        out,
        "<section aria-labelledby=\"facts\"><h2 id=\"facts\">What was judged</h2>\n<dl class=\"facts\">"
    )?;
    let mut fact = |name: &str, value: &str| writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Escaped(value));
    fact("Platform", &platform.name)?;
    fact("When", &format!("{began}, for {:.1} s", took.as_secs_f64()))?;
    let slugs: Vec<&str> = platform.tenants.iter().map(|tenant| tenant.slug.as_str()).collect();
    fact("Tenants", &format!("{} ({})", slugs.len(), some_of(&slugs)))?;
    fact("Agents", &agents.to_string())?;
    match &platform.started_by {
        StartedBy::Bulkhead { backend, network_mode } => {
            fact("Backend", &backend.to_string())?;
            fact("Network", &network_mode.to_string())?;
        }
        StartedBy::Others(_) => {
            fact("Started by", "somebody else, and judged by what platform.json says of it")?;
            fact("Network", "not known, and not judged: every attempt was made from one machine")?;
        }
    }
    let steps = grouped(usize::try_from(run.steps).unwrap_or(usize::MAX));
    fact("Attempts", &format!("{}; with their controls {steps} steps", grouped(report.cells.len())))?;
    if let Some(part) = &run.part {
        let which =
            part.filter.as_ref().map(|text| format!(", those with \u{201c}{text}\u{201d} in their names"));
        let (cells, of) = (grouped(part.cells), grouped(part.of));
        fact("Only", &format!("{cells} of {of} cells{}", which.unwrap_or_default()))?;
    }
    let revision = run.tool.revision.as_deref().map(|revision| revision.get(..SHORT).unwrap_or(revision));
    let tool = Tool { revision: revision.map(str::to_owned), ..run.tool.clone() };
    fact("Made by", &tool.to_string())?;
    for component in &run.components {
        fact(&Escaped(&component.name).to_string(), &component.version)?;
    }
    if let StartedBy::Others(_) = &platform.started_by {
        let more = if run.components.is_empty() { "not known" } else { "beyond that, not known" };
        fact("Versions of its services", more)?;
    }
    writeln!(out, "</dl>")?;
    roles(out, report)?;
    writeln!(out, "</section>")
}

/// Whose the roles are, where they are called otherwise: the table is about roles.
fn roles(out: &mut String, report: &Report) -> fmt::Result {
    let StartedBy::Others(described) = &report.platform.started_by else { return Ok(()) };
    let mut others = described.roles.iter().filter(|one| one.role != one.name).peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "<p>In this report everybody has a role\u{2019}s name. The platform calls them:</p>\n<dl class=\"facts\">"
    )?;
    for one in others {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", Escaped(&one.role), Escaped(&one.name))?;
    }
    writeln!(out, "</dl>")
}

fn some_of(slugs: &[&str]) -> String {
    match slugs.len().checked_sub(NAMED_TENANTS).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", slugs[..NAMED_TENANTS].join(", ")),
        None => slugs.join(", "),
    }
}
