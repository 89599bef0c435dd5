//! A platform that this project did not start and that calls everything otherwise is judged by what a file says of it: green
//! as it should be, violated with a hole, and never green when the file is not so.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod broker;
mod collector;
mod pki;

use std::path::{Path, PathBuf};

use broker::{Broker, NO_HOLE, OVERHEARD, account_per_tenant, one_account};
use bulkhead_matrix::{Options, Run, StandIns};
use bulkhead_plan::access::Conclusion;
use bulkhead_plan::foreign::PlatformDescription;
use bulkhead_plan::matrix::Plan;
use bulkhead_runtime::Events;
use bulkhead_runtime::build::{self, Programs};
use collector::Running;
use pki::Pki;
use tokio::sync::OnceCell;

const OK: u8 = 0;
const VIOLATED: u8 = 4;
const NOT_JUDGED: u8 = 5;

/// A whole platform.
struct Foreign {
    pki: Pki,
    broker: Broker,
    acme: Running,
    globex: Running,
}

async fn programs() -> &'static Programs {
    static PROGRAMS: OnceCell<Programs> = OnceCell::const_new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = PROGRAMS.get_or_init(async || {
        build::programs(&workspace, &Events::none()).await.unwrap_or_else(|error| panic!("{error}"))
    });
    built.await
}

async fn nats_server() -> PathBuf {
    bulkhead_runtime::nats_binary::obtain().await.unwrap_or_else(|error| panic!("{error}")).path
}

impl Foreign {
    /// acme's collector believes members of these authorities.
    async fn start(hole: (&str, &str), acme_believes: &[&str]) -> Self {
        Self::with(&account_per_tenant(hole), acme_believes).await
    }

    async fn with(accounts: &str, acme_believes: &[&str]) -> Self {
        let pki = Pki::of(&["acme-7", "globex"]);
        let broker = Broker::start(&nats_server().await, &pki, accounts);
        let acme = collector::start(&pki, "acme-7-collector.example.test", acme_believes).await;
        let believed = ["globex-ca.pem", "hub-ca.pem"];
        let globex = collector::start(&pki, "globex-collector.example.test", &believed).await;
        Self { pki, broker, acme, globex }
    }

    async fn sound() -> Self {
        Self::start(NO_HOLE, &["acme-7-ca.pem", "hub-ca.pem"]).await
    }

    /// What its owner writes of it.
    fn description(&self) -> String {
        format!(
            "schema_version: 1
name: example
trust: {{ root: root.pem, platform_authority: hub-ca.pem }}
platform:
  nats: {{ address: '{broker}', certificate_name: broker.example.test, records: {{ file: broker.log }} }}
  poller:
    certificate_name: hub.example.test
    identity: {{ certificate: hub.example.test.pem, key: hub.example.test.key }}
tenants:
- slug: acme
  name: acme-7
  authority: acme-7-ca.pem
  agents:
  - id: collector.site
    address: '{acme}'
    identity: {{ certificate: acme-7-collector.example.test.pem, key: acme-7-collector.example.test.key }}
- slug: globex
  authority: globex-ca.pem
  agents:
  - id: collector.site
    address: '{globex}'
    identity: {{ certificate: globex-collector.example.test.pem, key: globex-collector.example.test.key }}
conventions:
  certificate_name: '{{tenant}}-{{component}}.example.test'
  grpc: {{ methods: [health, get-status] }}
  subjects:
    prefix: 'org.{{tenant}}.'
    results: 'org.{{tenant}}.measurements.{{nonce}}'
    listen: 'org.{{tenant}}.measurements.>'
    inbox: '_R.{{tenant}}'
    platform_own: 'hub.{{nonce}}'
  accounts: {{ name: 'ORG_{{tenant}}', jetstream: true }}
",
            broker = self.broker.address,
            acme = self.acme.address,
            globex = self.globex.address,
        )
    }

    async fn judged_by(&self, description: &str) -> Run {
        let described = PlatformDescription::read(description).unwrap_or_else(|error| panic!("{error}"));
        let platform = described.judged(self.pki.folder(), &self.pki.file("state")).unwrap();
        let plan = Plan::of_platform(&platform).unwrap();
        let programs = programs().await;
        let options = Options {
            probe: programs.probe.clone(),
            stand_ins: StandIns::plain(programs.agent.clone(), programs.poller.clone()),
            run: bulkhead_matrix::fresh_run(),
            tell: Box::new(|_| {}),
        };
        bulkhead_matrix::run(platform, &plan, options).await.unwrap()
    }
}

/// Everything that is not as predicted, for the failure's text.
fn red(run: &Run) -> Vec<String> {
    let cells =
        run.table.red().map(|entry| format!("{entry}\n    {}", entry.measured.evidence.join("\n    ")));
    cells.chain(run.findings.iter().cloned()).chain(run.table.flaws().iter().cloned()).collect()
}

fn has(run: &Run, conclusion: Conclusion, words: [&str; 2]) -> bool {
    let mut entries = run.table.entries().iter().filter(|entry| entry.conclusion == conclusion);
    entries.any(|entry| words.iter().all(|word| entry.cell.id().contains(word)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_platform_of_other_conventions_is_green() {
    let foreign = Foreign::sound().await;
    let run = foreign.judged_by(&foreign.description()).await;
    assert_eq!(run.exit_code(), OK, "{:#?}", red(&run));
    println!("{} cells, {:?}", run.table.entries().len(), run.took);
    let passed = [
        ["tls.handshake", "collector.site.globex.serviceradar | this machine | collector.site.acme"],
        ["tls.handshake", "(self-signed)"],
        ["nats.subscribe |", "collector.site.globex.serviceradar | this machine | acme"],
        ["js.purge", "collector.site.globex.serviceradar | this machine | acme"],
        ["grpc.get-status", "poller.serviceradar | this machine | collector.site.acme"],
    ];
    for words in passed {
        assert!(has(&run, Conclusion::Passed, words), "{words:?} is no cell of it");
    }
    assert!(run.without_records.contains(&"acme-7-collector.example.test".to_owned()));
    let reasons: Vec<&str> = run.table.unasked().iter().map(|unasked| unasked.reason.as_ref()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("key of the authority")), "{reasons:?}");

    // The same where nobody can read the broker's log either.
    let description = foreign.description().replace("records: { file: broker.log }", "records: none");
    let run = foreign.judged_by(&description).await;
    assert_eq!(run.exit_code(), OK, "{:#?}", red(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_may_listen_to_another_is_a_violation() {
    let foreign = Foreign::start(OVERHEARD, &["acme-7-ca.pem", "hub-ca.pem"]).await;
    let run = foreign.judged_by(&foreign.description()).await;
    assert_eq!(run.exit_code(), VIOLATED, "{:#?}", red(&run));
    let words = ["nats.subscribe |", "collector.site.globex.serviceradar | this machine | acme"];
    assert!(has(&run, Conclusion::Violated, words), "{:#?}", red(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_of_one_account_are_kept_apart_by_permissions_or_not_at_all() {
    let believed = ["acme-7-ca.pem", "hub-ca.pem"];
    let per_tenant = "accounts: { name: 'ORG_{tenant}', jetstream: true }";
    let of = |foreign: &Foreign| foreign.description().replace(per_tenant, "accounts: { kind: shared }");
    let foreign = Foreign::with(&one_account(""), &believed).await;
    assert_ne!(of(&foreign), foreign.description());
    let run = foreign.judged_by(&of(&foreign)).await;
    assert_eq!(run.exit_code(), OK, "{:#?}", red(&run));
    let listens = ["nats.subscribe |", "collector.site.globex.serviceradar | this machine | acme"];
    assert!(has(&run, Conclusion::Passed, listens), "it is no cell of it");

    let foreign = Foreign::with(&one_account(", \"org.>\""), &believed).await;
    let run = foreign.judged_by(&of(&foreign)).await;
    assert_eq!(run.exit_code(), VIOLATED, "{:#?}", red(&run));
    assert!(has(&run, Conclusion::Violated, listens), "{:#?}", red(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_believes_everybody_below_the_root_is_a_violation() {
    let foreign = Foreign::start(NO_HOLE, &["root.pem"]).await;
    let run = foreign.judged_by(&foreign.description()).await;
    assert_eq!(run.exit_code(), VIOLATED, "{:#?}", red(&run));
    let words = ["tls.handshake", "collector.site.globex.serviceradar | this machine | collector.site.acme"];
    assert!(has(&run, Conclusion::Violated, words), "{:#?}", red(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_is_not_so_is_never_green_and_says_why() {
    let foreign = Foreign::sound().await;
    let other = Pki::of(&["acme-7", "globex"]);
    let theirs = other.file("acme-7-collector.example.test").display().to_string();
    let whole = foreign.description();
    let one_tenant = {
        let (before, after) = (whole.find("- slug: globex").unwrap(), whole.find("conventions:").unwrap());
        format!("{}{}", &whole[..before], &whole[after..])
    };
    let certificate =
        "certificate: acme-7-collector.example.test.pem, key: acme-7-collector.example.test.key";
    let cases = [
        ("one tenant", one_tenant, "one tenant only"),
        (
            "an unreadable key",
            whole.replace("key: acme-7-collector.example.test.key", "key: gone.key"),
            "gone.key",
        ),
        (
            "another's key",
            whole.replace("key: acme-7-collector.example.test.key", "key: globex-collector.example.test.key"),
            "is not its certificate's",
        ),
        ("a dead endpoint", whole.replace(&foreign.acme.address, "127.0.0.1:1"), "does not speak"),
        ("a dead broker", whole.replace(&foreign.broker.address, "127.0.0.1:1"), "does not let in"),
        (
            "certificates of another platform",
            whole.replace(certificate, &format!("certificate: {theirs}.pem, key: {theirs}.key")),
            "does not come from",
        ),
        (
            "somebody else at the address",
            whole.replace(&foreign.acme.address, &foreign.globex.address),
            "is another",
        ),
        (
            "another template",
            whole.replace("{tenant}-{component}", "{component}-{tenant}"),
            "the template says",
        ),
        ("records that are not there", whole.replace("broker.log", "no.log"), "cannot be read"),
    ];
    for (what, description, why) in cases {
        assert_ne!(description, whole, "{what} is no change");
        let run = foreign.judged_by(&description).await;
        assert_eq!(run.exit_code(), NOT_JUDGED, "{what}: {:#?}", red(&run));
        assert!(run.findings.iter().any(|found| found.contains(why)), "{what}: {:#?}", run.findings);
        let told = |entry: &bulkhead_plan::matrix::Entry| entry.to_string().contains(why);
        assert!(run.table.red().any(told), "{what}: no cell says {why:?}: {:#?}", red(&run));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_owner_expects_wins_over_the_model() {
    let foreign = Foreign::start(NO_HOLE, &["root.pem"]).await;
    // Known, and accepted for now: acme's collector lets in everybody's.
    let known = "expectations:
- { cells: 'tls.* | collector.site.globex* | * | collector.site.acme*', expect: not-covered, because: known }
- { cells: 'grpc.* | collector.site.globex* | * | collector.site.acme*', expect: not-covered, because: known }
- { cells: 'grpc.health | collector.site.globex.* | * | collector.site.acme*', expect: allowed }
";
    let run = foreign.judged_by(&format!("{}{known}", foreign.description())).await;
    let globex = ["grpc.health |", "collector.site.globex.serviceradar | this machine | collector.site.acme"];
    assert!(has(&run, Conclusion::Passed, globex), "{:#?}", red(&run));
    let words = ["tls.handshake", "collector.site.globex.serviceradar | this machine | collector.site.acme"];
    assert!(!has(&run, Conclusion::Violated, words), "{:#?}", red(&run));
    assert!(run.table.unasked().iter().any(|unasked| unasked.reason == "known"));
}
