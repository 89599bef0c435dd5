//! What was seen of the canaries, and the figures that follow from it. Pure: moments are durations since the run began.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A moment of a run: since its beginning.
pub type Moment = Duration;

/// By which way a canary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A message to another connection of the same tenant.
    ToMember,
    /// The same message to the platform's account.
    ToPlatform,
    /// A call of the poller's to the tenant's agent.
    CallAgent,
    /// A call of the tenant's agent to the poller.
    CallPoller,
    /// A message that a stream of the tenant's acknowledges.
    Stored,
}

impl Way {
    /// All of them, as they are shown.
    pub const ALL: [Self; 5] =
        [Self::ToMember, Self::ToPlatform, Self::CallAgent, Self::CallPoller, Self::Stored];
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::ToMember => "message to itself",
            Self::ToPlatform => "message to platform",
            Self::CallAgent => "call to its agent",
            Self::CallPoller => "call to the poller",
            Self::Stored => "stored message",
        })
    }
}

/// One canary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canary {
    /// When it set out.
    pub began: Moment,
    /// Why it did not get on its way: nobody took it, or nobody answered.
    pub failed: Option<String>,
    /// When it arrived: once, if all is well.
    pub arrived: Vec<Moment>,
}

impl Canary {
    /// It was taken, and has arrived.
    pub fn is_well(&self) -> bool {
        self.failed.is_none() && !self.arrived.is_empty()
    }

    fn is_lost(&self) -> bool {
        self.failed.is_none() && self.arrived.is_empty()
    }
}

/// The canaries of one tenant on one way, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flock {
    canaries: BTreeMap<u64, Canary>,
}

impl Flock {
    /// One sets out.
    pub fn began(&mut self, number: u64, at: Moment) {
        self.canaries.insert(number, Canary { began: at, ..Canary::default() });
    }

    /// It did not get on its way.
    pub fn failed(&mut self, number: u64, why: impl Into<String>) {
        if let Some(canary) = self.canaries.get_mut(&number) {
            canary.failed = Some(why.into());
        }
    }

    /// It arrived. Says whether it is one of these at all.
    pub fn arrived(&mut self, number: u64, at: Moment) -> bool {
        let canary = self.canaries.get_mut(&number);
        let known = canary.is_some();
        if let Some(canary) = canary {
            canary.arrived.push(at);
        }
        known
    }

    /// Whether all that were taken have arrived.
    pub fn is_home(&self) -> bool {
        self.canaries.values().all(|canary| !canary.is_lost())
    }

    /// How many canaries have arrived, whatever was seen when they set out.
    pub fn count_arrived(&self) -> usize {
        self.canaries.values().filter(|canary| !canary.arrived.is_empty()).count()
    }

    /// The first few reasons why canaries failed that set out in a time, each once.
    pub fn reasons(&self, during: &Span, most: usize) -> Vec<&str> {
        let mut reasons: Vec<&str> = Vec::new();
        for canary in self.during(during) {
            if let Some(why) = canary.failed.as_deref()
                && !reasons.contains(&why)
                && reasons.len() < most
            {
                reasons.push(why);
            }
        }
        reasons
    }

    fn during(&self, span: &Span) -> impl Iterator<Item = &Canary> {
        let (from, to) = (span.from, span.to);
        self.canaries.values().filter(move |canary| canary.began >= from && canary.began < to)
    }

    /// How long after `end` it took until the canaries were well again, for good; nothing when they are not.
    pub fn recovered_after(&self, end: Moment) -> Option<Duration> {
        let last_ill =
            self.canaries.values().filter(|canary| !canary.is_well()).map(|canary| canary.began).max();
        let well_again = |canary: &&Canary| {
            canary.is_well() && canary.began >= end && last_ill.is_none_or(|ill| canary.began > ill)
        };
        let first = self.canaries.values().find(well_again)?;
        match last_ill {
            // One that set out before the end and came to grief counts until the next one arrives.
            Some(_) => first.arrived.first().map(|at| at.saturating_sub(end)),
            None => Some(Duration::ZERO),
        }
    }
}

/// From a moment, up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment of it.
    pub from: Moment,
    /// The first moment after it.
    pub to: Moment,
}

/// The canaries of one tenant on one way in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// How many set out.
    pub sent: usize,
    /// How many nobody took, or answered.
    pub failed: usize,
    /// How many were taken and never arrived.
    pub lost: usize,
    /// How many arrived more than once.
    pub doubled: usize,
    /// Half of those that arrived took no longer, in milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred took no longer.
    pub p99_ms: f64,
    /// None took longer.
    pub max_ms: f64,
}

impl Figures {
    /// Of those canaries that set out in a time.
    pub fn of(flock: &Flock, during: &Span) -> Self {
        let mut delays: Vec<Duration> = Vec::new();
        let mut figures = Self::default();
        for canary in flock.during(during) {
            figures.sent += 1;
            figures.failed += usize::from(canary.failed.is_some());
            figures.lost += usize::from(canary.is_lost());
            figures.doubled += usize::from(canary.arrived.len() > 1);
            if let Some(first) = canary.arrived.first() {
                delays.push(first.saturating_sub(canary.began));
            }
        }
        delays.sort_unstable();
        let at = |hundredths: usize| {
            let place = (delays.len() * hundredths).div_ceil(100).saturating_sub(1);
            delays.get(place).map_or(0.0, |delay| delay.as_secs_f64() * 1000.0)
        };
        Self { p50_ms: at(50), p99_ms: at(99), max_ms: at(100), ..figures }
    }
}

/// A canary that somebody heard who must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Crossing {
    /// Whose it was, as it says itself.
    pub of: String,
    /// Who heard it.
    pub heard_by: String,
    /// On which subject, and what it said.
    pub message: String,
}

/// Everything that was seen of all canaries.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// By tenant and way.
    pub flocks: BTreeMap<(String, Way), Flock>,
    /// What crossed between tenants.
    pub crossings: Vec<Crossing>,
    /// By how much this program itself was late, whenever it wanted to do something: delays up to that are the machine's.
    pub lateness: Vec<(Moment, Duration)>,
}

impl Trace {
    /// A flock; made when it is not there.
    pub fn flock(&mut self, tenant: &str, way: Way) -> &mut Flock {
        self.flocks.entry((tenant.to_owned(), way)).or_default()
    }

    /// By how much this program was late at most in a time.
    pub fn lateness(&self, during: &Span) -> Duration {
        let then = self.lateness.iter().filter(|(at, _)| *at >= during.from && *at < during.to);
        then.map(|(_, late)| *late).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(number: u64) -> Moment {
        Duration::from_millis(number)
    }

    const ALWAYS: Span = Span { from: Duration::ZERO, to: Duration::MAX };

    /// Ten canaries, one every 20 ms, each 3 ms on its way.
    fn flock() -> Flock {
        let mut flock = Flock::default();
        for number in 0..10 {
            flock.began(number, ms(number * 20));
            flock.arrived(number, ms(number * 20 + 3));
        }
        flock
    }

    #[test]
    fn well_canaries_are_counted_and_measured() {
        let figures = Figures::of(&flock(), &ALWAYS);
        assert_eq!((figures.sent, figures.failed, figures.lost, figures.doubled), (10, 0, 0, 0));
        assert_eq!((figures.p50_ms, figures.p99_ms, figures.max_ms), (3.0, 3.0, 3.0));
        assert_eq!(Figures::of(&flock(), &Span { from: ms(20), to: ms(60) }).sent, 2);
        assert_eq!(flock().recovered_after(ms(50)), Some(Duration::ZERO));
    }

    #[test]
    fn a_lost_one_a_failed_one_a_doubled_one_and_a_late_one_are_told_apart() {
        let mut flock = flock();
        flock.began(3, ms(60));
        flock.began(4, ms(80));
        flock.failed(4, "no answer");
        flock.arrived(5, ms(110));
        flock.began(6, ms(120));
        flock.arrived(6, ms(900));
        let figures = Figures::of(&flock, &ALWAYS);
        assert_eq!((figures.sent, figures.failed, figures.lost, figures.doubled), (10, 1, 1, 1));
        assert_eq!((figures.p50_ms, figures.max_ms), (3.0, 780.0));
        assert!(!flock.is_home());
        assert_eq!(flock.reasons(&ALWAYS, 3), ["no answer"]);
    }

    #[test]
    fn what_nobody_ever_sent_is_not_taken_in() {
        assert!(!flock().arrived(4711, ms(1)));
    }

    #[test]
    fn recovery_counts_until_the_next_one_arrives_and_never_comes_by_silence() {
        let mut flock = flock();
        flock.failed(4, "no answer");
        assert_eq!(flock.recovered_after(ms(70)), Some(ms(33)), "the next one set out at 100");
        flock.failed(9, "no answer");
        assert_eq!(flock.recovered_after(ms(70)), None, "the last one is ill");
        assert_eq!(Flock::default().recovered_after(ms(0)), None, "nobody was seen at all");
    }

    #[test]
    fn half_of_two_is_the_first() {
        let mut flock = Flock::default();
        for (number, delay) in [(0, 10), (1, 30)] {
            flock.began(number, ms(0));
            flock.arrived(number, ms(delay));
        }
        let figures = Figures::of(&flock, &ALWAYS);
        assert_eq!((figures.p50_ms, figures.p99_ms, figures.max_ms), (10.0, 30.0, 30.0));
    }

    #[test]
    fn lateness_is_the_worst_of_its_time() {
        let trace =
            Trace { lateness: vec![(ms(10), ms(1)), (ms(20), ms(400)), (ms(30), ms(2))], ..Trace::default() };
        assert_eq!(trace.lateness(&Span { from: ms(0), to: ms(20) }), ms(1));
        assert_eq!(trace.lateness(&ALWAYS), ms(400));
    }
}
