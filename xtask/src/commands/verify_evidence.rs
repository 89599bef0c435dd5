//! `cargo xtask verify-evidence`: is what somebody gave whole, unchanged, and does its verdict follow?

use std::process::ExitCode;

use bulkhead_evidence::report::VerdictWord;
use bulkhead_evidence::sign::{KeyOrigin, PublicKey};
use bulkhead_evidence::verify::{Limits, Signer, Verification, verify};

use crate::cli::VerifyEvidenceArguments;
use crate::exit::{self, OrExit as _, Outcome};
use crate::paint::Paint;
use crate::{evidence, say};

pub(crate) fn run(arguments: &VerifyEvidenceArguments) -> Outcome {
    let key = arguments.public_key.as_deref().map(PublicKey::read).transpose();
    let key = key.map_err(|error| anyhow::anyhow!("--public-key: {error}")).or_usage()?;
    let found =
        verify(&arguments.path, key.as_ref(), &evidence::this_tool(), Limits::default()).or_usage()?;
    if arguments.json {
        say::line(serde_json::to_string_pretty(&found).or_not_judged()?);
    } else {
        show(&found, Paint::for_stdout());
    }
    Ok(ExitCode::from(if found.holds() { exit::OK } else { exit::NOT_JUDGED }))
}

fn show(found: &Verification, paint: Paint) {
    let line = |word: String, text: &str| say::line(format_args!("{word} {text}"));
    let word = |word: &str| format!("{word:>12}");
    for what in &found.passed {
        line(paint.good(&word("Checked")), what);
    }
    for note in &found.notes {
        line(paint.warning(&word("Note")), note);
    }
    for problem in &found.problems {
        line(paint.bad(&word("REFUSED")), problem);
    }
    if !found.holds() {
        return line(paint.bad(&word("Not verified")), "nothing that this evidence says is to be relied on");
    }
    let signed = match &found.signer {
        Some(Signer::GivenKey { fingerprint }) => {
            format!("signed by whoever holds the key that you gave ({fingerprint})")
        }
        Some(Signer::KeyInside { fingerprint, origin }) => {
            let made = match origin {
                KeyOrigin::Given => "",
                KeyOrigin::Ephemeral => ", made for that run alone",
            };
            format!(
                "unchanged since it was signed, with a key that was only found inside ({fingerprint}{made}): by whom it \
                 was made is not proven; --public-key says whom you trust"
            )
        }
        None => String::new(),
    };
    line(paint.good(&word("Verified")), &signed);
    if let Some(verdict) = &found.verdict {
        let title = match verdict.word {
            VerdictWord::Isolated => paint.good(&word("Verdict")),
            VerdictWord::PartAsPredicted | VerdictWord::NotJudged => paint.warning(&word("Verdict")),
            VerdictWord::Violated | VerdictWord::Broken => paint.bad(&word("Verdict")),
        };
        line(title, &[std::slice::from_ref(&verdict.sentence), &verdict.further].concat().join("; "));
    }
}
