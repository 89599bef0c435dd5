//! The real server's word on the rendered nats.conf.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bulkhead_plan::{EnvironmentSpec, Topology, render};

use crate::support;

/// Kills the server when a test ends, however it ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn written(spec: &EnvironmentSpec, port: u16, directory: &Path) {
    let topology = Topology::new(spec).unwrap();
    let pki = support::new_pki(&topology);
    let placement = support::processes(&topology, port, directory);
    support::write(directory, &render::service_files(&topology, &pki, &placement).unwrap());
}

fn specs() -> Vec<EnvironmentSpec> {
    let name = || "test".parse().unwrap();
    vec![
        EnvironmentSpec::with_tenants(name(), 1, 1).unwrap(),
        EnvironmentSpec::with_tenants(name(), 7, 3).unwrap(),
        support::spec_of(&["acme", "acme2", "acme-corp", "a", "ab"]),
    ]
}

#[test]
fn the_server_accepts_the_configuration() {
    let Some(program) = support::program("BULKHEAD_NATS_SERVER", "nats-server") else { return };
    for spec in specs() {
        let directory = tempfile::Builder::new().prefix("with \"quotes\" and spaces").tempdir().unwrap();
        written(&spec, 4222, directory.path());
        let config = directory.path().join("services/nats/nats.conf");
        let output = Command::new(&program).arg("-t").arg("-c").arg(&config).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// `-t` resolves neither exports nor imports nor quotas: only a start does.
#[test]
fn the_server_starts_with_the_configuration() {
    let Some(program) = support::program("BULKHEAD_NATS_SERVER", "nats-server") else { return };
    for spec in specs() {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        written(&spec, port, directory.path());
        let config = directory.path().join("services/nats/nats.conf");
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let server =
            Command::new(&program).arg("--config").arg(config).stdout(Stdio::null()).stderr(log).spawn();
        let mut server = Server(server.unwrap());
        let greeting = greeting(port, &mut server.0, &directory.path().join("log"));
        for part in [
            "\"tls_required\":true",
            "\"tls_verify\":true",
            "\"jetstream\":true",
            "\"server_name\":\"nats.serviceradar\"",
        ] {
            assert!(greeting.contains(part), "{part} is not in {greeting}");
        }
        let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
        // The connection above is no TLS handshake, and the server says so.
        let problem = |line: &&str| {
            (line.contains("[WRN]") || line.contains("[ERR]")) && !line.contains("TLS handshake error")
        };
        assert_eq!(log.lines().find(problem), None, "{log}");
    }
}

/// The first line that the server says to whoever connects.
fn greeting(port: u16, server: &mut Child, log: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            return line;
        }
        let log = || std::fs::read_to_string(log).unwrap_or_default();
        if let Some(status) = server.try_wait().unwrap() {
            panic!("the server ended with {status}: {}", log());
        }
        assert!(Instant::now() < deadline, "no answer on port {port}: {}", log());
        std::thread::sleep(Duration::from_millis(5));
    }
}
