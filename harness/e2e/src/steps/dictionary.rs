//! Every sentence of the features has exactly one step: a missing or ambiguous one is found without a platform.

use std::collections::BTreeSet;
use std::path::Path;

use cucumber::World;
use cucumber::feature::Ext as _;
use cucumber::gherkin::{Feature, GherkinEnv, Step};

use crate::scene::Scene;
use crate::words::{FlawWord, Reason};

fn features() -> Vec<Feature> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../features");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "feature"));
    files
        .map(|path| Feature::parse_path(path, GherkinEnv::default()).unwrap().expand_examples().unwrap())
        .collect()
}

fn sentences() -> Vec<Step> {
    let of = |feature: Feature| {
        let rules = feature.rules.into_iter().flat_map(|rule| rule.scenarios);
        rules.chain(feature.scenarios).flat_map(|scenario| scenario.steps).collect::<Vec<_>>()
    };
    features().into_iter().flat_map(of).collect()
}

#[test]
fn every_sentence_has_exactly_one_step() {
    let steps = Scene::collection();
    let sentences = sentences();
    assert!(sentences.len() > 300, "only {} sentences were found", sentences.len());
    for sentence in sentences {
        let found = steps.find(&sentence).unwrap_or_else(|error| panic!("{}: {error:?}", sentence.value));
        assert!(found.is_some(), "no step for: {} {}", sentence.keyword, sentence.value);
    }
}

#[test]
fn every_reason_and_every_flaw_is_known() {
    for Step { value, .. } in sentences() {
        if let Some((_, reason)) = value.split_once(" is refused because ") {
            assert!(reason.parse::<Reason>().is_ok(), "{value}");
        }
        if let Some((_, flaw)) = value.split_once(" a certificate that is ") {
            assert!(flaw.parse::<FlawWord>().is_ok(), "{value}");
        }
    }
}

#[test]
fn every_guarantee_stands_under_a_rule() {
    for feature in features() {
        assert!(feature.scenarios.is_empty(), "'{}' has scenarios outside its rules", feature.name);
        for rule in &feature.rules {
            assert!(!rule.scenarios.is_empty(), "'{}' has no scenario", rule.name);
        }
    }
}

/// What is said of a scenario is said of it by its name alone.
#[test]
fn every_scenario_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for scenario in features().into_iter().flat_map(|feature| feature.rules).flat_map(|rule| rule.scenarios) {
        assert!(names.insert(scenario.name.clone()), "there are two of the name '{}'", scenario.name);
    }
}
