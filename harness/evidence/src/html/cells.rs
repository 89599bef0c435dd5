//! Every attempt with its evidence, by layer, operation and caller: what is not as it must be first, and open.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use bulkhead_plan::access::Conclusion;
use bulkhead_plan::matrix::{Column, Layer};

use super::picture::parts;
use super::{Look, anchor, title_of, who_is};
use crate::Report;
use crate::report::{CellReport, LayerCounts, PictureField, PictureRow, grouped};
use crate::text::Escaped;

/// Above so many cells a browser is slow, and nobody reads on: of those that are as predicted one of each kind is shown.
const SHOWN_WHOLE: usize = 5_000;
/// And of those that are not, so many of each kind.
const SHOWN_RED: usize = 50;

/// Who did what from where, and what came of it.
pub(super) struct Sentence<'a> {
    pub(super) cell: &'a CellReport,
    /// Where its evidence is.
    pub(super) link: Option<&'a str>,
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CellReport { who, does, from, expected, found, conclusion, unrecorded, .. } = self.cell;
        let (who, does, from, found) = (Escaped(who), Escaped(does), Escaped(from), found.to_string());
        write!(formatter, "<b>{who}</b> {does} <span class=\"from\">from {from}:</span> ")?;
        write!(formatter, "<span class=\"outcome\">{}</span>", Escaped(&found))?;
        if *conclusion != Conclusion::Passed {
            write!(formatter, "; must be {}", Escaped(&expected.to_string()))?;
        }
        if unrecorded.is_some() && *conclusion == Conclusion::Inconclusive {
            write!(formatter, ", not on record")?;
        }
        match self.link {
            Some(link) => write!(formatter, " <a href=\"#{link}\">evidence</a>"),
            None => Ok(()),
        }
    }
}

/// Where the evidence of a cell is.
pub(super) fn link(report: &Report, cell: &CellReport) -> Option<String> {
    let is_its = |row: &PictureRow| row.layer == cell.layer && row.operation == cell.operation;
    report.picture.iter().position(is_its).map(|row| anchor(row, cell.caller))
}

type Groups<'a> = BTreeMap<(Layer, &'a str, Column), Vec<&'a CellReport>>;

pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    let mut groups: Groups<'_> = BTreeMap::new();
    for cell in &report.cells {
        groups.entry((cell.layer, &cell.operation, cell.caller)).or_default().push(cell);
    }
    let whole = report.cells.len() <= SHOWN_WHOLE;
    writeln!(
        out,
        "<section aria-labelledby=\"evidence\" id=\"cells\"><h2 id=\"evidence\">Every attempt</h2>"
    )?;
    match whole {
        true => writeln!(
            out,
            "<p>What is not as it must be stands first and is open. Everything else unfolds, down to what the attacker \
             saw, what the server recorded and the controls around it.</p>"
        )?,
        false => writeln!(
            out,
            "<p class=\"note\">There are {} attempts, more than a browser shows well. This page has all counts, of what is \
             not as it must be up to {SHOWN_RED} attempts of each kind, and one example of each kind that is. Every \
             attempt with its evidence is in <code>report.json</code>, beside this page.</p>",
            grouped(report.cells.len())
        )?,
    }
    for counts in &report.counts {
        layer(out, report, counts, &groups, whole)?;
    }
    writeln!(out, "</section>")
}

fn layer(
    out: &mut String,
    report: &Report,
    counts: &LayerCounts,
    groups: &Groups<'_>,
    whole: bool,
) -> fmt::Result {
    let id = counts.layer;
    writeln!(out, "<section class=\"layer\" aria-labelledby=\"layer-{id}\">")?;
    writeln!(out, "<h3 id=\"layer-{id}\">{}</h3>\n<p class=\"counts\">", title_of(counts.layer))?;
    let all = [
        (Look::Violated, counts.violated, "violated"),
        (Look::Broken, counts.broken, "broken"),
        (Look::Unclear, counts.inconclusive, "not judged"),
        (Look::Closed, counts.passed, "as predicted"),
    ];
    for (look, count, words) in all.into_iter().filter(|(_, count, _)| *count > 0) {
        let class = if words == "as predicted" { "open" } else { look.class() };
        writeln!(out, "<span class=\"badge {class}\">{} {words}</span>", grouped(count))?;
    }
    writeln!(out, "</p>")?;
    let rows = report.picture.iter().enumerate().filter(|(_, row)| row.layer == counts.layer);
    let mut fields: Vec<(usize, &PictureRow, &PictureField)> =
        rows.flat_map(|(index, row)| row.fields.iter().map(move |field| (index, row, field))).collect();
    // Stable: what is equally bad keeps the order of the picture.
    fields.sort_by_key(|(_, _, field)| std::cmp::Reverse(field.counts.worst()));
    for (index, row, field) in fields {
        let cells = groups.get(&(row.layer, row.operation.as_str(), field.caller));
        group(out, index, row, field, cells.map(Vec::as_slice).unwrap_or_default(), whole)?;
    }
    writeln!(out, "</section>")
}

fn group(
    out: &mut String,
    index: usize,
    row: &PictureRow,
    field: &PictureField,
    cells: &[&CellReport],
    whole: bool,
) -> fmt::Result {
    let is_red = field.counts.worst() > Some(Conclusion::Passed);
    let open = if is_red { " open" } else { "" };
    let id = anchor(index, field.caller);
    write!(
        out,
        "<details class=\"group\" id=\"{id}\"{open}><summary><span class=\"what\"><b>{}</b> {}</span> <code>{}</code>",
        who_is(field.caller),
        Escaped(&row.does),
        Escaped(&row.operation)
    )?;
    for (look, count) in parts(&field.counts) {
        write!(out, " <span class=\"badge {}\">{} {}</span>", look.class(), look.sign(), grouped(count))?;
    }
    writeln!(out, "</summary>")?;
    let mut sorted = cells.to_vec();
    sorted.sort_by_key(|cell| std::cmp::Reverse(cell.conclusion));
    let (mut good, mut red, mut left_out) = (0, 0, 0);
    for cell in sorted {
        let (shown, most) = match cell.conclusion {
            Conclusion::Passed => (&mut good, 1),
            _ => (&mut red, SHOWN_RED),
        };
        *shown += 1;
        match whole || *shown <= most {
            true => write_cell(out, cell)?,
            false => left_out += 1,
        }
    }
    if left_out > 0 {
        writeln!(out, "<p class=\"note\">and {} more, in <code>report.json</code></p>", grouped(left_out))?;
    }
    writeln!(out, "</details>")
}

fn write_cell(out: &mut String, cell: &CellReport) -> fmt::Result {
    let look = Look::of(cell.conclusion, &cell.expected.to_expectation());
    let open = if cell.conclusion == Conclusion::Passed { "" } else { " open" };
    writeln!(
        out,
        "<details class=\"cell {}\"{open}><summary><span class=\"badge {}\">{}</span> {}</summary>\n<dl>",
        look.class(),
        look.class(),
        look.sign(),
        Sentence { cell, link: None }
    )?;
    let expected = cell.expected.to_string();
    let found = cell.found.to_string();
    for (name, value) in [("Attempt", &cell.id), ("Expected", &expected), ("Found", &found)] {
        writeln!(out, "<dt>{name}</dt><dd><code>{}</code></dd>", Escaped(value))?;
    }
    if let Some(why) = &cell.unrecorded {
        writeln!(out, "<dt>Not on record</dt><dd>{}</dd>", Escaped(why))?;
    }
    writeln!(out, "<dt>Evidence</dt><dd>")?;
    match cell.evidence.is_empty() {
        true => writeln!(out, "none")?,
        false => {
            writeln!(out, "<ul class=\"lines\">")?;
            for line in &cell.evidence {
                writeln!(out, "<li>{}</li>", Escaped(line))?;
            }
            writeln!(out, "</ul>")?;
        }
    }
    writeln!(out, "</dd></dl></details>")
}
