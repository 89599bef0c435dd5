//! One line for each fault, and what the scenarios are worth.

use std::time::Duration;

use bulkhead_e2e::{Conclusion, Part, Proof, Report, Tally};
use bulkhead_plan::fault::Ground;
use serde_json::{Value, json};

use super::{Played, Row};
use crate::commands::prove::show::{ID_WIDTH, details, time};
use crate::paint::Paint;
use crate::{evidence, say};

/// How many names of scenarios stand on a fault's own line.
const NAMED: usize = 3;

/// The scenarios without a fault.
pub(super) fn control(tally: &Tally, scenarios: usize, took: Duration, json: bool) {
    if json {
        return;
    }
    let paint = Paint::for_stdout();
    let word = |text: &str| format!("{text:>12}");
    let word = match (tally.alarms().is_empty(), tally.doubts().is_empty()) {
        (false, _) => paint.bad(&word("FALSE ALARM")),
        (true, false) => paint.warning(&word("NOT JUDGED")),
        (true, true) => paint.good(&word("No alarm")),
    };
    say::line(format_args!("{word}  {:<ID_WIDTH$} {scenarios:>4} scenarios  {}", "(no fault)", time(took)));
    details(tally.alarms(), paint);
    details(tally.doubts(), paint);
}

/// The scenarios with a fault.
pub(super) fn row(row: &Row, json: bool) {
    if json {
        return;
    }
    let paint = Paint::for_stdout();
    let (id, took) = (format!("{:<ID_WIDTH$}", row.fault.id()), time(row.took));
    let word = |text: &str| format!("{text:>12}");
    match &row.played {
        Played::Whole(report) => match (report.red().count(), report.count(Conclusion::Inconclusive)) {
            (0, 0) => {
                say::line(format_args!(
                    "{}  {id} no scenario is red  {took}",
                    paint.dim(&word("Matrix only"))
                ));
            }
            (0, unclear) => say::line(format_args!(
                "{}  {id} {unclear:>4} not judged     {took}",
                paint.warning(&word("None red"))
            )),
            (count, _) => say::line(format_args!(
                "{}  {id} {count:>4} red scenarios  {took}{}",
                paint.good(&word("Red")),
                paint.dim(&few(report, count))
            )),
        },
        Played::RefusedAtStart => {
            say::line(format_args!("{}  {id} refused at start    {took}", paint.good(&word("Refused"))));
        }
        Played::NotJudged(why) => {
            say::line(format_args!("{}  {id} {took}", paint.warning(&word("NOT JUDGED"))));
            details(std::slice::from_ref(why), paint);
        }
    }
}

/// Their names, when they are few.
fn few(report: &Report, count: usize) -> String {
    if count > NAMED {
        return String::new();
    }
    format!("  {}", report.red().map(|scenario| scenario.name.as_str()).collect::<Vec<_>>().join("; "))
}

/// The score, or everything for machines, who are told the ground as well.
pub(super) fn end(
    tally: &Tally,
    rows: &[Row],
    proof: &Proof,
    code: u8,
    json: Option<Ground>,
) -> serde_json::Result<()> {
    if let Some(ground) = json {
        say::line(serde_json::to_string_pretty(&as_json(tally, rows, proof, code, ground)?)?);
        return Ok(());
    }
    let paint = Paint::for_stdout();
    rows.iter().filter(|row| matches!(row.played, Played::NotJudged(_))).for_each(|of| self::row(of, false));
    for part in [&proof.scenarios, &proof.phrases] {
        let survived = if proof.all_faults { part.survived.as_slice() } else { &[] };
        for (word, names) in [
            ("SURVIVED", survived),
            ("NEEDLESS", part.needless.as_slice()),
            ("UNKNOWN", part.unknown.as_slice()),
        ] {
            for name in names {
                say::line(format_args!("{}  {name}", paint.bad(&format!("{word:>12}"))));
            }
        }
    }
    let title = |text: &str| {
        let text = format!("{text:>12}");
        if code == 0 { paint.good(&text) } else { paint.bad(&text) }
    };
    say::line(format_args!("{}  {}{}", title("Scenarios"), proof.scenarios, of_some(proof)));
    say::line(format_args!("{}  {}{}", title("Steps"), proof.phrases, of_some(proof)));
    Ok(())
}

/// Of a part of the faults the score is no more than a hint.
fn of_some(proof: &Proof) -> &'static str {
    if proof.all_faults { "" } else { " (of these faults alone: nothing is demanded)" }
}

fn as_json(
    tally: &Tally,
    rows: &[Row],
    proof: &Proof,
    code: u8,
    ground: Ground,
) -> serde_json::Result<Value> {
    let faults: Vec<Value> = rows.iter().map(row_as_json).collect();
    let part = |part: &Part| serde_json::to_value(part);
    Ok(json!({
        "tool": evidence::this_tool(),
        "ground": ground.to_string(),
        "faults": faults,
        "seen": serde_json::to_value(tally)?,
        "scenarios": part(&proof.scenarios)?,
        "steps": part(&proof.phrases)?,
        "false_alarms": proof.false_alarms,
        "all_faults": proof.all_faults,
        "exit_code": code,
    }))
}

fn row_as_json(row: &Row) -> Value {
    let (verdict, why) = match &row.played {
        Played::Whole(report) if report.red().next().is_some() => ("red", ""),
        Played::Whole(report) if report.count(Conclusion::Inconclusive) > 0 => ("none-red", ""),
        Played::Whole(_) => ("matrix-only", ""),
        Played::RefusedAtStart => ("refused-at-start", ""),
        Played::NotJudged(why) => ("not-judged", why.as_str()),
    };
    let failed: Vec<Value> = match &row.played {
        Played::Whole(report) => {
            let failed = report.scenarios.iter().filter(|scenario| scenario.conclusion != Conclusion::Passed);
            failed
                .map(|one| {
                    json!({
                        "scenario": one.name, "conclusion": one.conclusion, "step": one.failed_at, "why": one.why,
                    })
                })
                .collect()
        }
        Played::RefusedAtStart | Played::NotJudged(_) => Vec::new(),
    };
    json!({
        "fault": row.fault.id(), "title": row.fault.title(), "verdict": verdict, "why": why,
        "failed": failed, "took_ms": row.took.as_millis(),
    })
}
