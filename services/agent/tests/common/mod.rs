//! The agent's own program, as a process, with certificates and (where asked for) a NATS server of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulkhead_identity::PeerName;
use bulkhead_kit::nats::Link;
use bulkhead_kit::tls::{Connection, Dialer};
use bulkhead_test_support::{Forge, NatsServer, eventually, server_binary};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub const AGENT: &str = "agent-001.p1.acme.serviceradar";
pub const POLLER: &str = "poller.serviceradar";

/// The agent's own program, or the one that makes mistakes where this is a test of those.
const PROGRAM: Option<&str> = match option_env!("CARGO_BIN_EXE_bulkhead-agent-seeded") {
    None => option_env!("CARGO_BIN_EXE_bulkhead-agent"),
    seeded => seeded,
};

/// The shape of the platform's accounts, with one tenant in it.
const ACCOUNTS: &str = r#"accounts {
  T_acme { users: [ { user: "agent-001.p1.acme.serviceradar", permissions: {
      publish: ["acme.>", "_INBOX.>"], subscribe: ["acme.>", "_INBOX.>"],
      allow_responses: { max: 1, expires: "10s" } } } ]
    exports: [ { stream: "acme.agents.>", accounts: [PLATFORM] }, { service: "acme.jobs.>", accounts: [PLATFORM] } ] }
  PLATFORM { users: [ { user: "poller.serviceradar" } ]
    imports: [ { stream: { account: T_acme, subject: "acme.agents.>" } }, { service: { account: T_acme, subject: "acme.jobs.>" } } ] }
}"#;

/// Certificates, and what an agent is configured with.
pub struct Setup {
    pub forge: Forge,
    pub nats: Option<NatsServer>,
}

impl Setup {
    /// Without NATS: an agent answers all the same.
    pub fn alone() -> Self {
        Self { forge: Forge::with_tenants(&["acme", "globex"]), nats: None }
    }

    /// With NATS, where there is a server to start.
    pub fn with_nats() -> Option<Self> {
        let program = server_binary()?;
        let mut setup = Self::alone();
        setup.nats = Some(NatsServer::start(&program, &setup.forge, ACCOUNTS));
        Some(setup)
    }

    /// A configuration file for `name`, with `more` lines at its end.
    pub fn config(&self, name: &str, more: &str) -> PathBuf {
        let identity = self.forge.issue(name);
        let trust = self.forge.trust_files(&["acme"]);
        // Nobody listens on port 1.
        let nats =
            self.nats.as_ref().map_or("127.0.0.1:1".to_owned(), |nats| nats.settings(1).address.to_string());
        let text = format!(
            "identity: {{ certificate: {:?}, key: {:?} }}\n\
             trust: {{ root: {:?}, tenant: [{:?}], platform: [{:?}] }}\n\
             listen: 127.0.0.1:0\nnats: {{ address: {nats:?} }}\nheartbeat_interval_ms: 50\n{more}",
            identity.certificate, identity.key, trust.root, trust.tenant[0], trust.platform[0]
        );
        let file = self.forge.directory().join("agent.yaml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Dials the agent as `name`.
    pub async fn dial_as(&self, name: &str, agent: &AgentProcess) -> Connection {
        let trust = self.forge.trust(&["acme", "globex"]);
        let dialer = Dialer::new(self.forge.credential(name), trust, Duration::from_secs(2));
        let peer: PeerName = AGENT.parse().unwrap();
        dialer.dial(&peer, &agent.address.to_string().parse().unwrap()).await.unwrap()
    }

    /// The poller's own connection to NATS.
    pub async fn platform(&self) -> Link {
        let settings = self.nats.as_ref().unwrap().settings(1);
        let link =
            Link::start(&settings, &self.forge.credential(POLLER), &self.forge.trust(&[])).await.unwrap();
        link.connected().wait_for(|connected| *connected).await.unwrap();
        link
    }
}

/// A running agent; it is killed when dropped.
pub struct AgentProcess {
    child: Child,
    pub address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl AgentProcess {
    /// Starts the agent and waits until it says where it listens.
    pub async fn start(config: &PathBuf) -> Self {
        let mut child = command().arg("--config").arg(config).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = lines.clone();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| written.lock().unwrap().push(line));
        });
        let mut agent = Self { child, address: "127.0.0.1:1".parse().unwrap(), lines };
        agent.address = eventually("the agent listens", async || {
            let lines = agent.lines();
            let line = lines.iter().find(|line| line["message"] == "listening");
            let address = line.and_then(|line| line["address"].as_str()?.parse().ok());
            address.ok_or_else(|| format!("{lines:?}"))
        })
        .await;
        agent
    }

    /// Every line so far; each is JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The refusals so far.
    pub fn refusals(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == "refused").collect()
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        eventually("the agent ends", async || {
            let status = self.child.try_wait().unwrap();
            status.ok_or_else(|| format!("{:?}", self.lines.lock().unwrap().last()))
        })
        .await
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        // It may have ended already, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, without this process's environment for agents.
pub fn command() -> Command {
    let mut command = Command::new(PROGRAM.unwrap());
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BULKHEAD_AGENT_"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command
}
