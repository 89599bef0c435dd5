//! What a report comes to, and how it is shown.

use bulkhead_evidence::report::{
    Report, RequirementOutcome, RequirementReport, Verdict, VerdictWord, proof_of, scenarios_of, schema,
    standards,
};
use bulkhead_evidence::{html, junit};
use bulkhead_plan::access::Conclusion;

use crate::support::{
    HOSTILE, STATE, assert_golden, fault, leaking, part, proof, tool, troubled, walled, well,
};

#[test]
fn the_published_schema_is_current() {
    let schema = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    assert_golden("../../docs/schema/report.schema.json", &schema);
}

#[test]
fn a_report_is_as_the_schema_says_and_is_read_back_whole() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for report in [well(), troubled()] {
        let text = report.to_json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
    // A schema that lets everything pass would have let these pass as well.
    let mut value = serde_json::to_value(troubled()).unwrap();
    value["cells"][0]["conclusion"] = "fine".into();
    assert!(!validator.is_valid(&value));
    let mut value = serde_json::to_value(troubled()).unwrap();
    value["surprise"] = true.into();
    assert!(!validator.is_valid(&value));
}

#[test]
fn a_small_table_as_page_and_as_test_results() {
    let report = troubled();
    assert_golden("tests/golden/report.html", &html::render(&report));
    assert_golden("tests/golden/junit.xml", &junit::render(&report));
}

#[test]
fn what_a_hostile_tenant_wrote_is_text() {
    let report = troubled();
    assert!(report.cells.iter().any(|cell| cell.evidence.iter().any(|line| line == HOSTILE)));
    for text in [html::render(&report), junit::render(&report)] {
        assert!(!text.contains("<script>alert"), "markup of somebody else's");
        assert!(!text.contains("<img"), "markup of somebody else's");
        assert!(text.contains("&lt;script&gt;alert(&#39;owned&#39;)&lt;/script&gt;"));
        assert!(text.contains("\\u{202e}txt.exe\\u{1b}[2J"), "what deceives the eye is spelled out");
        assert!(!text.contains(|one: char| one.is_control() && one != '\n'), "controls");
    }
    let page = html::render(&report);
    assert_eq!(page.matches("<script>").count(), 1, "one script, the page's own");
    assert!(page.contains("default-src 'none'; style-src 'sha256-"), "and nothing else would run");
}

#[test]
fn the_page_asks_for_nothing_from_anywhere() {
    let page = html::render(&troubled());
    for what in ["http:", "https:", "//", "src=\"", "url(", "@import"] {
        // Its own script has comments.
        let page = page.replace("// Nothing here is essential", "").replace("https", "http");
        assert!(
            !page.contains(what),
            "{what} near {:?}",
            page.find(what).map(|at| &page[at.saturating_sub(40)..at + 40])
        );
    }
}

#[test]
fn every_link_of_the_page_leads_somewhere() {
    for page in [html::render(&troubled()), html::render(&well())] {
        let links: Vec<&str> =
            page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() > 20);
        for link in links {
            assert_eq!(page.matches(&format!("id=\"{link}\"")).count(), 1, "{link}");
        }
    }
}

#[test]
fn paths_of_the_machine_are_not_told() {
    let report = well();
    for text in [report.to_json().unwrap(), html::render(&report), junit::render(&report)] {
        assert!(!text.contains(STATE) && !text.contains("/home/dev"));
    }
    assert!(report.to_json().unwrap().contains("[state]/services"));
}

#[test]
fn the_worst_decides_and_is_said_first() {
    let well = well();
    assert_eq!((well.verdict.word, well.verdict.exit_code), (VerdictWord::Isolated, 0));
    let troubled = troubled();
    assert_eq!((troubled.verdict.word, troubled.verdict.exit_code), (VerdictWord::Violated, 4));
    assert!(
        troubled.verdict.sentence.starts_with("Isolation is violated: 1 of "),
        "{}",
        troubled.verdict.sentence
    );
    let counts =
        [Conclusion::Violated, Conclusion::Broken, Conclusion::Inconclusive].map(|one| troubled.count(one));
    assert_eq!(counts, [1, 1, 4], "violated; broken; no answer, another reason, a hole, unrecorded");

    let mut unseen = well.clone();
    unseen.proof = Some(proof(vec![fault("a", true), fault("b", false)]));
    assert_eq!(Verdict::of(&unseen).exit_code, 5, "a suite that overlooks a mistake proves nothing");
    unseen.proof = Some(proof(vec![fault("a", true)]));
    assert_eq!(Verdict::of(&unseen).exit_code, 0);

    let mut empty = well.clone();
    empty.cells.clear();
    assert_eq!(Verdict::of(&empty).exit_code, 5);
    let mut flawed = well;
    flawed.flaws.push("a flaw".to_owned());
    assert_eq!(Verdict::of(&flawed).exit_code, 5);
}

#[test]
fn a_part_of_the_table_is_never_called_isolated() {
    let part = part("js.purge");
    assert_eq!((part.verdict.word, part.verdict.exit_code), (VerdictWord::PartAsPredicted, 0));
    let whole = well().cells.len();
    let says =
        format!("only a part of the table was attempted ({} of {} cells)", part.cells.len(), grouped(whole));
    assert_eq!(part.verdict.sentence, format!("What was attempted is as predicted; {says}."));
    assert_eq!(part.verdict.further, Vec::<String>::new(), "it is said once");
    let json = part.to_json().unwrap();
    assert!(json.contains("\"word\": \"part-as-predicted\"") && !json.contains("\"isolated\""));
    let page = html::render(&part);
    assert!(page.contains("<title>Tenant isolation of example: a part, as predicted</title>"));
    assert!(page.contains(&format!("<h1 id=\"verdict\">What was attempted is as predicted; {says}.</h1>")));
    assert!(page.contains("class=\"verdict unsure\"") && !page.contains("The tenants are isolated"));
    let results = junit::render(&part);
    assert!(results.contains("value=\"part-as-predicted\"") && results.contains(&says));

    let mut red = part;
    red.cells[0].conclusion = Conclusion::Violated;
    let verdict = Verdict::of(&red);
    assert_eq!((verdict.word, verdict.exit_code), (VerdictWord::Violated, 4), "what is red in a part is red");
    assert!(verdict.further.contains(&says), "and it was a part");
    red.cells[0].conclusion = Conclusion::Inconclusive;
    assert_eq!(Verdict::of(&red).word, VerdictWord::NotJudged);
}

/// What a report shows of a requirement, computed again.
fn shown(report: &Report, id: &str) -> RequirementReport {
    let mut requirements = standards(report).into_iter().flat_map(|standard| standard.requirements);
    requirements.find(|requirement| requirement.id == id).unwrap()
}

#[test]
fn what_is_shown_of_a_requirement_follows_from_the_cells() {
    use RequirementOutcome::{Broken, Held, NotCovered, NotJudged, PartlyHeld, Violated};
    const ASVS: &str = "v5.0.0-8.4.1";
    const LEAKS: &str = "multi-tenant-risk-leaks";
    const SESSIONS: &str = "multi-tenant-practice-4";
    let outcomes = |report: &Report| [ASVS, LEAKS, SESSIONS].map(|id| shown(report, id).outcome);
    assert_eq!(well().standards, standards(&well()));
    assert_eq!(outcomes(&walled()), [Held, Held, Held]);
    assert_eq!(outcomes(&well()), [PartlyHeld, Held, Held], "processes show no network walls");
    assert_eq!(shown(&well(), ASVS).not_attempted, ["net.reach"]);
    assert_eq!(shown(&well(), "multi-tenant-risk-isolation-below").outcome, PartlyHeld);
    assert_eq!(outcomes(&leaking()), [Violated, Violated, Held], "and what it has no part in");
    let purge = part("js.purge |");
    assert_eq!(outcomes(&purge), [PartlyHeld, PartlyHeld, NotJudged], "nothing is said of the rest");
    assert_eq!(shown(&purge, SESSIONS).not_attempted, ["tls.resume*"]);
    let lifecycle = shown(&well(), "multi-tenant-risk-lifecycle");
    assert_eq!((lifecycle.outcome, lifecycle.proved_by.len()), (NotCovered, 0));
    assert!(lifecycle.not_covered.is_some());

    let mut fewer = well();
    fewer.cells.retain(|cell| !cell.operation.starts_with("tls.resume"));
    assert_eq!(shown(&fewer, SESSIONS).outcome, NotJudged);
    fewer.cells.retain(|cell| !cell.operation.starts_with("nats.join-queue"));
    let leaks = shown(&fewer, LEAKS);
    assert_eq!((leaks.outcome, leaks.not_attempted), (PartlyHeld, vec!["nats.join-queue".to_owned()]));

    let mut refused = well();
    let controls = refused.cells.iter_mut().filter(|cell| cell.operation == "tls.resume");
    controls.for_each(|cell| cell.conclusion = Conclusion::Broken);
    assert_eq!(shown(&refused, SESSIONS).outcome, Broken);

    let doubts: [fn(&mut Report); 3] = [
        |report| report.flaws.push("a flaw".to_owned()),
        |report| report.proof = Some(proof(vec![fault("a", false)])),
        |report| report.scenarios = troubled().scenarios,
    ];
    for doubt in doubts {
        let mut report = leaking();
        doubt(&mut report);
        assert_eq!(outcomes(&report), [Violated, Violated, NotJudged], "nothing is held beside a doubt");
    }
}

#[test]
fn noisy_neighbours_are_those_that_take_places_and_those_that_say_nothing() {
    let operations: Vec<String> = shown(&well(), "multi-tenant-risk-noisy-neighbours")
        .proved_by
        .into_iter()
        .map(|one| one.operation)
        .collect();
    for operation in ["tls.take-all-places", "tls.hold-the-door", "tls.be-silent", "broker.connect-too-often"]
    {
        assert!(operations.iter().any(|one| one == operation), "{operation}: {operations:?}");
    }
}

/// As reports write numbers; of these tables none has a million cells.
fn grouped(count: usize) -> String {
    if count < 1000 { count.to_string() } else { format!("{},{:03}", count / 1000, count % 1000) }
}

#[test]
fn what_other_commands_print_is_taken_in() {
    let verdicts = ["killed", "refused-at-start", "survived", "spilled", "not-judged", "not-covered"];
    let rows = verdicts.map(|verdict| {
        serde_json::json!({ "fault": verdict, "title": "t", "reference": "r", "verdict": verdict, "red_cells": null,
                            "details": ["d"], "took_ms": 1 })
    });
    let printed = serde_json::json!({ "controls": [], "faults": rows, "exit_code": 4 }).to_string();
    let proof = proof_of(printed.as_bytes()).unwrap();
    let absent = (proof.tool.is_none(), proof.backend.is_none(), proof.catalogue.is_none());
    assert_eq!((absent, proof.exit_code), ((true, true, true), 4), "as earlier versions printed it");
    let doubts: Vec<bool> = proof.faults.iter().map(|fault| fault.result.casts_doubt()).collect();
    assert_eq!(doubts, [false, false, true, true, true, false]);
    let scenario = serde_json::json!({ "feature": "f", "rule": "r", "name": "n", "conclusion": "violated", "why": "w",
                                       "took_ms": 1, "details": [] });
    let printed = serde_json::json!({ "scenarios": [scenario], "not_covered": [], "swept": [], "kept": [] });
    let found = scenarios_of(printed.to_string().as_bytes()).unwrap();
    assert_eq!(Verdict::of(&Report { scenarios: Some(found), ..well() }).exit_code, 4);
    for error in [proof_of(b"{}").unwrap_err(), scenarios_of(b"[1]").unwrap_err()] {
        assert!(error.to_string().starts_with("not what `cargo xtask "), "{error}");
    }
}

/// As `prove --json` prints it of one fault that was found.
fn proven(change: impl FnOnce(&mut serde_json::Value)) -> Report {
    let mut printed = serde_json::json!({
        "tool": tool(), "backend": "docker", "catalogue": 1, "exit_code": 0, "false_alarms": 0,
        "controls": [{ "cells": 1200, "alarms": [], "took_ms": 1 }],
        "faults": [{ "fault": "a", "title": "t", "reference": "r", "verdict": "killed", "red_cells": 2 }],
    });
    change(&mut printed);
    let mut report = Report { proof: Some(proof_of(printed.to_string().as_bytes()).unwrap()), ..well() };
    report.verdict = Verdict::of(&report);
    report
}

#[test]
fn a_suite_that_cries_without_cause_or_was_shown_little_is_not_taken_for_a_good_one() {
    let good = proven(|_| {});
    assert_eq!((good.verdict.word, good.verdict.further.len()), (VerdictWord::Isolated, 0));
    let page = html::render(&good);
    for says in
        ["1 of 1 were found", "all 1 of the catalogue", "<dd>docker</dd>", "nothing was red in 1,200 cells"]
    {
        assert!(page.contains(says), "{says}");
    }

    let alarmed = proven(|printed| {
        printed["controls"][0]["alarms"] = serde_json::json!(["js.purge | acme: red"]);
        printed["exit_code"] = 4.into();
    });
    assert_eq!((alarmed.verdict.word, alarmed.verdict.exit_code), (VerdictWord::NotJudged, 5));
    assert_eq!(alarmed.verdict.further, ["1 false alarm where no mistake was made"]);
    let page = html::render(&alarmed);
    assert!(page.contains("<span class=\"badge violated\">!</span> False alarms"), "it is red");
    assert!(page.contains("<li>js.purge | acme: red</li>"));

    let one = proven(|printed| printed["catalogue"] = 74.into());
    assert_eq!(one.verdict.exit_code, 0, "what was found was found");
    assert_eq!(one.verdict.further, ["only 1 of the 74 mistakes of the catalogue were chosen"]);
    assert!(html::render(&one).contains("1 chosen out of the 74 of the catalogue"));

    let other = proven(|printed| printed["tool"]["revision"] = "fedc".into());
    assert_eq!(other.verdict.further, ["mistakes were made with another version of the suite than this run"]);
    let ended = proven(|printed| printed["exit_code"] = 4.into());
    assert_eq!(ended.verdict.word, VerdictWord::NotJudged, "it says itself that it ended badly");
    let uncontrolled = proven(|printed| printed["controls"] = serde_json::json!([]));
    assert_eq!(uncontrolled.verdict.word, VerdictWord::NotJudged, "whoever always cries finds every mistake");
    let none = proven(|printed| printed["faults"] = serde_json::json!([]));
    assert_eq!(none.verdict.word, VerdictWord::NotJudged);
}

#[test]
fn a_table_that_no_browser_shows_is_shown_in_part() {
    let mut report = well();
    let cells = report.cells.clone();
    for copy in 0..5_100 / cells.len() + 1 {
        report.cells.extend(cells.iter().cloned().map(|mut cell| {
            cell.id = format!("{} {copy}", cell.id);
            cell
        }));
    }
    report.picture = bulkhead_evidence::report::picture(&report.cells);
    let page = html::render(&report);
    assert!(page.contains("more than a browser shows well"), "and it says so");
    let fields: usize = report.picture.iter().map(|row| row.fields.len()).sum();
    assert_eq!(page.matches("<details class=\"cell").count(), fields, "one example of each kind");
}
