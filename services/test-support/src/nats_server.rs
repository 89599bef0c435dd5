//! A real `nats-server` for one test, on a port of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bulkhead_kit::config::NatsSettings;

use crate::Forge;

/// The server's program: `BULKHEAD_NATS_SERVER`, else `nats-server` on PATH. `None` when there is none and
/// this is not CI, where a test that is left out would look like one that passed.
///
/// # Panics
/// In CI (`CI=true`), when there is none.
#[must_use]
pub fn server_binary() -> Option<PathBuf> {
    let named = std::env::var_os("BULKHEAD_NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates =
        named.into_iter().chain(std::env::split_paths(&path).map(|path| path.join("nats-server")));
    let found = candidates.find(|candidate| candidate.is_file());
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found.is_some() || !in_ci, "no nats-server: put one on PATH or set BULKHEAD_NATS_SERVER");
    if found.is_none() {
        eprintln!("SKIPPED: no nats-server; put one on PATH or set BULKHEAD_NATS_SERVER");
    }
    found
}

/// A running server; it is killed when dropped.
pub struct NatsServer {
    child: Child,
    port: u16,
    configuration: PathBuf,
    program: PathBuf,
}

impl NatsServer {
    /// Starts `program` with the forge's `nats.serviceradar` and these accounts, in the server's own
    /// configuration language.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(program: &Path, forge: &Forge, accounts: &str) -> Self {
        let identity = forge.issue("nats.serviceradar");
        let configuration = forge.directory().join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nmax_control_line: 2KB\nports_file_dir: {directory:?}\n\
             tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {root:?}, \
             verify_and_map: true, min_version: \"1.3\", timeout: 3 }}\n{accounts}\n",
            directory = forge.directory(),
            certificate = identity.certificate,
            key = identity.key,
            root = forge.trust_files(&[]).root,
        );
        std::fs::write(&configuration, text).unwrap();
        Self::run(program, configuration, None)
    }

    fn run(program: &Path, configuration: PathBuf, port: Option<u16>) -> Self {
        let mut command = Command::new(program);
        command.arg("-c").arg(&configuration).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(port) = port {
            command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        }
        let child = command.spawn().unwrap();
        let port = port.unwrap_or_else(|| port_of(configuration.parent().unwrap(), program, child.id()));
        Self { child, port, configuration, program: program.to_owned() }
    }

    /// How a service reaches it.
    #[must_use]
    pub fn settings(&self, buffer_messages: usize) -> NatsSettings {
        NatsSettings {
            address: format!("127.0.0.1:{}", self.port).parse().unwrap(),
            retry_ms: 100,
            buffer_messages,
        }
    }

    /// Kills the server, as if its machine had died.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        *self = Self::run(&self.program.clone(), self.configuration.clone(), Some(self.port));
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may be dead already, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port that the server chose, from the file that it writes when it listens.
fn port_of(directory: &Path, program: &Path, process: u32) -> u16 {
    let name = program.file_name().unwrap().to_string_lossy();
    let file = directory.join(format!("{name}_{process}.ports"));
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let ports: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let address = ports.as_ref().and_then(|ports| ports["nats"][0].as_str());
        if let Some(port) = address.and_then(|address| address.rsplit(':').next()?.parse().ok()) {
            return port;
        }
        assert!(Instant::now() < deadline, "nats-server does not listen; {} says: {text:?}", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}
