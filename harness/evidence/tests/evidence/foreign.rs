//! Evidence of a platform that somebody else started: its description in place of a specification, and what nobody knows of
//! it said to be unknown.

use std::collections::BTreeMap;
use std::path::Path;

use bulkhead_evidence::bundle::{self, Bundle, Material, Secrets};
use bulkhead_evidence::report::{
    Described, Facts, Hidden, PlatformFacts, Report, StartedBy, Verdict, VerdictWord, schema,
};
use bulkhead_evidence::sign::SigningKey;
use bulkhead_evidence::verify::Verification;
use bulkhead_evidence::{html, junit};
use bulkhead_plan::access::{DenialReason, Outcome};
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_plan::matrix::{Plan, Table};
use bulkhead_plan::pki::{KeySource as _, SystemKeys};

use crate::support::{as_expected, facts, verified};

const FOLDER: &str = "/home/dev/theirs";
const FINDING: &str =
    "collector.p1.acme.serviceradar: the key /home/dev/theirs/secrets/acme.key cannot be read";

/// The example of the page: one service has records, two have none, and one cell is expected otherwise.
fn description() -> PlatformDescription {
    let page = include_str!("../../../../docs/against.md");
    let text = page.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    PlatformDescription::read(text).unwrap()
}

fn judged() -> JudgedPlatform {
    description().judged(Path::new(FOLDER), Path::new("/home/dev/checkout/.bulkhead/staging")).unwrap()
}

fn hidden() -> Hidden {
    Hidden::nothing().with(Path::new(FOLDER), "[platform]").with(Path::new("/home/dev"), "[home]")
}

fn report(findings: &[&str]) -> Report {
    let platform = judged();
    let plan = Plan::of_platform(&platform).unwrap();
    let measured = plan.cells().iter().map(|planned| {
        let mut measured = as_expected(planned);
        // Without a record nobody is refused for one reason alone.
        if let Outcome::Denied(reason) = measured.outcome {
            measured.outcome = Outcome::Refused(vec![reason, DenialReason::BadSignature]);
        }
        (planned.cell.clone(), measured)
    });
    let findings: Vec<String> = findings.iter().map(|finding| (*finding).to_owned()).collect();
    let facts = Facts {
        platform: PlatformFacts::of_described(&platform, &findings, &hidden()),
        components: Vec::new(),
        hidden: hidden(),
        ..facts(None)
    };
    Report::of(&Table::compare(&plan, measured.collect()), facts)
}

fn material() -> Material {
    let logs = BTreeMap::from([(
        "nats.serviceradar".to_owned(),
        vec!["[1] [INF] --config=/home/dev/theirs/nats.conf".to_owned()],
    )]);
    let description = description().seen_from(Path::new(FOLDER));
    Material::of_described(&judged(), &description, &logs, &hidden()).unwrap()
}

fn made(report: &Report, material: Material) -> Bundle {
    Bundle::make(report, material, &Secrets::none(), &SigningKey::ephemeral().unwrap()).unwrap()
}

fn found(bundle: &Bundle) -> Verification {
    let folder = tempfile::tempdir().unwrap();
    bundle::write(folder.path(), bundle).unwrap();
    verified(folder.path())
}

#[test]
fn its_evidence_is_verified_against_its_description() {
    let report = report(&[]);
    let bundle = made(&report, material());
    let found = found(&bundle);
    assert_eq!((&found.problems, &found.notes), (&Vec::new(), &Vec::new()));
    assert!(found.passed.iter().any(|what| what.contains("predicts for the platform's description")));
    assert!(found.passed.iter().any(|what| what == "the report is of the platform that is described"));
    for (path, bytes) in &bundle.files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("/home/dev"), "{path} names a path of the machine");
    }
    let log = String::from_utf8_lossy(&bundle.files["logs/nats.serviceradar.log"]).into_owned();
    assert_eq!(log, "[1] [INF] --config=[platform]/nats.conf\n");
    let described = String::from_utf8_lossy(&bundle.files["platform.json"]).into_owned();
    assert!(described.contains("\"secrets/acme.key\""), "a path as it was given, and no key: {described}");
    assert!(!bundle.files.contains_key("spec.yaml") && !bundle.files.contains_key("environment.json"));
}

/// Something that makes a report another one.
type Change = fn(&mut Report);

#[test]
fn a_report_that_is_of_something_else_than_the_description_is_refused() {
    let cases: [(Change, &str); 3] = [
        (
            |report| report.platform.tenants[0].slug = "initech".to_owned(),
            "of another platform than platform.json",
        ),
        (|report| described(report).without_records.clear(), "of another platform than platform.json"),
        (|report| drop(report.cells.remove(0)), "predicts for the platform's description; missing: "),
    ];
    for (change, says) in cases {
        let mut report = report(&[]);
        change(&mut report);
        report.counts = bulkhead_evidence::report::counts(&report.cells);
        report.picture = bulkhead_evidence::report::picture(&report.cells);
        report.verdict = Verdict::of(&report);
        let problems = found(&made(&report, material())).problems;
        assert!(problems.iter().any(|problem| problem.contains(says)), "{says}: {problems:#?}");
    }
    let without = found(&made(&report(&[]), Material::default()));
    assert_eq!((without.problems.len(), without.notes.len()), (0, 2), "{without:#?}");
}

fn described(report: &mut Report) -> &mut Described {
    match &mut report.platform.started_by {
        StartedBy::Others(described) => described,
        StartedBy::Bulkhead { .. } => panic!("it is somebody else's"),
    }
}

#[test]
fn what_in_the_description_is_not_so_leaves_nothing_proven_and_stands_beside_the_verdict() {
    let well = report(&[]);
    assert_eq!((well.verdict.word, well.verdict.exit_code), (VerdictWord::Isolated, 0));
    let report = report(&[FINDING]);
    assert_eq!((report.verdict.word, report.verdict.exit_code), (VerdictWord::NotJudged, 5));
    let (page, results) = (html::render(&report), junit::render(&report));
    let (first, _) = page.split_once("What this means").unwrap();
    let hidden = "the key [platform]/secrets/acme.key cannot be read";
    assert!(first.contains(hidden), "{first}");
    assert!(results.contains("<error type=\"finding\"") && results.contains(hidden));
    assert!(found(&made(&report, material())).holds());
}

#[test]
fn whose_word_is_taken_and_who_expects_what_stands_beside_the_verdict() {
    let report = report(&[]);
    let page = html::render(&report);
    let (first, rest) = page.split_once("What this means").unwrap();
    assert!(first.contains("Without records that anybody here could read: ACME-7-collector.example.test, "));
    assert!(
        first.contains("tls.old-tls | * | * | nats.serviceradar: not covered, the broker speaks TLS 1.2")
    );
    assert!(
        !rest.contains("A refusal counts only if three things agree"),
        "two of them, where there is no record"
    );
    assert!(rest.contains("<dt>Versions of its services</dt><dd>not known</dd>"));
    assert!(rest.contains("<dt>collector.p1.acme.serviceradar</dt><dd>ACME-7-collector.example.test</dd>"));
    assert!(!rest.contains("<dt>Backend</dt>"));
    assert!(junit::render(&report).contains("<property name=\"without-records\" value=\"ACME-7-collector"));
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let value = serde_json::to_value(&report).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);
}

#[test]
fn of_a_file_with_a_key_beside_the_certificate_the_certificate_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let key = String::from_utf8(SystemKeys::new().key().unwrap().to_pem().to_vec()).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::create_dir(folder.path().join("pki")).unwrap();
    std::fs::write(folder.path().join("pki/acme.pem"), format!("{certificate}{key}")).unwrap();
    let judged = description().judged(folder.path(), Path::new("/nowhere")).unwrap();
    let material = Material::of_described(&judged, &description(), &BTreeMap::new(), &hidden()).unwrap();
    let files = made(&report(&[]), material).files;
    let kept = &files["certs/tenants/acme/components/collector.p1-chain.pem"];
    assert_eq!(String::from_utf8_lossy(kept), certificate);
}
