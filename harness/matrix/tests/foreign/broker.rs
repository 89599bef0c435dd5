//! A nats-server with other accounts, other users and another prefix than this project's.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::pki::Pki;

/// A running server; it is killed when dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What globex may do beside what it should.
pub(crate) const NO_HOLE: (&str, &str) = ("", "");
/// globex's account imports what acme says, and globex may listen to it.
pub(crate) const OVERHEARD: (&str, &str) =
    (", imports: [ { stream: { account: ORG_acme, subject: \"org.acme-7.>\" } } ]", ", \"org.acme-7.>\"");

fn account(tenant: &str, name: &str, (imports, subscribe): (&str, &str)) -> String {
    let shared = if tenant == "acme" { ", ORG_globex" } else { "" };
    format!(
        "ORG_{tenant} {{
           jetstream {{ max_mem: 4M, max_file: 16M, max_streams: 20 }}
           users: [ {{ user: \"{name}-collector.example.test\", permissions: {{
             publish: {{ allow: [\"org.{name}.>\", \"_R.{name}.>\", \"$JS.API.>\", \"$KV.>\", \"$O.>\"],
               deny: [\"$JS.API.META.>\", \"$JS.API.SERVER.>\"] }},
             subscribe: {{ allow: [\"org.{name}.>\", \"_R.{name}.>\"{subscribe}] }} }} }} ]
           exports: [ {{ stream: \"org.{name}.>\", accounts: [HUB{shared}] }} ]{imports}
         }}\n"
    )
}

/// An account for each tenant, and one that hears both. `hole` is globex's.
pub(crate) fn account_per_tenant(hole: (&str, &str)) -> String {
    let (acme, globex) = (account("acme", "acme-7", NO_HOLE), account("globex", "globex", hole));
    format!(
        "{acme}{globex}HUB {{ users: [ {{ user: \"hub.example.test\" }} ], imports: [ \
         {{ stream: {{ account: ORG_acme, subject: \"org.acme-7.>\" }} }}, \
         {{ stream: {{ account: ORG_globex, subject: \"org.globex.>\" }} }} ] }}\n"
    )
}

/// One account for everybody, in which permissions alone keep tenants apart. globex may subscribe to `also` besides.
pub(crate) fn one_account(also: &str) -> String {
    let user = |name: &str, also: &str| {
        format!(
            "{{ user: \"{name}-collector.example.test\", permissions: {{
               publish: {{ allow: [\"org.{name}.>\", \"_R.{name}.>\"] }},
               subscribe: {{ allow: [\"org.{name}.>\", \"_R.{name}.>\"{also}] }} }} }}"
        )
    };
    let (acme, globex) = (user("acme-7", ""), user("globex", also));
    let hub = "{ user: \"hub.example.test\", permissions: { publish: { deny: [\"_R.>\"] }, \
               subscribe: { deny: [\"_R.>\"] } } }";
    format!("ALL {{ users: [ {acme}, {globex}, {hub} ] }}\n")
}

impl Broker {
    pub(crate) fn start(program: &Path, pki: &Pki, accounts: &str) -> Self {
        let folder = pki.folder();
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: {folder:?}\nlog_file: {log:?}\n\
             tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {root:?}, verify_and_map: true, \
             min_version: \"1.3\", timeout: 3 }}\n\
             jetstream {{ store_dir: {store:?}, max_mem: 32M, max_file: 64M }}\n\
             accounts {{\n{accounts}}}\n",
            log = pki.file("broker.log"),
            certificate = pki.file("broker.example.test.pem"),
            key = pki.file("broker.example.test.key"),
            root = pki.file("root.pem"),
            store = pki.file("store"),
        );
        pki.write("broker.conf", &text);
        let mut command = Command::new(program);
        command.arg("-c").arg(pki.file("broker.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut broker = Self { child: command.spawn().unwrap(), address: String::new() };
        let name = program.file_name().unwrap().to_string_lossy();
        let ports = pki.file(&format!("{name}_{}.ports", broker.child.id()));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let told = std::fs::read_to_string(&ports).unwrap_or_default();
            let told: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
            if let Some(address) = told["nats"][0].as_str() {
                let port = address.rsplit(':').next().unwrap();
                broker.address = format!("127.0.0.1:{port}");
                return broker;
            }
            let log = || std::fs::read_to_string(pki.file("broker.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "nats-server does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
