//! A description of a platform that this project did not start: what is read, what is refused, and what follows from it.

use std::path::Path;

use bulkhead_plan::access::{DenialReason, Expectation, Model};
use bulkhead_plan::foreign::{DescriptionError, JudgedPlatform, PlatformDescription};
use bulkhead_plan::matrix::Plan;

/// The example of the page.
fn example() -> &'static str {
    let page = include_str!("../../../../docs/against.md");
    let after = page.split_once("```yaml\n").unwrap().1;
    after.split_once("```").unwrap().0
}

fn judged(text: &str) -> Result<JudgedPlatform, DescriptionError> {
    PlatformDescription::read(text)?.judged(Path::new("/etc/example"), Path::new("/tmp/state"))
}

fn refused(text: &str) -> String {
    let refused = judged(text).and_then(|platform| Plan::of_platform(&platform).map(|_| platform));
    refused.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_page_shows_a_description() {
    let platform = judged(example()).unwrap();
    let plan = Plan::of_platform(&platform).unwrap();
    assert_eq!(platform.credentials.len(), 3);
    assert_eq!(platform.services.len(), 3);
    let acme = "collector.p1.acme.serviceradar".parse().unwrap();
    assert_eq!(platform.conventions.certificate_name(&acme), "ACME-7-collector.example.test");
    assert_eq!(platform.credentials[&acme].key, Path::new("/etc/example/secrets/acme.key"));
    let crossing = plan.cells().iter().find(|planned| {
        planned.cell.id() == "nats.subscribe | collector.p1.globex.serviceradar | this machine | acme"
    });
    assert!(matches!(&crossing.unwrap().expected, Expectation::Denied(_)));
    let reasons: Vec<&str> = plan.unasked().iter().map(|unasked| unasked.reason.as_ref()).collect();
    assert!(reasons.contains(&"the broker speaks TLS 1.2 until the old collectors are gone"), "{reasons:?}");
    let own = plan.cells().iter().find(|planned| {
        planned.cell.id()
            == "grpc.get-status | collector.p1.acme.serviceradar | this machine | collector.p1.acme.serviceradar"
    });
    assert_eq!(own.unwrap().expected, Expectation::Denied(vec![DenialReason::NotGranted]));
}

#[test]
fn a_description_may_be_json_and_is_written_as_it_is_read() {
    let written = PlatformDescription::read(example()).unwrap();
    let json = serde_json::to_string_pretty(&written).unwrap();
    let (from_json, from_yaml) = (judged(&json).unwrap(), judged(&written.to_yaml()).unwrap());
    let whole = judged(example()).unwrap();
    for other in [from_json, from_yaml] {
        assert_eq!(other.model, whole.model);
        assert_eq!(other.services, whole.services);
        assert_eq!(other.credentials, whole.credentials);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let with = |from: &str, to: &str| {
        assert!(example().contains(from), "{from}");
        example().replacen(from, to, 1)
    };
    let line = |text: &str, word: &str| text.lines().position(|line| line.contains(word)).unwrap() + 1;
    let cases = [
        (with("prefix:", "prefixx:"), vec!["prefixx"]),
        (with("slug: acme ", "slug: Acme "), vec!["not a tenant slug"]),
        (with("schema_version: 1", "schema_version: 2"), vec!["schema_version is 2"]),
        (with("org.{tenant}.\"", "org.\""), vec!["conventions.subjects.prefix", "{tenant}"]),
        (with("{component}.example", "{agent-id}.example"), vec!["{agent-id}"]),
        (with("slug: globex", "slug: acme"), vec!["acme is there twice"]),
        (
            with("    because: the broker speaks TLS 1.2 until the old collectors are gone\n", ""),
            vec!["because"],
        ),
        (with("tls.old-tls |", "tls.older-tls |"), vec!["no cell is called", "--predict"]),
        (with("expect: not-covered", "expect: ignored"), vec!["ignored", "not-covered"]),
        (with("    expect: denied\n", "    expect: allowed\n"), vec!["has reasons"]),
        (
            with("certificate_name: hub.example.test", "certificate_name: broker.example.test"),
            vec!["tell them apart"],
        ),
    ];
    for (text, words) in cases {
        let error = refused(&text);
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
    let text = with("tls.old-tls |", "tls.older-tls |");
    let at = format!("line {}", line(&text, "tls.older-tls"));
    assert!(refused(&text).contains(&at), "{at}: {}", refused(&text));
    let text = with("prefix:", "prefixx:");
    let at = format!("{}:", line(&text, "prefixx"));
    assert!(refused(&text).contains(&at), "{at} {}", refused(&text));
}

#[test]
fn what_cannot_be_tried_is_not_made_possible_by_expecting_it() {
    let wish = "  - { cells: 'net.reach | *', expect: unreachable }\n";
    let error = refused(&format!("{}{wish}", example()));
    assert!(error.contains("no cell is called"), "{error}");
}

#[test]
fn with_an_authority_s_key_more_can_be_forged() {
    let forged = |text: &str| {
        let plan = Plan::of_platform(&judged(text).unwrap()).unwrap();
        plan.cells().iter().filter(|planned| planned.cell.id().contains("(expired)")).count()
    };
    assert_eq!(forged(example()), 0);
    let key = "authority: pki/globex-ca.pem\n    authority_key: secrets/globex-ca.key";
    assert!(forged(&example().replace("authority: pki/globex-ca.pem", key)) > 0);
}

#[test]
fn what_is_expected_of_our_own_platform_is_not_widened() {
    let spec = crate::support::spec_of(&["acme", "globex"]);
    let topology = bulkhead_plan::Topology::new(&spec).unwrap();
    let model = Model::of_topology(&topology, bulkhead_plan::environment::BackendKind::Process);
    let widest = Plan::of(&model).reasons().into_iter().map(|reasons| reasons.len()).max().unwrap();
    assert!(widest <= 2, "two walls at one place at the most");
}

#[test]
fn a_description_that_leaves_its_machine_names_files_from_its_own_folder() {
    let text = example().replace("pki/", "/etc/example/pki/").replace("logs/", "/var/log/");
    let written = PlatformDescription::read(&text).unwrap().seen_from(Path::new("/etc/example"));
    assert!(!written.to_yaml().contains("/etc/example"), "{}", written.to_yaml());
    assert!(written.to_yaml().contains("/var/log/nats.log"), "what lies elsewhere is named as it was");
    let (there, here) = (judged(&text).unwrap(), judged(&written.to_yaml()).unwrap());
    assert_eq!((there.credentials, there.services), (here.credentials, here.services));
    assert_eq!(there.authorities, here.authorities);
}
