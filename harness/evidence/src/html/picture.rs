//! The matrix as a picture: operations by kinds of caller, each field with the way to its attempts.

use std::fmt::{self, Write as _};

use bulkhead_plan::matrix::{Column, Field};

use super::{Look, anchor, note_on, title_of, who_is};
use crate::Report;
use crate::report::grouped;
use crate::text::Escaped;

pub(super) fn write(out: &mut String, report: &Report) -> fmt::Result {
    let columns: Vec<Column> = Column::ALL.into_iter().filter(|column| has(report, *column)).collect();
    writeln!(out, "<section aria-labelledby=\"matrix\"><h2 id=\"matrix\">The matrix</h2>")?;
    writeln!(
        out,
        "<p>Each row is something that can be done, each column a kind of caller, each number how many attempts of that \
         kind were made. A field leads to its attempts and their evidence.</p>"
    )?;
    legend(out)?;
    writeln!(out, "<dl class=\"callers\">")?;
    for column in &columns {
        let (heading, who, note) = (column.heading(), who_is(*column), note_on(*column));
        writeln!(out, "<div><dt>{heading}</dt><dd>{who}{note}</dd></div>")?;
    }
    writeln!(out, "</dl>")?;
    writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"matrix\" tabindex=\"0\">\n<table class=\"matrix\">"
    )?;
    write!(out, "<thead><tr><th scope=\"col\">done by</th>")?;
    for column in &columns {
        let (heading, words) = (column.heading(), who_is(*column));
        write!(out, "<th scope=\"col\"><abbr title=\"{words}\">{heading}</abbr></th>")?;
    }
    writeln!(out, "</tr></thead>")?;
    let mut above = None;
    for (index, row) in report.picture.iter().enumerate() {
        if above != Some(row.layer) {
            if above.is_some() {
                writeln!(out, "</tbody>")?;
            }
            let span = columns.len() + 1;
            writeln!(
                out,
                "<tbody><tr class=\"layer\"><th scope=\"rowgroup\" colspan=\"{span}\"><a href=\"#layer-{}\">{}</a></th></tr>",
                row.layer,
                title_of(row.layer)
            )?;
            above = Some(row.layer);
        }
        write!(
            out,
            "<tr><th scope=\"row\"><span class=\"does\">{}</span> <code>{}</code></th>",
            Escaped(&row.does),
            Escaped(&row.operation)
        )?;
        for column in &columns {
            match row.fields.iter().find(|field| field.caller == *column) {
                Some(field) => write_field(out, &anchor(index, *column), &field.counts)?,
                None => write!(out, "<td></td>")?,
            }
        }
        writeln!(out, "</tr>")?;
    }
    if above.is_some() {
        writeln!(out, "</tbody>")?;
    }
    writeln!(out, "</table></div></section>")
}

fn has(report: &Report, column: Column) -> bool {
    report.picture.iter().any(|row| row.fields.iter().any(|field| field.caller == column))
}

fn legend(out: &mut String) -> fmt::Result {
    write!(out, "<ul class=\"legend\">")?;
    for look in Look::ALL.into_iter().rev() {
        let (class, sign, words) = (look.class(), look.sign(), look.words());
        write!(out, "<li><span class=\"badge {class}\">{sign}</span> {words}</li>")?;
    }
    writeln!(out, "</ul>")
}

/// Its counts, the worst first, which also colours it.
pub(super) fn parts(counts: &Field) -> Vec<(Look, usize)> {
    let count = |look| match look {
        Look::Closed => counts.closed,
        Look::Open => counts.open,
        Look::Unclear => counts.unclear,
        Look::Broken => counts.broken,
        Look::Violated => counts.violated,
    };
    Look::ALL.into_iter().map(|look| (look, count(look))).filter(|(_, count)| *count > 0).collect()
}

fn write_field(out: &mut String, anchor: &str, counts: &Field) -> fmt::Result {
    let parts = parts(counts);
    let class = parts.first().map(|(look, _)| look.class()).unwrap_or_default();
    let words: Vec<String> =
        parts.iter().map(|(look, count)| format!("{} {}", grouped(*count), look.words())).collect();
    write!(out, "<td class=\"{class}\"><a href=\"#{anchor}\" title=\"{}\">", words.join("; "))?;
    for (look, count) in parts {
        let (class, sign) = (look.class(), look.sign());
        write!(out, "<span class=\"part {class}\"><i>{sign}</i>{}</span>", grouped(count))?;
    }
    write!(out, "</a></td>")
}
