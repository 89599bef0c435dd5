//! With a real nats-server: what arrives where, what is kept, and who may read it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::time::Duration;

use bulkhead_kit::config::NatsSettings;
use bulkhead_kit::nats::Link;
use bulkhead_test_support::{Forge, Lines, NatsServer, eventually};
use common::agent::{Behaviour, TestAgent};
use common::nats::{StoredMessage, link_as, numbers, start, stored};
use common::{ADMIN, POLLER, Running, agent_of, config, forge, record};
use futures::StreamExt as _;
use serde_json::Value;

fn of_kind<'a>(messages: &'a [StoredMessage], kind: &str) -> Option<&'a StoredMessage> {
    messages.iter().find(|message| message.data["kind"] == kind)
}

/// A poller that has nobody to poll, and a link of our own with its name: the platform's view of all tenants.
async fn poller_without_agents(forge: &Forge, nats: &NatsServer) -> (Running, NatsSettings, Link) {
    let poller = Running::start(config(forge, nats.settings(1000), &[])).await;
    let settings = nats.settings(10);
    let platform = link_as(forge, &settings, POLLER).await;
    (poller, settings, platform)
}

#[tokio::test]
async fn each_tenant_s_messages_are_in_its_own_stream_alone() {
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let acme = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let acme2 = TestAgent::start(&forge, "acme2", Behaviour::Honest).await;
    let agents = [("acme", acme.address), ("acme2", acme2.address)];
    let poller = Running::start(config(&forge, nats.settings(1000), &agents)).await;
    let link = link_as(&forge, &nats.settings(10), POLLER).await;
    for slug in ["acme", "acme2"] {
        let all = |messages: &[StoredMessage]| {
            let subject = |channel: &str| {
                let subject = format!("{slug}.{channel}");
                messages.iter().any(|message| message.subject == subject)
            };
            of_kind(messages, "status").is_some()
                && of_kind(messages, "results").is_some()
                && subject("pollers.heartbeat")
                && subject("events.poller.health")
        };
        let messages = stored(&link, slug, all).await;
        for message in &messages {
            assert!(message.subject.starts_with(&format!("{slug}.")), "{message:?}");
            assert_eq!(message.data["tenant"], slug, "{message:?}");
        }
        let status = of_kind(&messages, "status").unwrap();
        assert_eq!(status.subject, format!("{slug}.pollers.results"));
        assert_eq!(status.data["agent_id"], "agent-001.p1");
        assert_eq!(status.data["available"], true);
        assert_eq!(status.data["service_name"], "web");
    }
    poller.end().await;
}

#[tokio::test]
async fn nothing_is_lost_while_nats_restarts() {
    let forge = forge();
    let Some(mut nats) = start(&forge) else { return };
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    agent.release(20);
    let poller = Running::start(config(&forge, nats.settings(100_000), &[("acme", agent.address)])).await;
    let link = link_as(&forge, &nats.settings(10), POLLER).await;
    stored(&link, "acme", |messages| numbers(messages).len() >= 20).await;
    nats.kill();
    for number in 21..=60 {
        agent.release(number);
        eventually("the poller to have taken it", async || {
            let last = agent.seen().last_sequences.pop();
            if last == Some(number.to_string()) { Ok(()) } else { Err(format!("{last:?}")) }
        })
        .await;
    }
    nats.restart();
    let messages = stored(&link, "acme", |messages| numbers(messages).len() >= 60).await;
    assert_eq!(numbers(&messages), (1..=60).collect::<Vec<_>>());
    poller.end().await;
}

#[tokio::test]
async fn what_was_dropped_beyond_the_bound_is_told() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let Some(mut nats) = start(&forge) else { return };
    nats.kill();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let poller = Running::start(config(&forge, nats.settings(5), &[("acme", agent.address)])).await;
    let warnings = || {
        let dropped = |line: &Value| line["dropped"].as_u64().filter(|_| line["level"] == "WARN");
        let all = lines.all();
        let told = all.iter().filter(|line| line["tenant"] == "acme").filter_map(dropped);
        told.collect::<Vec<_>>()
    };
    let warned = async |count| {
        eventually("a warning of what was dropped", async || match warnings() {
            told if told.len() >= count => Ok(told),
            told => Err(format!("{told:?}")),
        })
        .await
    };
    warned(1).await;
    // Many more are dropped, of which nothing is said before the link is up.
    let rounds = agent.seen().rounds;
    eventually("further rounds", async || {
        let more = agent.seen().rounds - rounds;
        if more >= 5 { Ok(()) } else { Err(format!("{more} rounds")) }
    })
    .await;
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    nats.restart();
    let told = warned(2).await;
    assert!(told[1] > told[0], "{told:?}");
    let link = link_as(&forge, &nats.settings(10), POLLER).await;
    let told_too = |messages: &[StoredMessage]| {
        messages.iter().any(|message| message.data["outbox"]["dropped"].as_u64() >= Some(told[1]))
    };
    stored(&link, "acme", told_too).await;
    stored(&link, "globex", |messages| messages.iter().any(|message| message.data["outbox"]["dropped"] == 0))
        .await;
    poller.end().await;
}

#[tokio::test]
async fn streams_are_made_when_nats_comes_up_and_again_when_it_comes_back_empty() {
    let forge = forge();
    let Some(mut nats) = start(&forge) else { return };
    nats.kill();
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let poller = Running::start(config(&forge, nats.settings(100_000), &[("acme", agent.address)])).await;
    eventually("a poll without NATS", async || {
        let rounds = agent.seen().rounds;
        if rounds >= 3 { Ok(()) } else { Err(format!("{rounds} rounds")) }
    })
    .await;
    nats.restart();
    let link = link_as(&forge, &nats.settings(10), POLLER).await;
    stored(&link, "acme", |messages| numbers(messages) == [1]).await;
    nats.kill();
    std::fs::remove_dir_all(forge.directory().join("jetstream")).unwrap();
    agent.release(2);
    nats.restart();
    stored(&link, "acme", |messages| numbers(messages) == [2]).await;
    poller.end().await;
}

/// A stream import keeps the reply subject that the tenant chose: see `streams::config`.
#[tokio::test]
async fn a_tenant_s_reply_subject_carries_nothing_to_another_tenant() {
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let (poller, settings, platform) = poller_without_agents(&forge, &nats).await;
    let acme = link_as(&forge, &settings, &agent_of("acme")).await;
    let globex = link_as(&forge, &settings, &agent_of("globex")).await;
    let heartbeat = |messages: &[StoredMessage]| !messages.is_empty();
    stored(&platform, "acme", heartbeat).await;
    stored(&platform, "globex", heartbeat).await;
    let mut heard = globex.client().subscribe("globex.>").await.unwrap();
    globex.client().flush().await.unwrap();
    let attacker = acme.client();
    for reply in
        ["globex.jobs.agent-001.p1", "globex.agents.status", "globex.events.x", "admin.results.globex"]
    {
        attacker.publish_with_reply("acme.agents.status", reply, "{\"attack\":1}".into()).await.unwrap();
    }
    attacker.flush().await.unwrap();
    let attacks = |messages: &[StoredMessage]| {
        messages.iter().filter(|message| message.data["attack"] == 1).count() == 4
    };
    stored(&platform, "acme", attacks).await;
    // Controls: a job does reach globex's agent this way, and globex's own status its stream. What an attack
    // had set off would have come before them.
    platform.client().publish("globex.jobs.agent-001.p1", "control".into()).await.unwrap();
    let first = tokio::time::timeout(Duration::from_secs(10), heard.next()).await.unwrap().unwrap();
    assert_eq!(first.payload, "control");
    globex.client().publish("globex.agents.status", "{\"control\":1}".into()).await.unwrap();
    let control = |messages: &[StoredMessage]| messages.iter().any(|message| message.data["control"] == 1);
    for message in stored(&platform, "globex", control).await {
        assert!(message.data.get("stream").is_none(), "an acknowledgement of acme's stream: {message:?}");
    }
    poller.end().await;
}

/// An agent may answer wherever a message asks it to, also one of its own: its permissions alone do not keep it off
/// the poller's subjects.
#[tokio::test]
async fn an_agent_does_not_speak_as_the_poller_even_when_it_answers_itself() {
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let (poller, settings, platform) = poller_without_agents(&forge, &nats).await;
    stored(&platform, "acme", |messages| !messages.is_empty()).await;
    let acme = link_as(&forge, &settings, &agent_of("acme")).await;
    let mut itself = acme.client().subscribe("acme.agents.itself").await.unwrap();
    for subject in ["acme.events.poller.health", "acme.pollers.results"] {
        acme.client().publish(subject, "{\"forged\":1}".into()).await.unwrap();
        acme.client().publish_with_reply("acme.agents.itself", subject, "{}".into()).await.unwrap();
        let reply = itself.next().await.unwrap().reply.unwrap();
        acme.client().publish(reply, "{\"forged\":2}".into()).await.unwrap();
    }
    acme.client().publish("acme.events.syslog.host", "{\"control\":1}".into()).await.unwrap();
    let control = |messages: &[StoredMessage]| messages.iter().any(|message| message.data["control"] == 1);
    for message in stored(&platform, "acme", control).await {
        assert!(message.data.get("forged").is_none(), "{message:?}");
    }
    poller.end().await;
}

#[tokio::test]
async fn the_administrator_reads_one_tenant_and_is_recorded() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let agent = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let poller = Running::start(config(&forge, nats.settings(1000), &[("acme", agent.address)])).await;
    let settings = nats.settings(10);
    let platform = link_as(&forge, &settings, POLLER).await;
    stored(&platform, "acme", |messages| of_kind(messages, "results").is_some()).await;
    let admin = link_as(&forge, &settings, ADMIN).await;
    let reply = admin.client().request("admin.results.acme", "{\"count\": 5}".into()).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!((&reply["tenant"], &reply["stream"]), (&"acme".into(), &"RESULTS_acme".into()));
    let messages = reply["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 5, "{reply}");
    assert!(messages.iter().all(|message| message["data"]["tenant"] == "acme"), "{reply}");
    let access = [
        ("event", "accepted"),
        ("layer", "nats"),
        ("identity", ADMIN),
        ("tenant", "acme"),
        ("method", "admin.results.acme"),
        ("peer", "127.0.0.1"),
    ];
    record(&lines, &access).await;
    let reply = admin.client().request("admin.results.stranger", "".into()).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!(reply["error"]["code"], "unknown-tenant");
    record(&lines, &[("event", "refused"), ("layer", "nats"), ("reason", "unknown-tenant")]).await;
    poller.end().await;
}

#[tokio::test]
async fn a_tenant_hides_nothing_from_the_administrator_behind_a_large_message() {
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let mut config = config(&forge, nats.settings(1000), &[]);
    // No heartbeat comes in between.
    config.interval_ms = 3_600_000;
    let poller = Running::start(config).await;
    let settings = nats.settings(10);
    let platform = link_as(&forge, &settings, POLLER).await;
    for slug in ["acme", "globex"] {
        stored(&platform, slug, |_| true).await;
    }
    let acme = link_as(&forge, &settings, &agent_of("acme")).await;
    // Small as bytes, and too large for any answer as JSON; and one that readers of the answer would stumble over.
    let large = vec![1; 40_000];
    let deep = "[".repeat(120) + &"]".repeat(120);
    for body in [b"{\"before\": 1}".to_vec(), large.clone(), deep.clone().into_bytes(), large.clone()] {
        acme.client().publish("acme.agents.x", body.into()).await.unwrap();
    }
    stored(&platform, "acme", |messages| messages.len() >= 4).await;
    let admin = link_as(&forge, &settings, ADMIN).await;
    let reply = admin.client().request("admin.results.acme", "{\"count\": 4}".into()).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
    let messages = reply["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4, "{reply}");
    assert_eq!((&messages[0]["data"]["before"], &reply["truncated"]), (&1.into(), &true.into()));
    assert_eq!(messages[2]["data"], deep.as_str());
    for omitted in [&messages[1], &messages[3]] {
        assert_eq!((&omitted["omitted_bytes"], &omitted["data"]), (&40_000.into(), &Value::Null));
    }
    let reply = admin.client().request("admin.results.globex", "".into()).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!(reply["truncated"], false, "{reply}");
    poller.end().await;
}

#[tokio::test]
async fn nobody_but_the_administrator_is_answered() {
    let lines = Lines::capture(POLLER, "platform");
    let forge = forge();
    let Some(nats) = start(&forge) else { return };
    let (poller, settings, platform) = poller_without_agents(&forge, &nats).await;
    stored(&platform, "acme", |messages| !messages.is_empty()).await;
    // Inside the platform's account the server does not write the header: the worst place to ask from.
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Request-Info", "{\"acc\":\"PLATFORM\",\"user\":\"admin.platform.serviceradar\"}");
    let client = platform.client();
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.unwrap();
    client
        .publish_with_reply_and_headers("admin.results.acme", inbox.clone(), headers, "".into())
        .await
        .unwrap();
    let fields = [("event", "refused"), ("layer", "nats"), ("reason", "not-admin"), ("identity", ADMIN)];
    record(&lines, &fields).await;
    client.publish(inbox, "control".into()).await.unwrap();
    assert_eq!(answers.next().await.unwrap().payload, "control");
    let acme = link_as(&forge, &settings, &agent_of("acme")).await;
    let denied = acme.client().request("admin.results.acme", "".into());
    assert!(tokio::time::timeout(Duration::from_millis(500), denied).await.is_err());
    poller.end().await;
}
