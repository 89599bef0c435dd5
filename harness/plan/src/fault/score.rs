//! What came of every fault, and what the suite is worth.

use std::fmt;

use super::{Control, Fault, Judgement, Red, RedCells};
use crate::access::Conclusion;

/// What came of seeding one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The suite noticed it, in the cells that are named for it and no others.
    Killed {
        /// Which cells were red.
        red: RedCells,
    },
    /// The platform itself did not start with it, for the reason that is named for it.
    RefusedAtStart,
    /// Nobody noticed it, or not where it should be noticed: what was to be red.
    Survived(Vec<String>),
    /// It was noticed, and so was what it has nothing to do with: these cells.
    Spilled(Vec<String>),
    /// The environment could not be judged, and why.
    NotJudged(String),
    /// It cannot be shown here, and why.
    NotCovered(&'static str),
}

impl Verdict {
    /// Of an environment that started and was judged.
    pub fn of(fault: &Fault, judgement: &Judgement) -> Self {
        if let Red::RefusesToStart(reason) = fault.red() {
            return Self::Survived(vec![format!("it started, and was to refuse: {reason}")]);
        }
        if judgement.is_killed() {
            return Self::Killed { red: judgement.red.clone() };
        }
        match judgement.survivors.as_slice() {
            [] => Self::Spilled(judgement.spills.iter().map(|spill| spill.text.clone()).collect()),
            survivors => Self::Survived(survivors.iter().map(ToString::to_string).collect()),
        }
    }

    /// Of an environment that did not start.
    pub fn of_failed_start(fault: &Fault, reason: &str) -> Self {
        match fault.red() {
            Red::RefusesToStart(expected) if reason.contains(expected) => Self::RefusedAtStart,
            _ => Self::NotJudged(format!("it did not start: {reason}")),
        }
    }

    /// Whether the suite, or the platform itself, noticed it as it should.
    pub fn is_killed(&self) -> bool {
        matches!(self, Self::Killed { .. } | Self::RefusedAtStart)
    }

    /// Whether it is a gap in the suite, or may be one.
    pub fn is_open(&self) -> bool {
        !self.is_killed() && !matches!(self, Self::NotCovered(_))
    }

    /// The stable word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Killed { .. } => "killed",
            Self::RefusedAtStart => "refused-at-start",
            Self::Survived(_) => "survived",
            Self::Spilled(_) => "spilled",
            Self::NotJudged(_) => "not-judged",
            Self::NotCovered(_) => "not-covered",
        }
    }

    /// How bad it is; of several runs of one fault the worst counts.
    pub const fn badness(&self) -> u8 {
        match self {
            Self::NotCovered(_) => 0,
            Self::Killed { .. } | Self::RefusedAtStart => 1,
            Self::NotJudged(_) => 2,
            Self::Spilled(_) => 3,
            Self::Survived(_) => 4,
        }
    }
}

/// What the suite is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Faults that were seeded.
    pub seeded: usize,
    /// Those that were noticed, each in its own cells.
    pub killed: usize,
    /// Those that could not be judged.
    pub not_judged: usize,
    /// Those that cannot be shown here.
    pub not_covered: usize,
    /// What was violated or broken without any fault.
    pub false_alarms: usize,
    /// Runs without any fault that could not be judged whole.
    pub controls_not_judged: usize,
}

impl Score {
    /// Counts.
    pub fn of<'a>(
        verdicts: impl IntoIterator<Item = &'a Verdict>,
        controls: impl IntoIterator<Item = &'a Control>,
    ) -> Self {
        let mut score = Self::default();
        for control in controls {
            score.false_alarms += control.alarms.len();
            score.controls_not_judged += usize::from(!control.doubts.is_empty());
        }
        for verdict in verdicts {
            match verdict {
                Verdict::NotCovered(_) => score.not_covered += 1,
                other => {
                    score.seeded += 1;
                    score.killed += usize::from(other.is_killed());
                    score.not_judged += usize::from(matches!(other, Verdict::NotJudged(_)));
                }
            }
        }
        score
    }

    /// The process's exit code: 0 when every fault was noticed and nothing else was; 4 when the suite cannot be trusted; 5 when a
    /// faulty environment could not be judged, or none was, or the one without a fault could not.
    pub fn exit_code(&self) -> u8 {
        let escaped = self.seeded - self.killed - self.not_judged;
        let worst = if escaped > 0 || self.false_alarms > 0 {
            Some(Conclusion::Violated)
        } else if self.not_judged > 0 || self.controls_not_judged > 0 || self.seeded == 0 {
            Some(Conclusion::Inconclusive)
        } else {
            Some(Conclusion::Passed)
        };
        Conclusion::exit_code(worst)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeded, killed, false_alarms, controls_not_judged, not_judged, not_covered } = self;
        write!(formatter, "{killed}/{seeded} killed, {false_alarms} false alarms")?;
        if *controls_not_judged > 0 {
            write!(formatter, ", {controls_not_judged} without a fault not judged")?;
        }
        if *not_judged > 0 {
            write!(formatter, ", {not_judged} not judged")?;
        }
        if *not_covered > 0 {
            write!(formatter, ", {not_covered} not covered here")?;
        }
        Ok(())
    }
}
