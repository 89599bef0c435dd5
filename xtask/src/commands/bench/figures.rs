//! Figures with their spread: a median of several runs, never a single one.

use serde::Serialize;

/// What several runs of one thing gave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// `s`, `ratio`, `certificates/s` or `MiB`.
    pub(crate) unit: &'static str,
    pub(crate) minimum: f64,
    pub(crate) median: f64,
    pub(crate) maximum: f64,
    pub(crate) runs: usize,
    /// What the project promises, where it promises something: `at most 0.3`.
    pub(crate) bound: Option<Bound>,
}

/// What a figure is held against. It is judged on the median, and reported, not enforced:
/// machines are shared and noisy.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    fn describe(self) -> String {
        match self {
            Self::AtMost(limit) => format!("at most {}", short(limit)),
            Self::AtLeast(limit) => format!("at least {}", short(limit)),
        }
    }
}

impl Figure {
    /// Sums up `samples`. None when there are none.
    pub(crate) fn of(name: impl Into<String>, unit: &'static str, samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (minimum, maximum) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted.get(middle - 1)? + sorted.get(middle)?) / 2.0,
            _ => *sorted.get(middle)?,
        };
        Some(Self { name: name.into(), unit, minimum, median, maximum, runs: sorted.len(), bound: None })
    }

    /// Holds the median against `bound`.
    pub(crate) fn held_to(mut self, bound: Bound) -> Self {
        self.bound = Some(bound);
        self
    }

    /// One aligned line for people.
    pub(crate) fn line(&self) -> String {
        let verdict = self.bound.map(|bound| {
            let word = if bound.holds(self.median) { "holds" } else { "MISSED" };
            format!("  {word}: {}", bound.describe())
        });
        format!(
            "  {:<58} {:>9} {:<15} ({} to {}, {} runs){}",
            self.name,
            short(self.median),
            self.unit,
            short(self.minimum),
            short(self.maximum),
            self.runs,
            verdict.unwrap_or_default()
        )
    }
}

/// Three significant digits for small values, none after the point for large ones.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let figure = Figure::of("start", "s", &[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((figure.minimum, figure.median, figure.maximum), (1.0, 2.5, 4.0));
    }

    #[test]
    fn no_sample_is_no_figure() {
        assert!(Figure::of("start", "s", &[]).is_none());
    }

    #[test]
    fn a_missed_bound_is_said_so() {
        let figure = Figure::of("start", "s", &[2.0]).unwrap().held_to(Bound::AtMost(1.0));
        assert!(figure.line().contains("MISSED: at most 1.00"), "{}", figure.line());
    }
}
