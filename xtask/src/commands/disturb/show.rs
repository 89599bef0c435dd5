//! The figures of each disturbance, and its verdict.

use bulkhead_world::trace::Figures;
use bulkhead_world::verdict::{Judgement, Meanwhile, Row as Flight, Verdict};
use bulkhead_world::{Disturbance, Reach};
use serde_json::{Value, json};

use super::Row;
use crate::paint::Paint;
use crate::say;

/// How many violations, or doubts, are shown of one disturbance.
const SHOWN: usize = 5;
/// How wide what is shown of one tenant on one way is.
const FLIGHT_WIDTH: usize = 34;

/// One disturbance, for people.
pub(super) fn row(disturbance: &Disturbance, row: &Row, json: bool) {
    if json {
        return;
    }
    let paint = Paint::for_stdout();
    let word = format!("{:>12}", row.verdict().word());
    let word = match row.verdict() {
        Verdict::Held => paint.good(&word),
        Verdict::NotCovered => paint.dim(&word),
        Verdict::NotJudged => paint.warning(&word),
        Verdict::Violated => paint.bad(&word),
    };
    say::line(format_args!("{word}  {:<20} {}", disturbance.id, disturbance.title));
    match row {
        Row::Judged(judgement) => judged(disturbance, judgement, paint),
        Row::NotJudged(why) => detail(paint, why),
        Row::NotCovered(why) => detail(paint, why),
    }
}

fn judged(disturbance: &Disturbance, judgement: &Judgement, paint: Paint) {
    judgement.deed.iter().for_each(|line| detail(paint, line));
    let heading = format!(
        "{:<FLIGHT_WIDTH$} {:>6} {:>6} {:>5} {:>5} {:>9} {:>9} {:>9} {:>10}",
        "", "sent", "failed", "lost", "twice", "p50 ms", "p99 ms", "max ms", "well after"
    );
    detail(paint, &heading);
    judgement.rows.iter().for_each(|row| flight(row, paint));
    let bounds = disturbance.bounds;
    detail(
        paint,
        &format!(
            "bounds: {} ms for whoever has no part in it; well again within {} s; nothing crosses (crossed: {}); this program \
         itself was {} ms late at most",
            bounds.delay.as_millis(),
            bounds.recovery.as_secs(),
            judgement.crossings.len(),
            judgement.lateness_ms
        ),
    );
    detail(paint, &matrix(disturbance, judgement));
    list(paint, "VIOLATED", &judgement.violations);
    list(paint, "not judged", &judgement.doubts);
}

/// While the disturbance lasts; what a calm second before it looked like is in the JSON.
fn flight(row: &Flight, paint: Paint) {
    let Figures { sent, failed, lost, doubled, p50_ms, p99_ms, max_ms } = row.during;
    let who = format!("{} {}", row.tenant, row.way);
    let well = row.recovered_ms.map_or_else(|| "never".to_owned(), |ms| format!("{:.2} s", seconds(ms)));
    let line = format!(
        "{who:<FLIGHT_WIDTH$} {sent:>6} {failed:>6} {lost:>5} {doubled:>5} {p50_ms:>9.1} {p99_ms:>9.1} {max_ms:>9.1} \
         {well:>10}{}",
        if row.may_be_hit { "  may be hit" } else { "" }
    );
    say::line(format_args!("{:>12}  {}", "", if row.may_be_hit { paint.dim(&line) } else { line }));
}

fn matrix(disturbance: &Disturbance, judgement: &Judgement) -> String {
    let meanwhile = match &judgement.meanwhile {
        None => "not filled".to_owned(),
        Some(Meanwhile { as_predicted, in_the_way, unjudged, hindered, broken, violated, took }) => format!(
            "{as_predicted} as predicted, {} not judged ({in_the_way} of whom it may hit), {} refused to whom it may \
             hit, {} broken, {} violated, in {:.1} s",
            in_the_way + unjudged.len(),
            hindered.len(),
            broken.len(),
            violated.len(),
            took.as_secs_f64()
        ),
    };
    let green = judgement.afterwards.green_after.map_or_else(
        || "never green again".to_owned(),
        |after| {
            let bound = disturbance.bounds.green.as_secs();
            let runs = judgement.afterwards.runs;
            format!("green {:.1} s after the end (bound {bound} s, filled {runs} times)", after.as_secs_f64())
        },
    );
    format!("matrix meanwhile: {meanwhile}; {green}")
}

fn detail(paint: Paint, line: &str) {
    say::line(format_args!("{:>12}  {}", "", paint.dim(line)));
}

fn list(paint: Paint, what: &str, lines: &[String]) {
    for line in lines.iter().take(SHOWN) {
        detail(paint, &format!("{what}: {line}"));
    }
    if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        detail(paint, &format!("{what}: and {more} more: --json has them all"));
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^52")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// The score, or everything for machines.
pub(super) fn end(rows: &[(&Disturbance, Row)], json: bool) -> serde_json::Result<()> {
    let count = |verdict| rows.iter().filter(|(_, row)| row.verdict() == verdict).count();
    if json {
        let disturbances: Vec<Value> =
            rows.iter().map(|(disturbance, row)| as_json(disturbance, row)).collect();
        say::line(serde_json::to_string_pretty(&disturbances)?);
        return Ok(());
    }
    say::line(format_args!(
        "{:>12}  {} held, {} violated, {} not judged, {} not covered",
        "Summary",
        count(Verdict::Held),
        count(Verdict::Violated),
        count(Verdict::NotJudged),
        count(Verdict::NotCovered)
    ));
    Ok(())
}

fn as_json(disturbance: &Disturbance, row: &Row) -> Value {
    let (judgement, why) = match row {
        Row::Judged(judgement) => (Some(judgement), None),
        Row::NotJudged(why) => (None, Some(why.as_str())),
        Row::NotCovered(why) => (None, Some(*why)),
    };
    json!({
        "disturbance": described(disturbance),
        "verdict": row.verdict(),
        "why": why,
        "judgement": judgement,
    })
}

fn described(disturbance: &Disturbance) -> Value {
    let bounds = disturbance.bounds;
    json!({
        "id": disturbance.id,
        "title": disturbance.title,
        "lasts_ms": disturbance.lasts.as_millis(),
        "may_hit": may_hit(disturbance),
        "delay_bound_ms": bounds.delay.as_millis(),
        "recovery_bound_ms": bounds.recovery.as_millis(),
        "green_bound_ms": bounds.green.as_millis(),
        "not_covered_on_processes": disturbance.not_on_processes,
    })
}

fn may_hit(disturbance: &Disturbance) -> &'static str {
    match disturbance.reach {
        Reach::Everybody => "everybody",
        Reach::OneTenant => "the first tenant alone",
    }
}

/// The catalogue.
pub(super) fn list_all(disturbances: &[&Disturbance], json: bool) -> serde_json::Result<()> {
    if json {
        let all: Vec<Value> = disturbances.iter().map(|disturbance| described(disturbance)).collect();
        say::line(serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    let paint = Paint::for_stdout();
    for disturbance in disturbances {
        let bounds = disturbance.bounds;
        say::line(paint.title(disturbance.id));
        say::line(format_args!("  {}", disturbance.title));
        say::line(format_args!("  lasts      {} s at least", disturbance.lasts.as_secs()));
        say::line(format_args!("  may hit    {}", may_hit(disturbance)));
        say::line(format_args!(
            "  must hold  nobody else waits longer than {} ms or loses anything; nothing crosses; all well again within {} \
             s, and the matrix as predicted within {} s",
            bounds.delay.as_millis(),
            bounds.recovery.as_secs(),
            bounds.green.as_secs()
        ));
        if let Some(why) = disturbance.not_on_processes {
            say::line(format_args!("  not covered on processes   {why}"));
        }
    }
    say::line(format_args!("{} disturbances", disturbances.len()));
    Ok(())
}
