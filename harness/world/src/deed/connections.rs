//! A tenant that takes every connection that it may have.

use std::time::Duration;

use super::broker::Member;
use super::{Done, Ground};
use crate::stage::answered;

/// More than any tenant may have: an account that takes so many has no limit.
const TRIED: usize = 300;
/// Between two tries while all are taken.
const AGAIN: Duration = Duration::from_millis(20);

/// Logs in until the broker refuses, holds all connections, and goes on asking for more.
pub(super) async fn take(ground: &mut Ground<'_>) -> Result<Done, String> {
    let member = Member::of(ground)?;
    let (mut held, mut refused, mut done) = (Vec::new(), 0_usize, Done::default());
    let mut last_refusal = String::new();
    // However long it takes: as long as nothing was refused, it is not known whether anything ever would be.
    while !ground.over.is_cancelled() || refused == 0 {
        match answered(member.log_in().await) {
            Ok(session) => held.push(session),
            Err(why) => {
                refused += 1;
                last_refusal = why;
                if !ground.pause(AGAIN).await {
                    break;
                }
            }
        }
        if held.len() >= TRIED {
            done.wrong.push(format!("{TRIED} connections of one tenant stand at once: there is no limit"));
            break;
        }
    }
    let held = held.len();
    done.said.push(format!("{held} connections held, {refused} more refused: {last_refusal}"));
    Ok(done)
}
