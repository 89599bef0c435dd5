//! `junit.xml`: one suite for each layer, one case for each cell, for whatever shows test results.

use std::fmt::{self, Write as _};

use bulkhead_plan::access::Conclusion;
use bulkhead_plan::matrix::Layer;

use crate::Report;
use crate::report::CellReport;
use crate::text::Escaped;

/// Renders it.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let red = |conclusions: &[Conclusion]| conclusions.iter().map(|one| report.count(*one)).sum::<usize>();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"bulkhead\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">",
        report.cells.len() + unsound(report).count() + report.not_covered.len(),
        red(&[Conclusion::Violated, Conclusion::Broken]),
        red(&[Conclusion::Inconclusive]) + unsound(report).count(),
        report.not_covered.len(),
        seconds(report.run.took_ms),
    )?;
    said_first(out, report)?;
    for layer in Layer::ALL {
        suite(out, report, layer)?;
    }
    table(out, report)?;
    writeln!(out, "</testsuites>")
}

/// What is said in one breath with the verdict: a suite without cases, since only suites have properties.
fn said_first(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        out,
        "  <testsuite name=\"verdict\" tests=\"0\" failures=\"0\" errors=\"0\" skipped=\"0\">\n    <properties>"
    )?;
    let mut property = |name: &str, value: &str| {
        writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", Escaped(value))
    };
    property("verdict", report.verdict.word.code())?;
    property("sentence", &report.verdict.sentence)?;
    for further in &report.verdict.further {
        property("further", further)?;
    }
    for service in report.platform.without_records() {
        property("without-records", service)?;
    }
    for requirement in report.standards.iter().flat_map(|standard| &standard.requirements) {
        property(&format!("standard.{}", Escaped(&requirement.id)), requirement.outcome.code())?;
    }
    writeln!(out, "    </properties>\n  </testsuite>")
}

/// What is wrong with the table itself, or with the description of the platform that it is of.
fn unsound(report: &Report) -> impl Iterator<Item = (&'static str, &String)> {
    let flaws = report.flaws.iter().map(|flaw| ("flaw", flaw));
    flaws.chain(report.platform.findings().iter().map(|finding| ("finding", finding)))
}

fn suite(out: &mut String, report: &Report, layer: Layer) -> fmt::Result {
    let Some(counts) = report.counts.iter().find(|counts| counts.layer == layer) else { return Ok(()) };
    let failures = counts.violated + counts.broken;
    writeln!(
        out,
        "  <testsuite name=\"{layer}\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\" skipped=\"0\">",
        failures + counts.passed + counts.inconclusive,
        counts.inconclusive,
    )?;
    for cell in report.cells.iter().filter(|cell| cell.layer == layer) {
        case(out, cell)?;
    }
    writeln!(out, "  </testsuite>")
}

fn case(out: &mut String, cell: &CellReport) -> fmt::Result {
    write!(
        out,
        "    <testcase classname=\"{}.{}\" name=\"{}\"",
        cell.layer,
        Escaped(&cell.operation),
        Escaped(&cell.id)
    )?;
    let (element, kind) = match cell.conclusion {
        Conclusion::Passed => return writeln!(out, "/>"),
        Conclusion::Violated => ("failure", "violated"),
        Conclusion::Broken => ("failure", "broken"),
        Conclusion::Inconclusive => ("error", "not-judged"),
    };
    let found = cell.found.to_string();
    let expected = cell.expected.to_string();
    let (found, expected) = (Escaped(&found), Escaped(&expected));
    writeln!(out, ">\n      <{element} type=\"{kind}\" message=\"expected {expected}, found {found}\">")?;
    for line in cell.unrecorded.iter().chain(&cell.evidence) {
        writeln!(out, "{}", Escaped(line))?;
    }
    writeln!(out, "      </{element}>\n    </testcase>")
}

/// What is to be said of the table and of no cell of it.
fn table(out: &mut String, report: &Report) -> fmt::Result {
    let (flaws, skipped) = (unsound(report).count(), report.not_covered.len());
    if flaws + skipped == 0 {
        return Ok(());
    }
    let tests = flaws + skipped;
    writeln!(
        out,
        "  <testsuite name=\"table\" tests=\"{tests}\" failures=\"0\" errors=\"{flaws}\" skipped=\"{skipped}\">"
    )?;
    for (kind, what) in unsound(report) {
        let what = Escaped(what);
        writeln!(out, "    <testcase classname=\"table.{kind}\" name=\"{what}\">")?;
        writeln!(out, "      <error type=\"{kind}\" message=\"{what}\"/>\n    </testcase>")?;
    }
    for unasked in &report.not_covered {
        let reason = Escaped(&unasked.reason);
        writeln!(
            out,
            "    <testcase classname=\"table.not-covered\" name=\"{reason} ({} cells)\">",
            unasked.cells
        )?;
        writeln!(out, "      <skipped message=\"not covered: {reason}\"/>\n    </testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}
