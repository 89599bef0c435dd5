//! One line for each fault, and the score.

use std::time::Duration;

use bulkhead_plan::fault::{Fault, Ground, Red, Score, Verdict};
use serde_json::{Value, json};

use super::Row;
use super::seeding::Control;
use crate::paint::Paint;
use crate::say;

/// How many cells of a spill, or reasons, are shown.
const SHOWN: usize = 5;
/// How wide the names of faults are.
const ID_WIDTH: usize = 36;

/// The suite without a fault.
pub(super) fn control(control: &Control, json: bool) {
    if json {
        return;
    }
    let paint = Paint::for_stdout();
    let word = format!("{:>12}", if control.red.is_empty() { "No alarm" } else { "FALSE ALARM" });
    let word = if control.red.is_empty() { paint.good(&word) } else { paint.bad(&word) };
    let name = format!("{:<ID_WIDTH$}", "(no fault)");
    say::line(format_args!(
        "{word}  {name} {:>4} cells as predicted  {}",
        control.cells - control.red.len().min(control.cells),
        time(control.took)
    ));
    details(&control.red, paint);
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
                "{}  {id} {red:>4} red cells           {took}",
                paint.good(&word("Killed"))
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

fn details(lines: &[String], paint: Paint) {
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

fn time(took: Duration) -> String {
    format!("[{:>6.2}s]", took.as_secs_f64())
}

/// The score, or everything for machines.
pub(super) fn end(controls: &[Control], rows: &[Row], score: &Score, json: bool) -> serde_json::Result<()> {
    if json {
        say::line(serde_json::to_string_pretty(&as_json(controls, rows, score))?);
        return Ok(());
    }
    let paint = Paint::for_stdout();
    let word = format!("{:>12}", "Score");
    let word = if score.exit_code() == 0 { paint.good(&word) } else { paint.bad(&word) };
    say::line(format_args!("{word}  {score}"));
    Ok(())
}

fn as_json(controls: &[Control], rows: &[Row], score: &Score) -> Value {
    let row = |row: &Row| {
        let (red, details) = match &row.verdict {
            Verdict::Killed { red } => (Some(*red), Vec::new()),
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
            "red_cells": red,
            "details": details,
            "took_ms": row.took.as_millis(),
        })
    };
    let control = |control: &Control| json!({ "cells": control.cells, "alarms": control.red, "took_ms": control.took.as_millis() });
    json!({
        "controls": controls.iter().map(control).collect::<Vec<_>>(),
        "faults": rows.iter().map(row).collect::<Vec<_>>(),
        "killed": score.killed,
        "seeded": score.seeded,
        "not_judged": score.not_judged,
        "not_covered": score.not_covered,
        "false_alarms": score.false_alarms,
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
