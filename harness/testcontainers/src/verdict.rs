//! From what was seen to what a test asserts. Only a word of the other side counts: silence, a closed connection and a
//! server that is not there are neither an allowance nor a denial.

use bulkhead_runtime::probe::{Observation, Refusal, Sight};

/// An attempt did not end as the test says that it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} was expected, and this was seen: {seen}")]
pub struct Unexpected {
    /// What the test wanted: `an answer` or `an explicit refusal`.
    pub wanted: &'static str,
    /// The attempt and what came of it.
    pub seen: String,
}

/// Says what an attempt must have ended with.
pub trait Verdict<T> {
    /// It was carried out; this came back.
    ///
    /// # Errors
    /// For everything but an answer.
    fn allowed(self) -> Result<T, Unexpected>;

    /// The other side refused in its own words; these are the words.
    ///
    /// # Errors
    /// For everything but an explicit refusal: an answer, but also silence and a connection that ended.
    fn refused(self) -> Result<Refusal, Unexpected>;
}

impl<T> Verdict<T> for Observation<T> {
    fn allowed(self) -> Result<T, Unexpected> {
        let seen = self.to_string();
        self.sight.ok::<()>().map_err(|_| Unexpected { wanted: "an answer", seen })
    }

    fn refused(self) -> Result<Refusal, Unexpected> {
        let seen = self.to_string();
        match self.sight {
            Sight::Refused(refusal) => Ok(refusal),
            _ => Err(Unexpected { wanted: "an explicit refusal", seen }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn seen(sight: Sight<()>) -> Observation<()> {
        bulkhead_runtime::probe::Stopwatch::start("publish on acme.x as globex").stop(sight, None)
    }

    #[test]
    fn only_an_answer_is_an_allowance_and_only_a_word_is_a_refusal() {
        let refusal = Refusal::Broker("Permissions Violation".to_owned());
        assert_eq!(seen(Sight::Answered(())).allowed(), Ok(()));
        assert_eq!(seen(Sight::Refused(refusal.clone())).refused(), Ok(refusal.clone()));
        for sight in [
            || Sight::Silence(Duration::from_secs(3)),
            || Sight::Closed("reset".to_owned()),
            || Sight::Unreachable("connection refused".to_owned()),
            || Sight::NotMade("no key".to_owned()),
        ] {
            assert!(seen(sight()).allowed().is_err(), "{}", sight());
            assert!(seen(sight()).refused().is_err(), "{}", sight());
        }
        assert!(seen(Sight::Refused(refusal)).allowed().is_err());
    }

    #[test]
    fn says_what_was_wanted_and_what_was_seen() {
        let error = seen(Sight::Answered(())).refused().unwrap_err().to_string();
        assert!(error.starts_with("an explicit refusal was expected"), "{error}");
        assert!(error.contains("publish on acme.x as globex: answered"), "{error}");
    }
}
