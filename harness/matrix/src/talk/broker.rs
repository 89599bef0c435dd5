//! What somebody asks of the broker itself, and as whom.

use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_plan::access::{BrokerOperation, DenialReason, Operation, Outcome, Who};
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::nats::Headers;
use bulkhead_probe::post::LoginOrder;
use bulkhead_probe::{Nonce, Observation, Sight};
use bulkhead_runtime::probe::verdict::{Door, Judged, between, join, judge_operation};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Stage;
use super::owner::configuration;
use super::talker::{Desk, Talker};
use super::witness::Witnessed;
use crate::site::{NATS, POLLER, Site};

/// More than any tenant may have: an account that takes so many connections has no limit.
const CONNECTIONS_TRIED: usize = 300;
/// More than an account's 256 KB and less than the server's 1 MB.
const LARGE_MESSAGE_BYTES: usize = 300 * 1024;
/// More than a tenant of ours may have in all (64 MiB), and less than the broker has for two of them.
const MORE_THAN_OUR_SHARE_BYTES: u64 = 100 << 20;
const GIBIBYTE: u64 = 1024 * 1024 * 1024;

/// Attempts them, between two proofs that the talker can talk.
pub(super) async fn attempt(stage: &Stage<'_>, desk: &Desk, cells: &[&Cell]) {
    if cells.is_empty() {
        return;
    }
    let talker = match desk.talker(stage).await {
        Ok(talker) => talker,
        Err(why) => return cells.iter().for_each(|cell| stage.site.file_unjudged(cell, why.clone())),
    };
    let before = talker.works(stage).await;
    let mut found = Vec::new();
    for cell in cells {
        let judged = match &cell.operation {
            Operation::ConnectAs { user } => connect_as(stage, desk, user).await,
            Operation::Broker { operation } => ask(stage, desk, &talker, *operation).await,
            _ => Err("it is nothing that the broker is asked".to_owned()),
        };
        found.push((cell, judged.unwrap_or_else(Judged::inconclusive)));
    }
    let after = talker.works(stage).await;
    for (cell, judged) in found {
        // Whoever connects under another's name does so on a connection of its own.
        let judged = match &cell.operation {
            Operation::ConnectAs { .. } => judged,
            _ => talker.session.confirmed(stage.site, judged).await,
        };
        stage.site.file(cell, between(before.clone(), judged, after.clone()));
    }
}

/// Logs in under another's name and does what only that one may.
async fn connect_as(stage: &Stage<'_>, desk: &Desk, user: &PeerName) -> Result<Judged, String> {
    let site = stage.site;
    let probe = site.probe(&desk.from)?;
    let opening = site.opening(probe, &desk.who, &NATS)?;
    let conventions = site.conventions();
    let user_name = Some(conventions.certificate_name(user));
    let login = LoginOrder { user: user_name, ..site.login(opening, &desk.who) };
    let address = site.address(&desk.from, &NATS)?;
    let (seen, session) = probe.login(&address, login).await.map_err(|lost| lost.to_string())?;
    let session = session.ok_or_else(|| format!("the broker is expected to pass over the name: {seen}"))?;
    let session = Witnessed::new(site, session);
    let nonce = Nonce::fresh();
    let Some(tenant) = user.tenant() else {
        let subject = conventions.listen_to_all();
        let heard = session.subscribe(&subject, None).await;
        let evidence = vec![seen.to_string(), heard.to_string()];
        let judged = Judged::new(judge_operation(&heard.sight, &subject), evidence);
        return Ok(session.confirmed(site, judged).await);
    };
    let subject = conventions.results(tenant, &format!("mx-{nonce}"));
    let sent = session.publish(&subject, None, Headers::default(), nonce.as_str()).await;
    let mut outcome = judge_operation(&sent.sight, &subject);
    let mut evidence = vec![seen.to_string(), sent.to_string()];
    if outcome == Outcome::Allowed {
        let heard = stage.owner(tenant)?.has_heard(nonce.as_str()).await?;
        evidence.push(format!("{tenant} has heard it: {heard}"));
        if !heard {
            outcome = Outcome::Denied(DenialReason::OtherAccount);
        }
    }
    Ok(session.confirmed(site, Judged::new(outcome, evidence)).await)
}

async fn ask(
    stage: &Stage<'_>,
    desk: &Desk,
    talker: &Talker,
    operation: BrokerOperation,
) -> Result<Judged, String> {
    let session = &talker.session;
    match operation {
        BrokerOperation::ListenToSystem => listen_to_system(stage, desk, session).await,
        BrokerOperation::AskServers => {
            let subject = "$SYS.REQ.SERVER.PING";
            let asked = session.request(subject, Headers::default(), "").await;
            Ok(judged(&asked, subject))
        }
        BrokerOperation::StepDown => {
            let subject = "$JS.API.META.LEADER.STEPDOWN";
            Ok(judged(&session.api(subject, Headers::default(), "").await, subject))
        }
        BrokerOperation::RemoveServer => {
            let (subject, nobody) = ("$JS.API.SERVER.REMOVE", json!({ "peer": "nobody" }).to_string());
            Ok(judged(&session.api(subject, Headers::default(), &nobody).await, subject))
        }
        BrokerOperation::ReserveTooMuch => {
            // Not while copies are kept: with a stream of somebody else's in the account, the number of streams would be
            // what is refused, and nothing would be known of the storage.
            let _alone = match desk.name.tenant().and_then(|tenant| stage.copying.get(tenant)) {
                Some(lock) => Some(lock.lock().await),
                None => None,
            };
            reserve_too_much(stage, talker).await
        }
        BrokerOperation::PublishTooMuch => {
            let page = stage.site.page(&NATS)?;
            let since = stage.site.book.end(&page);
            let (mut sent, mut subject) = publish_too_much(stage, desk).await?;
            // The broker's word is lost when it ends the connection while the rest of the message is still on its way.
            for _ in 1..stage.site.tries(&page) {
                if !matches!(sent.sight, Sight::Closed(_)) {
                    break;
                }
                (sent, subject) = publish_too_much(stage, desk).await?;
            }
            match sent.sight {
                Sight::Refused(_) | Sight::Closed(_) => {
                    Ok(join(&stage.site.book, Door::Broker, &page, since, &sent).await)
                }
                _ => Ok(judged(&sent, &subject)),
            }
        }
        BrokerOperation::ConnectTooOften => Err("it is tried after everything else".to_owned()),
    }
}

/// On a connection of its own: the broker ends the one on which a message is too large.
async fn publish_too_much(stage: &Stage<'_>, desk: &Desk) -> Result<(Observation<()>, String), String> {
    let other = desk.talker(stage).await?;
    let subject = other.own().map(|(subject, _)| subject.clone()).unwrap_or_default();
    let large = "x".repeat(LARGE_MESSAGE_BYTES);
    Ok((other.session.publish(&subject, None, Headers::default(), &large).await, subject))
}

fn judged<T>(seen: &Observation<T>, subject: &str) -> Judged {
    Judged::new(judge_operation(&seen.sight, subject), vec![seen.to_string()])
}

/// How long the news of a login may take to whoever may hear it: the broker sends it at once.
const NEWS_DEADLINE: Duration = Duration::from_millis(500);
/// Between two looks for it.
const NEWS_POLL: Duration = Duration::from_millis(10);

/// Whoever may listen to system events hears at least its own next login.
async fn listen_to_system(stage: &Stage<'_>, desk: &Desk, session: &Witnessed) -> Result<Judged, String> {
    let subject = "$SYS.>";
    let (report, interest) = session.subscribe(subject, None).await.split();
    let Some(interest) = interest else { return Ok(judged(&report, subject)) };
    let flushed = session.flush().await;
    let (seen, again) = stage.site.log_in(&desk.who, &desk.from).await?;
    if again.is_none() {
        return Err(format!("there was no login to hear of: {seen}"));
    }
    let until = Instant::now() + NEWS_DEADLINE;
    let came = loop {
        let taken = session.take(interest).await;
        let Sight::Answered(delivered) = &taken.sight else { return Err(format!("{flushed}; {taken}")) };
        if !delivered.messages.is_empty() || Instant::now() >= until {
            break delivered.messages.len();
        }
        sleep(NEWS_POLL).await;
    };
    let outcome = match came {
        0 => Outcome::Denied(DenialReason::OtherAccount),
        _ => Outcome::Allowed,
    };
    let told = format!("{came} system events came after {seen}");
    Ok(Judged::new(outcome, vec![report.to_string(), told]))
}

async fn reserve_too_much(stage: &Stage<'_>, talker: &Talker) -> Result<Judged, String> {
    let conventions = stage.site.conventions();
    let large = format!("LARGE_{}", Nonce::fresh());
    let name = talker.name.tenant().map_or(large.clone(), |tenant| conventions.stream(tenant, &large));
    let subject = format!("$JS.API.STREAM.CREATE.{name}");
    let origin = match talker.name.tenant() {
        Some(tenant) => conventions.within(tenant, &format!("large.{large}")),
        None => format!("matrix.large.{large}"),
    };
    // Where a share is known to be small, what is asked for is less than the broker has: else its own limit would refuse it.
    let bytes = if stage.site.platform.own.is_some() { MORE_THAN_OUR_SHARE_BYTES } else { GIBIBYTE };
    let wish = json!({ "subjects": [origin], "storage": "file", "max_bytes": bytes });
    let body = configuration(&name, &wish).to_string();
    let asked = talker.session.api(&subject, Headers::default(), &body).await;
    if let Sight::Answered(_) = &asked.sight {
        let delete = format!("$JS.API.STREAM.DELETE.{name}");
        let _ = talker.session.api(&delete, Headers::default(), "").await;
    }
    Ok(judged(&asked, &subject))
}

/// Opens connections until the broker takes no more, and lets them all go again. Everybody else can still connect meanwhile.
pub(super) async fn connect_too_often(site: &Site, cell: &Cell) {
    let page = match site.page(&NATS) {
        Ok(page) => page,
        Err(why) => return site.file_unjudged(cell, why),
    };
    let mut held = Vec::new();
    let mut found = Judged::inconclusive("no connection was tried");
    let since = site.book.end(&page);
    let mut tries_left = site.tries(&page);
    for number in 1..=CONNECTIONS_TRIED {
        let (seen, session) = match site.log_in(&cell.who, &cell.from).await {
            Ok(attempt) => attempt,
            Err(why) => {
                found = Judged::inconclusive(why);
                break;
            }
        };
        match session {
            Some(session) => {
                held.push(session);
                let told = format!("{number} connections stand at once");
                found = Judged::new(Outcome::Allowed, vec![told]);
            }
            None if matches!(seen.sight, Sight::Closed(_)) && tries_left > 1 => tries_left -= 1,
            None => {
                found = join(&site.book, Door::Broker, &page, since, &seen).await;
                found.evidence.push(format!("{} connections stood at that moment", held.len()));
                break;
            }
        }
    }
    let others = somebody_else_connects(site, cell).await;
    drop(held);
    let after = match others {
        Ok(told) => can_connect_again(site, cell).await.map(|again| format!("{told}; {again}")),
        failed => failed,
    };
    site.file(cell, between(Ok("the first connections stood".to_owned()), found, after));
}

/// How long the broker may take to notice that connections have ended.
const RELEASE_DEADLINE: Duration = Duration::from_secs(3);
/// Between two tries.
const RELEASE_POLL: Duration = Duration::from_millis(10);

/// The share is free again, for the same one: whatever comes next finds it so.
async fn can_connect_again(site: &Site, cell: &Cell) -> Result<String, String> {
    let until = Instant::now() + RELEASE_DEADLINE;
    loop {
        let (seen, session) = site.log_in(&cell.who, &cell.from).await?;
        match session {
            Some(_) => return Ok(seen.to_string()),
            None if Instant::now() >= until => return Err(seen.to_string()),
            None => sleep(RELEASE_POLL).await,
        }
    }
}

/// What one tenant uses up is its own share: somebody of another account is let in meanwhile. Which one does not matter: what
/// others have used up themselves is theirs.
async fn somebody_else_connects(site: &Site, cell: &Cell) -> Result<String, String> {
    let own = match &cell.who {
        Who::Peer(name) => name.tenant().cloned(),
        _ => None,
    };
    let has = |name: &PeerName| site.platform.credentials.contains_key(name);
    let others = site.model().agents().chain([POLLER]).filter(|other| other.tenant() != own.as_ref());
    let mut instead = Vec::new();
    for other in others.filter(has) {
        let from = site.model().home_of(&other);
        let (seen, session) = site.log_in(&Who::Peer(other), &from).await?;
        match session {
            Some(_) => return Ok(seen.to_string()),
            None => instead.push(seen.to_string()),
        }
    }
    match instead.is_empty() {
        true => Err("nobody is known of another account who would show that it is served".to_owned()),
        false => Err(instead.join("; ")),
    }
}
