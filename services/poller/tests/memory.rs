//! How much memory the program takes when an agent wants it to take much: the platform's containers give it
//! 128 MB, and it is every tenant's poller.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::process::{Child, Command, Stdio};

use bulkhead_test_support::{Forge, eventually};
use common::agent::{Behaviour, TestAgent};
use common::{POLLER, agent_of, authority, forge};

/// What is left of the 128 MB for a second hostile tenant.
const PEAK_MAXIMUM_MB: u64 = 80;

fn write_config(forge: &Forge, agents: &[(&str, &TestAgent)]) -> std::path::PathBuf {
    let files = forge.issue(POLLER);
    let trust = forge.trust_files(&[]);
    let tenant = |(slug, agent): &(&str, &TestAgent)| {
        format!(
            "  - {{ slug: {slug}, authorities: [{:?}], agents: [{{ name: {}, address: \"{}\" }}] }}\n",
            authority(forge, slug),
            agent_of(slug),
            agent.address,
        )
    };
    let tenants: String = agents.iter().map(tenant).collect();
    // NATS is away: what was taken is kept.
    let text = format!(
        "identity: {{ certificate: {:?}, key: {:?} }}\ntrust: {{ root: {:?}, platform: [{:?}] }}\n\
         listen: 127.0.0.1:0\nnats: {{ address: \"127.0.0.1:1\", buffer_messages: 1000 }}\n\
         interval_ms: 20\ntenants:\n{tenants}",
        files.certificate, files.key, trust.root, trust.platform[0],
    );
    let path = forge.directory().join("poller.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The running program; it is killed when dropped.
struct Program(Child);

impl Program {
    fn start(config: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead-poller"));
        Self(command.arg("--config").arg(config).stdout(Stdio::null()).spawn().unwrap())
    }

    /// The most memory that it ever had, in megabytes.
    fn peak_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn results_that_swell_take_no_more_memory_than_a_buffer_of_their_text() {
    let forge = forge();
    let hostile = TestAgent::start(&forge, "globex", Behaviour::Swells).await;
    let honest = TestAgent::start(&forge, "acme", Behaviour::Honest).await;
    let program = Program::start(&write_config(&forge, &[("globex", &hostile), ("acme", &honest)]));
    eventually("a whole round of swelling results", async || {
        let rounds = hostile.seen().rounds;
        if rounds > 1 { Ok(()) } else { Err(format!("{rounds} rounds, {} MB", program.peak_mb())) }
    })
    .await;
    let before = honest.seen().rounds;
    eventually("the honest agent to be polled on", async || {
        let rounds = honest.seen().rounds;
        if rounds > before { Ok(()) } else { Err(format!("{rounds} rounds")) }
    })
    .await;
    let peak = program.peak_mb();
    assert!(peak <= PEAK_MAXIMUM_MB, "{peak} MB");
}
