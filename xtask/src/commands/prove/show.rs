//! One line for each fault, and the score.

use std::time::Duration;

use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::fault::{Control, Fault, Ground, Red, RedCells, Score, Verdict, catalogue};
use serde_json::{Value, json};

use super::Row;
use super::seeding::ControlRun;
use crate::paint::Paint;
use crate::{evidence, say};

/// How many cells of a spill, or reasons, are shown.
const SHOWN: usize = 5;
/// How wide the names of faults are.
pub(super) const ID_WIDTH: usize = 36;

/// The suite without a fault.
pub(super) fn control(run: &ControlRun, json: bool) {
    if json {
        return;
    }
    let (control, paint) = (&run.control, Paint::for_stdout());
    let word = |text: &str| format!("{text:>12}");
    let word = match (control.alarms.is_empty(), control.doubts.is_empty()) {
        (false, _) => paint.bad(&word("FALSE ALARM")),
        (true, false) => paint.warning(&word("NOT JUDGED")),
        (true, true) => paint.good(&word("No alarm")),
    };
    let name = format!("{:<ID_WIDTH$}", "(no fault)");
    say::line(format_args!(
        "{word}  {name} {:>4} cells as predicted  {}",
        control.as_predicted,
        time(run.took)
    ));
    details(&control.alarms, paint);
    details(&control.doubts, paint);
}

/// One fault.
pub(super) fn row(row: &Row, json: bool) {
    if json {
        return;
    }
    let paint = Paint::for_stdout();
    let id = format!("{:<ID_WIDTH$}", row.fault.id());
    let word = |text: &str| format!("{text:>12}");
    let took = time(row.took);
    match &row.verdict {
        Verdict::Killed { red } => {
            say::line(format_args!(
                "{}  {id} {:>4} red cells           {took}",
                paint.good(&word("Killed")),
                red.count()
            ));
        }
        Verdict::RefusedAtStart => {
            say::line(format_args!("{}  {id} refused at start         {took}", paint.good(&word("Killed"))));
        }
        Verdict::Survived(missing) => {
            say::line(format_args!("{}  {id} nothing red in:          {took}", paint.bad(&word("SURVIVED"))));
            details(missing, paint);
        }
        Verdict::Spilled(cells) => {
            let count = cells.len();
            say::line(format_args!(
                "{}  {id} {count:>4} cells that it does not explain  {took}",
                paint.bad(&word("SPILLED"))
            ));
            details(cells, paint);
        }
        Verdict::NotJudged(why) => {
            say::line(format_args!("{}  {id} {took}", paint.warning(&word("NOT JUDGED"))));
            details(std::slice::from_ref(why), paint);
        }
        Verdict::NotCovered(why) => {
            say::line(format_args!("{}  {id} {}", paint.dim(&word("NOT COVERED")), paint.dim(why)));
        }
    }
}

pub(super) fn details(lines: &[String], paint: Paint) {
    for line in lines.iter().take(SHOWN) {
        for line in line.lines() {
            say::line(format_args!("{:>12}    {}", "", paint.dim(line)));
        }
    }
    if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        say::line(format_args!(
            "{:>12}    {}",
            "",
            paint.dim(&format!("and {more} more: --json has them all"))
        ));
    }
}

pub(super) fn time(took: Duration) -> String {
    format!("[{:>6.2}s]", took.as_secs_f64())
}

/// The score, or everything for machines.
///
/// Machines are told the backend that it was on, and get nothing else: `json` is both.
pub(super) fn end(
    controls: &[ControlRun],
    rows: &[Row],
    score: &Score,
    json: Option<BackendKind>,
) -> serde_json::Result<()> {
    if let Some(backend) = json {
        say::line(serde_json::to_string_pretty(&as_json(controls, rows, score, backend))?);
        return Ok(());
    }
    // The last lines are what is kept of a long log: they say what is to be looked at.
    controls.iter().filter(|of| !of.control.is_well()).for_each(|of| control(of, false));
    rows.iter().filter(|row| row.verdict.is_open()).for_each(|of| self::row(of, false));
    let paint = Paint::for_stdout();
    let word = format!("{:>12}", "Score");
    let word = if score.exit_code() == 0 { paint.good(&word) } else { paint.bad(&word) };
    say::line(format_args!("{word}  {score}"));
    Ok(())
}

fn as_json(controls: &[ControlRun], rows: &[Row], score: &Score, backend: BackendKind) -> Value {
    let row = |row: &Row| {
        let (red, details) = match &row.verdict {
            Verdict::Killed { red } => (Some(red), Vec::new()),
            Verdict::Survived(lines) | Verdict::Spilled(lines) => (None, lines.clone()),
            Verdict::NotJudged(why) => (None, vec![why.clone()]),
            Verdict::NotCovered(why) => (None, vec![(*why).to_owned()]),
            Verdict::RefusedAtStart => (None, Vec::new()),
        };
        json!({
            "fault": row.fault.id(),
            "title": row.fault.title(),
            "reference": row.fault.reference(),
            "verdict": row.verdict.word(),
            "red_cells": red.map(RedCells::count),
            "red_by_operation": red.map(RedCells::by_operation),
            "details": details,
            "took_ms": row.took.as_millis(),
        })
    };
    let control = |run: &ControlRun| {
        let Control { alarms, doubts, as_predicted } = &run.control;
        let cells = as_predicted + alarms.len() + doubts.len();
        json!({ "cells": cells, "alarms": alarms, "doubts": doubts, "took_ms": run.took.as_millis() })
    };
    json!({
        "tool": evidence::this_tool(),
        "backend": backend,
        "catalogue": catalogue().count(),
        "controls": controls.iter().map(control).collect::<Vec<_>>(),
        "faults": rows.iter().map(row).collect::<Vec<_>>(),
        "killed": score.killed,
        "seeded": score.seeded,
        "not_judged": score.not_judged,
        "not_covered": score.not_covered,
        "false_alarms": score.false_alarms,
        "controls_not_judged": score.controls_not_judged,
        "exit_code": score.exit_code(),
    })
}

/// The catalogue.
pub(super) fn list(faults: &[&Fault], json: bool) -> serde_json::Result<()> {
    if json {
        say::line(serde_json::to_string_pretty(
            &faults.iter().map(|fault| described(fault)).collect::<Vec<_>>(),
        )?);
        return Ok(());
    }
    let paint = Paint::for_stdout();
    for fault in faults {
        say::line(paint.title(fault.id()));
        say::line(format_args!("  {}", fault.title()));
        say::line(format_args!("  {}", paint.dim(fault.reference())));
        say::line(format_args!("  made by   {}", fault.change()));
        for red in reds(fault) {
            say::line(format_args!("  must turn red   {red}"));
        }
        for ground in [Ground::Processes, Ground::Containers] {
            if let Some(why) = fault.not_covered(ground) {
                say::line(format_args!("  not covered on {ground}   {why}"));
            }
        }
    }
    say::line(format_args!("{} faults", faults.len()));
    Ok(())
}

fn reds(fault: &Fault) -> Vec<String> {
    match fault.red() {
        Red::Cells(patterns) => patterns.iter().map(ToString::to_string).collect(),
        Red::RefusesToStart(reason) => vec![format!("nothing: it does not start, saying {reason:?}")],
    }
}

fn described(fault: &Fault) -> Value {
    json!({
        "id": fault.id(),
        "title": fault.title(),
        "reference": fault.reference(),
        "change": fault.change().to_string(),
        "red": reds(fault),
        "may": fault.may().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "not_covered": {
            "processes": fault.not_covered(Ground::Processes),
            "containers": fault.not_covered(Ground::Containers),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use bulkhead_evidence::report::{FaultResult, proof_of};

    use super::*;

    #[test]
    fn a_report_reads_all_that_is_printed() {
        let found = Control {
            alarms: vec!["a cell".to_owned()],
            doubts: vec!["another".to_owned()],
            as_predicted: 5,
        };
        let fault = catalogue().next().unwrap();
        let row = Row { fault, verdict: Verdict::RefusedAtStart, took: Duration::ZERO };
        let score = Score::of([&row.verdict], [&found]);
        let control = ControlRun { control: found, took: Duration::ZERO };
        let printed = as_json(&[control], &[row], &score, BackendKind::Docker).to_string();
        let proof = proof_of(printed.as_bytes()).unwrap();
        assert_eq!((proof.tool, proof.backend), (Some(evidence::this_tool()), Some(BackendKind::Docker)));
        assert_eq!((proof.catalogue, proof.exit_code), (Some(catalogue().count()), 4));
        assert_eq!(
            (proof.controls[0].cells, proof.controls[0].alarms.as_slice()),
            (7, &["a cell".to_owned()][..])
        );
        assert_eq!(proof.faults[0].result, FaultResult::Killed);
    }
}
