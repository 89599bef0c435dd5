//! NIST's suite of certification paths (PKITS) against the verifier that the services are built on.
//!
//! The claim is: what the verifier accepts up to the leaf's profile, the suite accepts, or it is an exception with a
//! reason. The profile itself accepts no certificate of the suite, since none names a peer of this platform.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod comparison;
mod exceptions;
mod expectation;
mod judge;

use std::path::Path;

use bulkhead_judges::on_ci;
use bulkhead_judges::pkits::Suite;

use comparison::Comparison;
use exceptions::EXCEPTIONS;
use expectation::Expectation;
use judge::{Ending, Judge};

/// A verifier that refuses everybody agrees with every refusal: so many paths it must accept as well.
const ACCEPTED_MIN: usize = 25;

#[tokio::test]
async fn what_the_path_stage_accepts_the_suite_accepts() {
    let suite = match Suite::obtain().await {
        Ok(suite) => suite,
        Err(error) if on_ci() => panic!("the suite must be had on CI: {error}"),
        Err(error) => {
            println!("skipped, the suite cannot be had: {error}");
            return;
        }
    };
    let judge = Judge::configured(&suite);
    let mut comparison = Comparison::default();
    for case in &suite.cases {
        let expected = Expectation::of(&case.name);
        let expected = expected.unwrap_or_else(|| panic!("what does the suite say of {}?", case.name));
        comparison.note(&case.name, expected, judge.ending(&case.der));
    }
    println!("{comparison}");
    for (case, reason) in EXCEPTIONS {
        println!("  exception {case}: {reason}");
    }
    assert_eq!(comparison.problems(&EXCEPTIONS), Vec::<String>::new());
    assert!(comparison.accepted.len() >= ACCEPTED_MIN, "{} were accepted", comparison.accepted.len());
}

#[test]
fn an_acceptance_that_is_not_listed_and_an_exception_that_is_not_needed_are_problems() {
    let mut comparison = Comparison::default();
    comparison.note("InvalidEE", Expectation::Invalid, Ending::SoundPath);
    comparison.note("ValidEE", Expectation::Valid, Ending::Refused("dates: expired".to_owned()));
    assert_eq!(comparison.problems(&[("InvalidEE", "known")]), Vec::<String>::new());
    assert_eq!(comparison.problems(&[]).len(), 1, "not listed");
    assert_eq!(comparison.problems(&[("InvalidEE", "known"), ("OtherEE", "stale")]).len(), 1, "not needed");
}

/// The way in for a foreign suite's authorities leaves out what makes an authority one tenant's.
#[test]
fn no_program_is_configured_with_a_foreign_authority() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![workspace.join("services"), workspace.join("harness"), workspace.join("xtask")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((!path.ends_with("tests")).then_some(path));
            } else if std::fs::read(&path).is_ok_and(|text| holds(&text, b"of_foreign_suite")) {
                found.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    assert_eq!(found, ["authority.rs"], "where it is defined, and nowhere else");
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
