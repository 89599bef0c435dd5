//! What stands below the attempts: seeded faults, scenarios, what is not covered, and how to check all of it.

use std::fmt::{self, Write as _};

use bulkhead_plan::access::Conclusion;

use super::Look;
use crate::Report;
use crate::report::{FaultResult, Proof, StartedBy, grouped};
use crate::text::Escaped;

/// How many false alarms are shown one by one.
const SHOWN_ALARMS: usize = 20;

/// The mistakes that were made on purpose.
pub(super) fn faults(out: &mut String, report: &Report) -> fmt::Result {
    let Some(proof) = &report.proof else { return Ok(()) };
    writeln!(out, "<section aria-labelledby=\"faults\"><h2 id=\"faults\">Mistakes made on purpose</h2>")?;
    writeln!(
        out,
        "<p>A suite that never fails proves nothing. So realistic mistakes were made, one at a time, in platforms of their \
         own, and the same attempts were made there. {} of {} were found in the cells that were named for them \
         beforehand.</p>",
        grouped(proof.killed()),
        grouped(proof.seeded())
    )?;
    how_they_were_made(out, proof)?;
    writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"faults\" tabindex=\"0\"><table class=\"standard\">"
    )?;
    writeln!(
        out,
        "<thead><tr><th scope=\"col\">Mistake</th><th scope=\"col\">Result</th><th scope=\"col\">Made for real \
         in</th></tr></thead><tbody>"
    )?;
    let mut sorted: Vec<_> = proof.faults.iter().collect();
    sorted.sort_by_key(|fault| fault.result);
    for fault in sorted {
        let (class, word) = match fault.result {
            FaultResult::Killed => ("open", "✓ found"),
            FaultResult::Survived => ("violated", "! not found"),
            FaultResult::Spilled => ("violated", "! found in the wrong cells"),
            FaultResult::NotJudged => ("unclear", "? not judged"),
            FaultResult::NotCovered => ("none", "not covered"),
        };
        write!(
            out,
            "<tr><th scope=\"row\">{}<span class=\"asks\"><code>{}</code></span></th>",
            Escaped(&fault.title),
            Escaped(&fault.id)
        )?;
        write!(out, "<td><span class=\"badge {class}\">{word}</span>")?;
        if fault.red_cells > 0 {
            write!(out, " {} red", grouped(fault.red_cells))?;
        }
        if !fault.note.is_empty() {
            write!(out, "<br>{}", Escaped(&fault.note))?;
        }
        writeln!(out, "</td><td>{}</td></tr>", Escaped(&fault.reference))?;
    }
    writeln!(out, "</tbody></table></div></section>")
}

/// How many of how many, where, with what; and what was red although nothing was wrong.
fn how_they_were_made(out: &mut String, proof: &Proof) -> fmt::Result {
    let catalogue = match (proof.catalogue, proof.part_of()) {
        (_, Some(all)) => {
            format!("{} chosen out of the {} of the catalogue", grouped(proof.faults.len()), grouped(all))
        }
        (Some(all), None) => format!("all {} of the catalogue", grouped(all)),
        (None, None) => "not known of how many".to_owned(),
    };
    let unknown = || "not known".to_owned();
    let backend = proof.backend.map_or_else(unknown, |backend| backend.to_string());
    let tool = proof.tool.as_ref().map_or_else(unknown, ToString::to_string);
    writeln!(out, "<dl class=\"facts\">")?;
    for (name, value) in [("Mistakes", catalogue), ("Backend", backend), ("Made by", tool)] {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Escaped(&value))?;
    }
    writeln!(out, "<dt>Exit code</dt><dd>{}</dd>\n</dl>", proof.exit_code)?;
    let cells: usize = proof.controls.iter().map(|control| control.cells).sum();
    let alarms: Vec<_> = proof.false_alarms().collect();
    let (class, sign, words) = match (proof.controls.is_empty(), alarms.len()) {
        (true, _) => ("unclear", "?", "No run without a mistake is told of.".to_owned()),
        (false, 0) => {
            ("open", "✓", format!("Without a mistake nothing was red in {} cells.", grouped(cells)))
        }
        (false, count) => {
            ("violated", "!", format!("False alarms, where no mistake was made: {}.", grouped(count)))
        }
    };
    writeln!(out, "<p><span class=\"badge {class}\">{sign}</span> {words}</p>")?;
    if !alarms.is_empty() {
        writeln!(out, "<ul class=\"plain\">")?;
        for alarm in alarms.iter().take(SHOWN_ALARMS) {
            writeln!(out, "<li>{}</li>", Escaped(alarm))?;
        }
        if let Some(more) = alarms.len().checked_sub(SHOWN_ALARMS).filter(|more| *more > 0) {
            writeln!(out, "<li>and {} more, in report.json</li>", grouped(more))?;
        }
        writeln!(out, "</ul>")?;
    }
    Ok(())
}

/// The scenarios, those that did not pass first.
pub(super) fn scenarios(out: &mut String, report: &Report) -> fmt::Result {
    let Some(found) = &report.scenarios else { return Ok(()) };
    let passed = found.scenarios.iter().filter(|one| one.conclusion == Conclusion::Passed).count();
    writeln!(out, "<section aria-labelledby=\"scenarios\"><h2 id=\"scenarios\">Scenarios</h2>")?;
    writeln!(
        out,
        "<p>{} of {} scenarios passed; {} need what this backend does not have.</p>\n<ul class=\"plain\">",
        grouped(passed),
        grouped(found.scenarios.len()),
        grouped(found.not_covered.len())
    )?;
    let mut sorted: Vec<_> = found.scenarios.iter().collect();
    sorted.sort_by_key(|one| std::cmp::Reverse(one.conclusion));
    for one in sorted.iter().take_while(|one| one.conclusion != Conclusion::Passed) {
        let look = Look::of(one.conclusion, &bulkhead_plan::access::Expectation::Allowed);
        writeln!(
            out,
            "<li><span class=\"badge {}\">{}</span> {} › {}: {}</li>",
            look.class(),
            look.sign(),
            Escaped(&one.feature),
            Escaped(&one.name),
            Escaped(&one.why)
        )?;
    }
    writeln!(out, "</ul>\n<details><summary>All that passed</summary><ul class=\"plain\">")?;
    for one in sorted.iter().filter(|one| one.conclusion == Conclusion::Passed) {
        writeln!(out, "<li>{} › {}</li>", Escaped(&one.feature), Escaped(&one.name))?;
    }
    writeln!(out, "</ul></details></section>")
}

/// What was not asked for, and why; and what is wrong with the table itself.
pub(super) fn not_covered(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "<section aria-labelledby=\"not-covered\"><h2 id=\"not-covered\">Not covered</h2>")?;
    if !report.flaws.is_empty() {
        writeln!(
            out,
            "<h3>Flaws of the table</h3>\n<p>While these stand, nothing is proven.</p>\n<ul class=\"plain\">"
        )?;
        for flaw in &report.flaws {
            writeln!(out, "<li><span class=\"badge unclear\">?</span> {}</li>", Escaped(flaw))?;
        }
        writeln!(out, "</ul>\n<h3>Not asked</h3>")?;
    }
    if let Some(part) = &report.run.part {
        let (cells, of) = (grouped(part.cells), grouped(part.of));
        writeln!(
            out,
            "<p class=\"note\">Only {cells} of {of} cells were attempted. The rest of the table is not covered.</p>"
        )?;
    }
    match report.not_covered.is_empty() {
        true => writeln!(out, "<p>The isolation model says something of every cell of the table.</p>")?,
        false => writeln!(
            out,
            "<p>Of these attempts the isolation model says nothing in this environment. They were not made, and count \
             for nothing.</p>"
        )?,
    }
    if !report.not_covered.is_empty() {
        writeln!(out, "<table class=\"reasons\"><tbody>")?;
        for unasked in &report.not_covered {
            let (cells, reason) = (grouped(unasked.cells), Escaped(&unasked.reason));
            writeln!(out, "<tr><td class=\"number\">{cells}</td><td>{reason}</td></tr>")?;
        }
        writeln!(out, "</tbody></table>")?;
    }
    if let Some(scenarios) = report.scenarios.as_ref().filter(|found| !found.not_covered.is_empty()) {
        writeln!(out, "<h3>Scenarios that need another backend</h3>\n<ul class=\"plain\">")?;
        for one in &scenarios.not_covered {
            let (feature, name, reason) = (Escaped(&one.feature), Escaped(&one.name), Escaped(&one.reason));
            writeln!(out, "<li>{feature} › {name}: {reason}</li>")?;
        }
        writeln!(out, "</ul>")?;
    }
    writeln!(out, "</section>")
}

/// What a third party does with the archive beside the page.
pub(super) fn how_to_verify(out: &mut String, report: &Report) -> fmt::Result {
    let (has, of) = match &report.platform.started_by {
        StartedBy::Bulkhead { .. } => ("the specification", "the specification"),
        StartedBy::Others(_) => ("the platform’s description", "it"),
    };
    writeln!(
        out,
        r#"<section aria-labelledby="verify"><h2 id="verify">How to verify</h2>
<p>This page is one file of <code>evidence.tar.zst</code>. The archive also has {has}, every attempt as JSON,
the certificates of all identities, the servers’ logs as far as they could be read, and <code>MANIFEST.json</code> with the SHA-256 of each file. The
manifest is signed with Ed25519.</p>
<p>With the tool, which computes hashes, signature and the verdict itself again, and compares the attempts with what its own
oracle predicts for {of}:</p>
<pre>cargo xtask verify-evidence evidence.tar.zst --public-key signer.pem</pre>
<p>With public tools:</p>
<pre>tar --zstd -xf evidence.tar.zst &amp;&amp; cd evidence
openssl pkeyutl -verify -pubin -inkey signer.pem -rawin -in MANIFEST.json -sigfile evidence.sig
jq -r '.files[] | .sha256 + "  " + .path' MANIFEST.json | sha256sum --check --quiet</pre>
<p>Take <code>signer.pem</code> from whoever vouches for this run. The <code>evidence.pub</code> in the archive is the same key
only if nobody replaced both; on its own it shows that nothing was changed since, and not by whom it was made.</p>
</section>"#
    )
}
