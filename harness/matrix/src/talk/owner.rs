//! Whoever is acted upon: a tenant that listens to its own, and keeps a stream with a consumer, and two buckets.

use std::collections::VecDeque;

use bulkhead_identity::{PeerName, TenantSlug};
use bulkhead_plan::access::Who;
use bulkhead_plan::foreign::{AccountKind, Conventions};
use bulkhead_plan::matrix::{Copied, Kept};
use bulkhead_probe::nats::{Delivered, Headers, Interest};
use bulkhead_probe::post::RemoteSession;
use bulkhead_probe::{Nonce, Observation, Refusal, Sight};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::consumers::Consumer;
use crate::site::Site;

/// The reservation of one stream. Tenants have a megabyte of memory for streams in all.
pub(super) const STREAM_BYTES_MAX: u64 = 16 * 1024;
/// After how long the broker removes a consumer that nobody uses: long after an attempt, on a busy machine too, so that none is
/// gone in the middle of one; soon enough that a run that was cut short leaves none behind. In nanoseconds.
pub(super) const UNUSED_LIMIT_NS: u64 = 30_000_000_000;
/// How many notes an owner keeps.
pub(super) const NOTES: u64 = 3;

/// A tenant on stage.
pub(crate) struct Owner {
    pub(crate) tenant: TenantSlug,
    pub(crate) agent: PeerName,
    pub(crate) session: RemoteSession,
    /// Everything below its own prefix.
    own: Interest,
    /// The answers to its requests.
    inboxes: Interest,
    /// The consumer of its notes.
    pub(super) consumer: Consumer,
    /// What it has heard since it is on stage: subjects and payloads.
    heard: Mutex<Heard>,
    /// What this run calls what it keeps.
    names: Kept,
    conventions: Conventions,
    /// Why it does not keep what others would try to harm, if it does not.
    missing: Option<String>,
    /// Held by whoever does something to what it keeps.
    pub(crate) kept: Mutex<()>,
}

/// The most that is kept of what a tenant has heard: whoever floods itself hears more than there is room for.
const HEARD_BYTES_MAXIMUM: usize = 64 << 20;

/// What a tenant has heard.
#[derive(Debug, Default)]
struct Heard {
    lines: VecDeque<String>,
    bytes: usize,
    /// How many messages came of which nothing is known any more.
    let_go: u64,
}

impl Heard {
    fn add(&mut self, delivered: &Delivered) {
        self.let_go = self.let_go.max(delivered.let_go);
        for message in &delivered.messages {
            let line = format!("{} {}", message.subject, message.text());
            self.bytes += line.len();
            self.lines.push_back(line);
        }
        while self.bytes > HEARD_BYTES_MAXIMUM
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= oldest.len();
            self.let_go += 1;
        }
    }

    fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

impl Owner {
    /// Has the tenant's first agent listen and keep its things.
    pub(super) async fn on_stage(site: &Site, tenant: &TenantSlug, run: &str) -> Result<Self, String> {
        let agent = site.first_agent(tenant).ok_or_else(|| format!("{tenant} has no agent"))?;
        let from = site.model().home_of(&agent);
        let (seen, session) = site.log_in(&Who::Peer(agent.clone()), &from).await?;
        let session = session.ok_or_else(|| format!("{agent} cannot log in: {seen}"))?;
        let conventions = site.conventions().clone();
        let own = listen(&session, &conventions.within(tenant, ">")).await?;
        let inboxes = listen(&session, &format!("{}.>", conventions.inbox(&agent))).await?;
        let consumer = Consumer::listening(&session, &conventions.inbox(&agent)).await?;
        let mut owner = Self {
            tenant: tenant.clone(),
            agent,
            session,
            own,
            inboxes,
            consumer,
            heard: Mutex::default(),
            names: Kept::of(run),
            conventions,
            missing: None,
            kept: Mutex::default(),
        };
        if owner.keeps() {
            if site.platform.own.is_some() {
                owner.clear_away().await;
            }
            let kept = async {
                owner.keep_for_good().await?;
                owner.keep().await
            };
            // Who cannot keep anything can still be talked to, and what is not its own can still be attacked.
            owner.missing = kept.await.err();
        }
        Ok(owner)
    }

    /// It keeps what others would try to harm.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn keeping(&self) -> Result<(), String> {
        match &self.missing {
            None => Ok(()),
            Some(why) => Err(why.clone()),
        }
    }

    /// Whether tenants of this platform keep anything.
    fn keeps(&self) -> bool {
        self.conventions.accounts().jetstream
    }

    /// Whether each tenant may have a stream of the same name.
    fn has_namesake(&self) -> bool {
        self.conventions.accounts().kind == AccountKind::PerTenant
    }

    /// What is never made anew, since others look at it at any time.
    async fn keep_for_good(&self) -> Result<(), String> {
        self.create(&self.origin(), &json!({ "subjects": [self.origin_subject()] })).await?;
        for _ in 0..NOTES {
            self.store(&self.origin_subject()).await?;
        }
        if self.has_namesake() {
            self.keep_namesake().await?;
        }
        Ok(())
    }

    async fn create(&self, name: &str, rest: &Value) -> Result<(), String> {
        let made = self.api(&format!("$JS.API.STREAM.CREATE.{name}"), &configuration(name, rest)).await;
        must(&made, || format!("{} cannot keep {name}", self.tenant))
    }

    /// The stream with its notes.
    pub(super) fn notes(&self) -> String {
        self.conventions.stream(&self.tenant, &self.names.notes(&self.tenant))
    }

    /// Where notes are published.
    pub(super) fn note_subject(&self) -> String {
        self.conventions.within(&self.tenant, &format!("notes.mx-{}", self.names.run()))
    }

    /// The stream behind its bucket of values.
    pub(super) fn values(&self) -> String {
        self.names.values(&self.tenant)
    }

    fn bucket(&self) -> String {
        self.names.bucket(&self.tenant)
    }

    /// The subject of its one value.
    pub(super) fn value_subject(&self) -> String {
        format!("$KV.{}.colour", self.bucket())
    }

    /// The stream behind its bucket of objects.
    pub(super) fn objects(&self) -> String {
        self.names.objects(&self.tenant)
    }

    /// The subject of its object's one chunk.
    pub(super) fn chunk_subject(&self) -> String {
        format!("$O.{}.C.one", self.bucket())
    }

    /// The subject of its object's description.
    pub(super) fn object_subject(&self) -> String {
        format!("$O.{}.M.one", self.bucket())
    }

    /// A stream that every tenant has under this very name.
    pub(super) fn namesake(&self) -> String {
        self.conventions.stream(&self.tenant, &self.names.namesake())
    }

    /// What this run calls a stream that copies, in `holder`'s account.
    pub(super) fn copy(&self, holder: Option<&TenantSlug>, copy: Copied) -> String {
        let name = self.names.copy(holder, copy);
        holder.map_or(name.clone(), |tenant| self.conventions.stream(tenant, &name))
    }

    /// A stream that nobody does anything to but copy it.
    pub(super) fn origin(&self) -> String {
        self.conventions.stream(&self.tenant, &self.names.origin(&self.tenant))
    }

    fn origin_subject(&self) -> String {
        self.conventions.within(&self.tenant, &format!("origin.mx-{}", self.names.run()))
    }

    fn namesake_subject(&self) -> String {
        self.conventions.within(&self.tenant, &format!("same.mx-{}", self.names.run()))
    }

    /// What every note of its says.
    pub(super) fn mark(&self) -> String {
        format!("kept by {} in {}", self.tenant, self.names.run())
    }

    /// Where its first agent takes jobs, on a platform whose agents do.
    pub(super) fn job_subject(&self) -> Option<String> {
        match &self.agent {
            PeerName::Tenant(name) => self.conventions.jobs(&self.tenant, &name.agent_id()),
            PeerName::Platform(_) => None,
        }
    }

    pub(super) async fn api(&self, subject: &str, body: &Value) -> Observation<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.session.api(subject, Headers::default(), &body).await
    }

    /// Makes everything that others try to harm, anew where something is there.
    pub(super) async fn keep(&self) -> Result<(), String> {
        for stream in [self.notes(), self.values(), self.objects()] {
            let _gone_or_never_there =
                self.api(&format!("$JS.API.STREAM.DELETE.{stream}"), &Value::Null).await;
        }
        let streams = [
            (self.notes(), self.notes_configuration()),
            (
                self.values(),
                json!({ "subjects": [format!("$KV.{}.>", self.bucket())], "max_msgs_per_subject": 1,
                        "discard": "new", "allow_rollup_hdrs": true, "allow_direct": true }),
            ),
            (
                self.objects(),
                json!({ "subjects": [format!("$O.{}.>", self.bucket())], "discard": "new",
                        "allow_rollup_hdrs": true, "allow_direct": true }),
            ),
        ];
        for (name, rest) in streams {
            self.create(&name, &rest).await?;
        }
        for _ in 0..NOTES {
            self.store(&self.note_subject()).await?;
        }
        for subject in [self.value_subject(), self.chunk_subject(), self.object_subject()] {
            self.store(&subject).await?;
        }
        self.keep_consumer().await?;
        self.keep_pinned_consumer().await
    }

    /// Reserves so much for its notes.
    pub(super) async fn reserve_notes(&self, bytes: u64) -> Result<(), String> {
        let name = self.notes();
        let mut config = configuration(&name, &self.notes_configuration());
        config["max_bytes"] = bytes.into();
        let changed = self.api(&format!("$JS.API.STREAM.UPDATE.{name}"), &config).await;
        must(&changed, || format!("{} cannot change its own {name}", self.tenant))
    }

    fn notes_configuration(&self) -> Value {
        json!({ "subjects": [self.note_subject()], "allow_direct": true })
    }

    /// A stream of that name may be there already, where tenants share an account: then it is somebody's, and that is what
    /// attempts at it will find.
    async fn keep_namesake(&self) -> Result<(), String> {
        let name = self.namesake();
        let config = configuration(&name, &json!({ "subjects": [self.namesake_subject()] }));
        let made = self.api(&format!("$JS.API.STREAM.CREATE.{name}"), &config).await;
        // 10058: a stream of the name with another configuration.
        if matches!(made.sight, Sight::Refused(Refusal::JetStream { error: 10058, .. })) {
            return Ok(());
        }
        must(&made, || format!("{} cannot keep {name}", self.tenant))?;
        self.store(&self.namesake_subject()).await
    }

    /// Stores something that carries its mark.
    pub(super) async fn store(&self, subject: &str) -> Result<(), String> {
        let stored = self.session.api(subject, Headers::default(), &self.mark()).await;
        must(&stored, || format!("{} cannot store on {subject}", self.tenant))
    }

    /// Whether its notes, values and objects are as it made them, and the consumer is as well.
    ///
    /// # Errors
    /// It cannot be said.
    pub(super) async fn is_intact(&self) -> Result<bool, String> {
        let whole = [(self.notes(), NOTES), (self.values(), 1), (self.objects(), 2)];
        for (stream, count) in whole {
            if self.count(&stream).await? != Some(count) {
                return Ok(false);
            }
        }
        self.consumer_is_intact().await
    }

    /// Whether its namesake has lost what it put there.
    pub(super) async fn namesake_is_intact(&self) -> Result<bool, String> {
        Ok(self.count(&self.namesake()).await? == Some(1))
    }

    /// Has its namesake hold what it put there, and nothing else.
    pub(super) async fn fill_namesake(&self) -> Result<(), String> {
        if self.namesake_is_intact().await? {
            return Ok(());
        }
        let purged = self.api(&format!("$JS.API.STREAM.PURGE.{}", self.namesake()), &Value::Null).await;
        must(&purged, || format!("{} cannot empty its own stream", self.tenant))?;
        self.store(&self.namesake_subject()).await
    }

    /// How many messages a stream of its holds, with the configuration that it gave; nothing when it is gone or another.
    async fn count(&self, stream: &str) -> Result<Option<u64>, String> {
        let info = self.api(&format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await;
        match &info.sight {
            Sight::Answered(info) => {
                let untouched = info["config"]["max_bytes"] == STREAM_BYTES_MAX
                    && info["config"]["max_msgs"].as_i64() == Some(-1);
                Ok(untouched.then(|| info["state"]["messages"].as_u64()).flatten())
            }
            Sight::Refused(refusal) if refusal.is_stream_not_found() => Ok(None),
            _ => Err(format!("{} cannot look at its own {stream}: {info}", self.tenant)),
        }
    }

    /// Hears now whatever was sent to it before, and says whether any of it has this text.
    ///
    /// # Errors
    /// It cannot hear: then its silence says nothing.
    pub(super) async fn has_heard(&self, text: &str) -> Result<bool, String> {
        let canary = Nonce::fresh();
        let subject = self.conventions.within(&self.tenant, &format!("canary.{canary}"));
        let sent = self.session.publish(&subject, None, Headers::default(), canary.as_str()).await;
        must(&sent, || format!("{} cannot talk to itself", self.tenant))?;
        let mut heard = self.heard.lock().await;
        for interest in [self.own, self.inboxes] {
            let taken = self.session.take(interest).await;
            let Sight::Answered(delivered) = &taken.sight else {
                return Err(format!("{} cannot hear: {taken}", self.tenant));
            };
            heard.add(delivered);
        }
        let found = heard.has(text);
        if !found && heard.let_go > 0 {
            return Err(format!("{} messages came to {} that were not kept", heard.let_go, self.tenant));
        }
        if !heard.has(canary.as_str()) {
            return Err(format!("{} does not even hear itself", self.tenant));
        }
        Ok(found)
    }

    /// Says something on one of its own subjects, and hears it itself.
    pub(super) async fn says(&self, subject: &str, text: &str) -> Result<(), String> {
        let sent = self.session.publish(subject, None, Headers::default(), text).await;
        must(&sent, || format!("{} cannot publish on {subject}", self.tenant))?;
        match self.has_heard(text).await? {
            true => Ok(()),
            false => Err(format!("{} did not hear its own message on {subject}", self.tenant)),
        }
    }

    /// Takes away what it kept, and what others of this run have left in its account: a tenant has so many streams and no
    /// more, and the next run needs them.
    pub(super) async fn leave(&self, site: &Site) {
        if !self.keeps() {
            return;
        }
        let Some(session) = self.session_that_lives(site).await else { return };
        let mut streams = vec![self.notes(), self.values(), self.objects(), self.namesake(), self.origin()];
        let named = session.api("$JS.API.STREAM.NAMES", Headers::default(), "").await;
        if let Sight::Answered(answer) = &named.sight {
            let names = answer["streams"].as_array().into_iter().flatten().filter_map(Value::as_str);
            streams.extend(names.filter(|name| name.contains(self.names.run())).map(str::to_owned));
        }
        streams.sort();
        streams.dedup();
        for stream in streams {
            // A run that is cut short leaves them; they are small, and the next environment has none.
            let _ = session.api(&format!("$JS.API.STREAM.DELETE.{stream}"), Headers::default(), "").await;
        }
    }

    /// Removes what runs that were cut short have left in its account, which has room for so many streams and no more. Only
    /// one run at a time fills the matrix of an environment of ours.
    async fn clear_away(&self) {
        let named = self.api("$JS.API.STREAM.NAMES", &Value::Null).await;
        let Sight::Answered(answer) = &named.sight else { return };
        let names = answer["streams"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in names.filter(|name| self.names.is_left_behind(name)) {
            // Should it stay, whatever finds no room for it says so.
            let _ = self.api(&format!("$JS.API.STREAM.DELETE.{name}"), &Value::Null).await;
        }
    }

    /// Its own connection, or another one where that has ended meanwhile.
    async fn session_that_lives(&self, site: &Site) -> Option<RemoteSession> {
        if matches!(self.session.flush().await.sight, Sight::Answered(())) {
            return Some(self.session.clone());
        }
        let from = site.model().home_of(&self.agent);
        site.log_in(&Who::Peer(self.agent.clone()), &from).await.ok()?.1
    }
}

/// A configuration with bounds: the accounts require them.
pub(super) fn configuration(name: &str, rest: &Value) -> Value {
    let mut config = json!({
        "name": name, "storage": "memory", "retention": "limits", "num_replicas": 1,
        "max_bytes": STREAM_BYTES_MAX, "discard": "old",
    });
    if let (Some(config), Some(rest)) = (config.as_object_mut(), rest.as_object()) {
        config.extend(rest.clone());
    }
    config
}

pub(super) async fn listen(session: &RemoteSession, subject: &str) -> Result<Interest, String> {
    let heard = session.subscribe(subject, None).await;
    match heard.sight {
        Sight::Answered(interest) => Ok(interest),
        _ => Err(format!("a subscription that must be possible is not: {heard}")),
    }
}

pub(super) fn must<T>(seen: &Observation<T>, what: impl FnOnce() -> String) -> Result<(), String> {
    match seen.sight {
        Sight::Answered(_) => Ok(()),
        _ => Err(format!("{}: {seen}", what())),
    }
}
