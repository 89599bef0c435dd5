//! What a disturbance came to. Pure: everything follows from what was observed.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::disturbance::{Disturbance, Reach};
use crate::trace::{Crossing, Figures, Span, Trace, Way};

/// How many reasons are given where canaries failed.
const SHOWN_REASONS: usize = 2;

/// What was observed of one disturbance.
#[derive(Debug)]
pub struct Observed {
    /// The tenants; the first is the one that disturbs, or is disturbed.
    pub tenants: Vec<String>,
    /// The canaries.
    pub trace: Trace,
    /// Before anything was done.
    pub calm: Span,
    /// While it was done.
    pub during: Span,
    /// What was done, in words; or why it could not be done.
    pub deed: Result<Vec<String>, String>,
    /// What of that is not as it must be.
    pub wrong: Vec<String>,
    /// The matrix that was filled meanwhile; or why there is none.
    pub meanwhile: Result<Meanwhile, String>,
    /// The matrix afterwards.
    pub afterwards: Afterwards,
    /// What streams acknowledged and what they hold, by tenant.
    pub kept: Vec<Kept>,
}

/// The matrix that was filled while the disturbance lasted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Meanwhile {
    /// Cells as predicted.
    pub as_predicted: usize,
    /// Cells that could not be judged and concern somebody whom the disturbance may hit.
    pub in_the_way: usize,
    /// Cells that could not be judged and concern nobody whom it may hit.
    pub unjudged: Vec<String>,
    /// Accesses of those whom it may hit that are valid and were refused.
    pub hindered: Vec<String>,
    /// Accesses of others that are valid and were refused.
    pub broken: Vec<String>,
    /// Accesses that must not be possible, and were.
    pub violated: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// The matrix after the disturbance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Afterwards {
    /// How long after the end the whole matrix was as predicted; nothing when it never was.
    pub green_after: Option<Duration>,
    /// How many times it was filled.
    pub runs: usize,
    /// What was not as predicted in the last of them.
    pub red: Vec<String>,
    /// What was not as predicted in those before it.
    pub earlier: Vec<String>,
    /// Accesses that were possible and must not be, in any of them.
    pub violated: Vec<String>,
}

/// What one tenant's stream acknowledged, and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Whose.
    pub tenant: String,
    /// How many it acknowledged.
    pub acknowledged: usize,
    /// How many it holds; nothing when it does not say.
    pub holds: Option<usize>,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything held that must.
    Held,
    /// This backend cannot show it.
    NotCovered,
    /// Something was in the way of judging.
    NotJudged,
    /// Somebody who has no part in it lost something, or heard what is another's.
    Violated,
}

impl Verdict {
    /// As it is shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "Held",
            Self::NotCovered => "NOT COVERED",
            Self::NotJudged => "Not judged",
            Self::Violated => "VIOLATED",
        }
    }

    /// The exit code of a run of which this is the worst verdict: 0, 4 or 5.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Held | Self::NotCovered => bulkhead_runtime::exit_code::WELL,
            Self::NotJudged => bulkhead_runtime::exit_code::NOT_JUDGED,
            Self::Violated => bulkhead_runtime::exit_code::ISOLATION_VIOLATED,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// The figures of one tenant on one way.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Whose canaries.
    pub tenant: String,
    /// By which way.
    pub way: Way,
    /// Whether the disturbance may hit them.
    pub may_be_hit: bool,
    /// Before it.
    pub calm: Figures,
    /// While it lasted.
    pub during: Figures,
    /// From its end to the end of the run.
    pub after: Figures,
    /// How long after its end they were well again, in milliseconds; nothing when they were not.
    pub recovered_ms: Option<u64>,
}

/// A verdict and everything that it follows from.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What must not be.
    pub violations: Vec<String>,
    /// What was in the way of judging.
    pub doubts: Vec<String>,
    /// What was done, in words.
    pub deed: Vec<String>,
    /// For how long, in milliseconds.
    pub lasted_ms: u64,
    /// How late this program itself was at most, in milliseconds.
    pub lateness_ms: u64,
    /// The canaries in figures.
    pub rows: Vec<Row>,
    /// What crossed between tenants.
    pub crossings: Vec<Crossing>,
    /// The matrix meanwhile.
    pub meanwhile: Option<Meanwhile>,
    /// The matrix afterwards.
    pub afterwards: Afterwards,
    /// What streams acknowledged and hold.
    pub kept: Vec<Kept>,
}

/// Judges what was observed of a disturbance.
pub fn judge(disturbance: &Disturbance, observed: Observed) -> Judgement {
    let mut court = Court { disturbance, observed: &observed, violations: Vec::new(), doubts: Vec::new() };
    court.canaries();
    court.deed();
    court.matrix();
    let Court { violations, doubts, .. } = court;
    let verdict = match (violations.is_empty(), doubts.is_empty()) {
        (false, _) => Verdict::Violated,
        (true, false) => Verdict::NotJudged,
        (true, true) => Verdict::Held,
    };
    let rows = rows(disturbance, &observed);
    let lateness = observed.trace.lateness(&Span { from: observed.during.from, to: Duration::MAX });
    Judgement {
        verdict,
        violations,
        doubts,
        deed: observed.deed.unwrap_or_default(),
        lasted_ms: millis(observed.during.to.saturating_sub(observed.during.from)),
        lateness_ms: millis(lateness),
        rows,
        crossings: observed.trace.crossings,
        meanwhile: observed.meanwhile.ok(),
        afterwards: observed.afterwards,
        kept: observed.kept,
    }
}

struct Court<'a> {
    disturbance: &'a Disturbance,
    observed: &'a Observed,
    violations: Vec<String>,
    doubts: Vec<String>,
}

impl Court<'_> {
    fn canaries(&mut self) {
        let trace = &self.observed.trace;
        for Crossing { of, heard_by, message } in &trace.crossings {
            self.violations.push(format!("{heard_by} has heard a canary of {of}: {message}"));
        }
        let always = Span { from: Duration::ZERO, to: Duration::MAX };
        for tenant in &self.observed.tenants {
            for way in Way::ALL {
                let Some(flock) = trace.flocks.get(&(tenant.clone(), way)) else {
                    self.doubts.push(format!("{tenant} has no canary on its way: {way}"));
                    continue;
                };
                let doubled = Figures::of(flock, &always).doubled;
                if doubled > 0 {
                    self.violations.push(format!("{tenant}, {way}: {doubled} arrived more than once"));
                }
                self.calm(tenant, way);
                if may_be_hit(self.disturbance, self.observed, tenant) {
                    self.recovery(tenant, way);
                } else {
                    self.unharmed(tenant, way);
                }
            }
        }
        for Kept { tenant, acknowledged, holds } in &self.observed.kept {
            match holds {
                Some(holds) if holds >= acknowledged => {}
                Some(holds) => self.violations.push(format!(
                    "{tenant}'s stream acknowledged {acknowledged} messages and holds {holds}"
                )),
                None => self.doubts.push(format!("{tenant}'s stream does not say what it holds")),
            }
        }
    }

    /// Whoever is in trouble before anything was done says nothing about the disturbance.
    fn calm(&mut self, tenant: &str, way: Way) {
        let Some(flock) = self.observed.trace.flocks.get(&(tenant.to_owned(), way)) else { return };
        let calm = Figures::of(flock, &self.observed.calm);
        let why = match calm {
            Figures { sent: 0, .. } => "nothing set out",
            Figures { failed: 1.., .. } => "some failed",
            Figures { lost: 1.., .. } => "some were lost",
            Figures { max_ms, .. } if max_ms > self.bound_ms() => "some were too late",
            _ => return,
        };
        self.doubts.push(format!("{tenant}, {way}: {why} before anything was disturbed"));
    }

    /// Nothing is lost, nothing fails, nothing is late; from the beginning to the end of the run.
    fn unharmed(&mut self, tenant: &str, way: Way) {
        let Some(flock) = self.observed.trace.flocks.get(&(tenant.to_owned(), way)) else { return };
        let since = Span { from: self.observed.during.from, to: Duration::MAX };
        let figures = Figures::of(flock, &since);
        if Figures::of(flock, &self.observed.during).sent == 0 {
            self.doubts.push(format!("{tenant}, {way}: nothing set out during the disturbance"));
        }
        if figures.lost > 0 {
            self.violations.push(format!("{tenant}, {way}: {} of {} were lost", figures.lost, figures.sent));
        }
        // What nobody answered within the probe's own limit, while this program could hardly keep up itself, is the machine's.
        let too_slow_a_machine = self.observed.trace.lateness(&since) * 2 > self.disturbance.bounds.delay;
        let list = if too_slow_a_machine { &mut self.doubts } else { &mut self.violations };
        if figures.failed > 0 {
            let reasons = flock.reasons(&since, SHOWN_REASONS).join("; ");
            let (failed, sent) = (figures.failed, figures.sent);
            list.push(format!("{tenant}, {way}: {failed} of {sent} failed: {reasons}"));
        }
        let bound = self.disturbance.bounds.delay.as_secs_f64() * 1000.0;
        if figures.max_ms > bound {
            list.push(format!(
                "{tenant}, {way}: one took {:.0} ms, and {bound:.0} are the bound",
                figures.max_ms
            ));
        }
    }

    /// All is well again soon after the end.
    fn recovery(&mut self, tenant: &str, way: Way) {
        let Some(flock) = self.observed.trace.flocks.get(&(tenant.to_owned(), way)) else { return };
        let bound = self.disturbance.bounds.recovery;
        let afterwards = Span { from: self.observed.during.to, to: Duration::MAX };
        if Figures::of(flock, &afterwards).sent == 0 {
            // Silence is neither well nor ill.
            self.doubts.push(format!("{tenant}, {way}: nothing set out after the end"));
            return;
        }
        match flock.recovered_after(self.observed.during.to) {
            Some(after) if after <= bound => {}
            Some(after) => self.violations.push(format!(
                "{tenant}, {way}: in trouble until {:.1} s after the end, and {:.0} s are the bound",
                after.as_secs_f64(),
                bound.as_secs_f64()
            )),
            None => self.violations.push(format!("{tenant}, {way}: not well again by the end of the run")),
        }
    }

    fn deed(&mut self) {
        if let Err(why) = &self.observed.deed {
            self.doubts.push(format!("it could not be done: {why}"));
        }
        self.violations.extend(self.observed.wrong.iter().cloned());
    }

    fn matrix(&mut self) {
        match &self.observed.meanwhile {
            Ok(meanwhile) => {
                let said = |cells: &[String], list: &mut Vec<String>, what: &str| {
                    list.extend(cells.iter().map(|cell| format!("the matrix meanwhile, {what}: {cell}")));
                };
                said(&meanwhile.violated, &mut self.violations, "violated");
                said(&meanwhile.broken, &mut self.violations, "broken");
                said(&meanwhile.unjudged, &mut self.doubts, "not judged though nothing was in the way");
            }
            Err(why) => self.doubts.push(format!("the matrix was not filled meanwhile: {why}")),
        }
        let Afterwards { green_after, red, violated, .. } = &self.observed.afterwards;
        let bound = self.disturbance.bounds.green;
        self.violations
            .extend(violated.iter().map(|cell| format!("the matrix afterwards, violated: {cell}")));
        match green_after {
            Some(after) if *after <= bound => {}
            Some(after) => self.violations.push(format!(
                "the matrix is green {:.0} s after the end, and {:.0} s are the bound",
                after.as_secs_f64(),
                bound.as_secs_f64()
            )),
            None => {
                let first = red.first().map_or("it was not filled", String::as_str);
                let what = format!("the matrix is not green again, with {} cells: {first}", red.len());
                self.violations.push(what);
            }
        }
    }

    fn bound_ms(&self) -> f64 {
        self.disturbance.bounds.delay.as_secs_f64() * 1000.0
    }
}

fn may_be_hit(disturbance: &Disturbance, observed: &Observed, tenant: &str) -> bool {
    disturbance.reach == Reach::Everybody || observed.tenants.first().is_some_and(|first| first == tenant)
}

fn rows(disturbance: &Disturbance, observed: &Observed) -> Vec<Row> {
    let mut rows = Vec::new();
    for tenant in &observed.tenants {
        for way in Way::ALL {
            let Some(flock) = observed.trace.flocks.get(&(tenant.clone(), way)) else { continue };
            let end = observed.during.to;
            rows.push(Row {
                tenant: tenant.clone(),
                way,
                may_be_hit: may_be_hit(disturbance, observed, tenant),
                calm: Figures::of(flock, &observed.calm),
                during: Figures::of(flock, &observed.during),
                after: Figures::of(flock, &Span { from: end, to: Duration::MAX }),
                recovered_ms: flock.recovered_after(end).map(millis),
            });
        }
    }
    rows
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
