//! Each rule with something made up that breaks it.

use bulkhead_plan::fault::Ground;

use super::exceptions::{Exception, Instead, PHRASES, SCENARIOS};
use super::{Proof, Tally};
use crate::phrase::Judging;
use crate::report::{Conclusion, NotCovered, Report, ScenarioReport};

const LEAK: &str = "{peer} is refused";
const LOSS: &str = "{peer} receives the result";
const PREMISE: &str = "{peer} publishes a result";

fn phrases(thens: &[&str]) -> Judging {
    Judging { thens: thens.iter().map(|then| (*then).into()).collect(), whens: Vec::new() }
}

/// A run in which these scenarios ended so, at this step if they failed.
fn run(ended: &[(&str, Conclusion, &str)]) -> Report {
    let scenario = |(name, conclusion, phrase): &(&str, Conclusion, &str)| ScenarioReport {
        feature: "f".to_owned(),
        rule: "r".to_owned(),
        name: (*name).to_owned(),
        conclusion: *conclusion,
        why: "why".to_owned(),
        failed_at: (*conclusion != Conclusion::Passed).then(|| (*phrase).into()),
        took_ms: 0,
        details: Vec::new(),
    };
    let walls = NotCovered { feature: "f".to_owned(), name: "walls".to_owned(), reason: String::new() };
    Report { scenarios: ended.iter().map(scenario).collect(), not_covered: vec![walls], ..Report::default() }
}

fn well() -> Report {
    run(&[("leak", Conclusion::Passed, ""), ("loss", Conclusion::Passed, "")])
}

fn tally(faulty: &[Report]) -> Tally {
    let mut tally = Tally::of(&well(), &phrases(&[LEAK, LOSS]));
    for (number, report) in faulty.iter().enumerate() {
        tally.add(&format!("fault-{number}"), report);
    }
    tally
}

fn both_red() -> Report {
    run(&[("leak", Conclusion::Violated, LEAK), ("loss", Conclusion::Broken, LOSS)])
}

fn exception(names: &'static [&'static str], instead: Instead) -> Exception {
    Exception { names, instead, ground: None, why: "a reason" }
}

fn proof(tally: &Tally, scenarios: &[Exception], phrases: &[Exception]) -> Proof {
    tally.proof_beside(Ground::Processes, true, scenarios, phrases)
}

#[test]
fn all_that_was_red_is_shown() {
    let proof = proof(&tally(&[both_red()]), &[], &[]);
    assert_eq!((proof.scenarios.shown, proof.scenarios.total, proof.exit_code(0)), (2, 2, 0));
    assert_eq!(proof.scenarios.to_string(), "2 of 2 shown to turn red; 0 listed with a reason");
    assert_eq!((proof.phrases.shown, proof.phrases.total), (2, 2));
    assert_eq!(proof.exit_code(1), 5, "a fault that was not judged");
}

#[test]
fn what_never_was_red_survived() {
    let proof = proof(&tally(&[run(&[("leak", Conclusion::Violated, LEAK)])]), &[], &[]);
    assert_eq!((proof.scenarios.survived.as_slice(), proof.scenarios.shown), (&["loss".to_owned()][..], 1));
    assert_eq!(proof.phrases.survived, [LOSS]);
    assert_eq!((proof.exit_code(0), proof.exit_code(1)), (4, 4));
}

#[test]
fn a_step_survives_where_its_scenarios_are_red_at_other_steps_only() {
    let faulty = run(&[("leak", Conclusion::Violated, LEAK), ("loss", Conclusion::Violated, LEAK)]);
    let proof = proof(&tally(&[faulty]), &[], &[]);
    assert!(proof.scenarios.survived.is_empty());
    assert_eq!((proof.phrases.survived.as_slice(), proof.exit_code(0)), (&[LOSS.to_owned()][..], 4));
}

#[test]
fn a_broken_premise_shows_nothing_of_what_the_scenario_is_about_and_a_violated_one_does() {
    let of = |conclusion| {
        let judging = Judging { whens: vec![PREMISE.into()], ..phrases(&[LEAK]) };
        let mut tally = Tally::of(&run(&[("leak", Conclusion::Passed, "")]), &judging);
        tally.add("fault", &run(&[("leak", conclusion, PREMISE)]));
        let proof = proof(&tally, &[], &[]);
        (proof.scenarios.shown, proof.phrases.survived)
    };
    assert_eq!(of(Conclusion::Broken), (0, vec![LEAK.to_owned()]), "the phrase itself is shown");
    assert_eq!(of(Conclusion::Violated), (1, vec![LEAK.to_owned()]));
}

#[test]
fn what_could_not_be_judged_is_shown_only_where_that_is_listed() {
    let unclear = run(&[("leak", Conclusion::Violated, LEAK), ("loss", Conclusion::Inconclusive, LOSS)]);
    let of = |report: &Report, instead| {
        let listed = [exception(&["loss"], instead)];
        proof(&tally(std::slice::from_ref(report)), &listed, &[exception(&[LOSS], instead)])
    };
    assert_eq!(proof(&tally(std::slice::from_ref(&unclear)), &[], &[]).exit_code(0), 4);
    let listed = of(&unclear, Instead::NotJudged);
    assert_eq!((listed.scenarios.listed, listed.scenarios.shown, listed.exit_code(0)), (1, 1, 0));
    let silent = run(&[("leak", Conclusion::Violated, LEAK), ("loss", Conclusion::Passed, "")]);
    let survived = of(&silent, Instead::NotJudged);
    assert_eq!(survived.scenarios.survived, ["loss: not even once not judged"]);
    assert_eq!((survived.exit_code(0), of(&silent, Instead::Nothing).exit_code(0)), (4, 0));
}

#[test]
fn an_exception_that_is_not_needed_or_names_nothing_is_wrong() {
    let red = tally(&[both_red()]);
    let needless = proof(&red, &[exception(&["loss"], Instead::Nothing)], &[]);
    assert_eq!((needless.scenarios.needless.len(), needless.exit_code(0)), (1, 4));
    assert!(needless.scenarios.needless[0].contains("under fault-0"), "{needless:?}");
    let unknown = proof(&red, &[], &[exception(&["{peer} is gone"], Instead::Nothing)]);
    assert_eq!(
        (unknown.phrases.unknown.as_slice(), unknown.exit_code(0)),
        (&["{peer} is gone".to_owned()][..], 4)
    );
    let uncovered = proof(&red, &[exception(&["walls"], Instead::Nothing)], &[]);
    assert_eq!(uncovered.exit_code(0), 0, "it is there, and cannot be shown here");
}

#[test]
fn an_exception_holds_on_its_own_ground() {
    let faulty = tally(&[run(&[("leak", Conclusion::Violated, LEAK)])]);
    let on = |ground| [Exception { ground: Some(ground), ..exception(&["loss"], Instead::Nothing) }];
    let losses = [exception(&[LOSS], Instead::Nothing)];
    assert_eq!(proof(&faulty, &on(Ground::Processes), &losses).exit_code(0), 0);
    assert_eq!(proof(&faulty, &on(Ground::Containers), &losses).scenarios.survived, ["loss"]);
}

#[test]
fn red_without_a_fault_is_a_false_alarm_and_unclear_a_doubt() {
    let of = |conclusion| {
        let control = run(&[("leak", conclusion, LEAK)]);
        let mut tally = Tally::of(&control, &phrases(&[LEAK]));
        tally.add("fault", &run(&[("leak", Conclusion::Violated, LEAK)]));
        (tally.alarms().len(), tally.doubts().len(), proof(&tally, &[], &[]).exit_code(0))
    };
    assert_eq!(of(Conclusion::Passed), (0, 0, 0));
    assert_eq!(of(Conclusion::Violated), (1, 0, 4));
    assert_eq!(of(Conclusion::Broken), (1, 0, 4));
    assert_eq!(of(Conclusion::Inconclusive), (0, 1, 5));
}

#[test]
fn nothing_seeded_and_nothing_run_prove_nothing() {
    let listed = [exception(&["leak", "loss"], Instead::Nothing)];
    let steps = [exception(&[LEAK, LOSS], Instead::Nothing)];
    assert_eq!(proof(&tally(&[]), &listed, &steps).exit_code(0), 5);
    let mut nothing = Tally::of(&Report::default(), &phrases(&[]));
    nothing.add("fault", &Report::default());
    assert_eq!((nothing.doubts().len(), proof(&nothing, &[], &[]).exit_code(0)), (1, 5));
}

#[test]
fn of_some_faults_nothing_is_demanded() {
    let some = tally(&[run(&[("leak", Conclusion::Violated, LEAK)])]);
    let proof = some.proof_beside(Ground::Processes, false, &[], &[]);
    assert_eq!((proof.scenarios.survived.len(), proof.exit_code(0)), (1, 0));
}

#[test]
fn nothing_is_listed_twice_and_everything_has_a_reason() {
    for list in [SCENARIOS, PHRASES] {
        for ground in [Ground::Processes, Ground::Containers] {
            for name in list.iter().flat_map(|exception| exception.names) {
                let excusing = list.iter().filter(|exception| exception.excuses(name, ground)).count();
                assert!(excusing <= 1, "{name}");
            }
        }
        assert!(list.iter().all(|exception| exception.why.len() > 20 && !exception.names.is_empty()));
    }
}
