//! Taking messages away from a member of a queue group.

use bulkhead_plan::access::{DenialReason, Outcome};
use bulkhead_probe::nats::{Delivered, Headers};
use bulkhead_probe::{Observation, Sight};
use bulkhead_runtime::probe::verdict::Judged;

use super::Round;
use crate::talk::owner::must;

/// The group that the owner works in. Everybody may know it.
const GROUP: &str = "workers";
/// How many messages are said at most. Of two members the broker picks one each time by chance: that one of them is never
/// picked is as good as impossible.
const MESSAGES: usize = 32;

impl Round<'_> {
    /// Whoever attacks joins the group in which the owner works, on the same subject. The owner says one thing after the other,
    /// until the other is given one.
    pub(super) async fn join_queue(&self) -> Result<Judged, String> {
        let subject = self.results();
        let joined = self.talker.session.subscribe(&subject, Some(GROUP)).await;
        let Sight::Answered(interest) = joined.sight else {
            // Nobody else is in the group yet, so that it would be given the first message already.
            self.owner.says(&subject, self.nonce.as_str()).await?;
            return self.overheard(&subject, joined).await;
        };
        let worker = self.owner.session.subscribe(&subject, Some(GROUP)).await;
        must(&worker, || format!("{} cannot work in its own group", self.owner.tenant))?;
        let (_, Some(worker)) = worker.split() else { return Err("nobody works".to_owned()) };
        let (mut said, mut kept, mut given) = (0, 0, 0);
        while said < MESSAGES && given == 0 {
            let nonce = self.nonce.as_str();
            let sent = self.owner.session.publish(&subject, None, Headers::default(), nonce).await;
            must(&sent, || format!("{} cannot publish on {subject}", self.owner.tenant))?;
            said += 1;
            kept += count(&self.owner.session.take(worker).await)?;
            let flushed = self.talker.session.flush().await;
            must(&flushed, || format!("{} can no longer hear", self.talker.name))?;
            given += count(&self.talker.session.take(interest).await)?;
        }
        let told = format!(
            "of {said} messages {} was given {kept} in the group {GROUP}, and {} {given}",
            self.owner.tenant, self.talker.name
        );
        Ok(Judged::new(taken_away(said, kept, given), vec![joined.to_string(), told]))
    }
}

/// How many messages have come since the last time.
fn count(taken: &Observation<Delivered>) -> Result<usize, String> {
    match &taken.sight {
        Sight::Answered(Delivered { messages, let_go: 0 }) => Ok(messages.len()),
        _ => Err(format!("it cannot be counted what came: {taken}")),
    }
}

/// Allowed as soon as somebody was given one, or the group's own member was not given one.
fn taken_away(said: usize, kept: usize, given: usize) -> Outcome {
    match given == 0 && kept == said {
        true => Outcome::Denied(DenialReason::OtherAccount),
        false => Outcome::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_member_is_not_given_was_taken_away() {
        assert_eq!(taken_away(32, 32, 0), Outcome::Denied(DenialReason::OtherAccount));
        // In its place, beside it, or by somebody who does not say so.
        for (said, kept, given) in [(2, 1, 1), (1, 1, 1), (32, 31, 0)] {
            assert_eq!(taken_away(said, kept, given), Outcome::Allowed, "{said} {kept} {given}");
        }
    }
}
