//! Evidence that was never right: somebody signs what does not follow, or packs what must not be unpacked.

use std::io::Write as _;

use bulkhead_evidence::bundle::{self, ARCHIVE, Bundle, Secrets};
use bulkhead_evidence::report::{
    CellReport, Report, RequirementOutcome, RequirementReport, Tool, VerdictWord, counts, picture, standards,
};
use bulkhead_evidence::sign::{PublicKey, SigningKey};
use bulkhead_evidence::verify::{Limits, verify};
use bulkhead_plan::access::{Conclusion, Outcome};
use tar::{EntryType, Header};

use crate::support::{bundle, leaking, material, part, tool, verified, well};

/// What is found wrong with a report that was changed before it was signed.
fn problems_of(mut report: Report, change: impl FnOnce(&mut Report)) -> Vec<String> {
    change(&mut report);
    let folder = tempfile::tempdir().unwrap();
    bundle::write(folder.path(), &bundle(&report, &SigningKey::ephemeral().unwrap())).unwrap();
    verified(folder.path()).problems
}

#[track_caller]
fn assert_says(problems: &[String], words: &str) {
    assert!(
        problems.iter().any(|problem| problem.contains(words)),
        "no problem says {words:?}: {problems:#?}"
    );
}

fn violated(report: &mut Report) -> &mut CellReport {
    report.cells.iter_mut().find(|cell| cell.conclusion == Conclusion::Violated).unwrap()
}

#[test]
fn a_verdict_that_does_not_follow_is_refused() {
    let problems = problems_of(leaking(), |report| {
        report.verdict.word = VerdictWord::Isolated;
        report.verdict.exit_code = 0;
    });
    assert_says(&problems, "the verdict does not follow from the cells: they come to exit code 4");
    let problems = problems_of(leaking(), |report| violated(report).conclusion = Conclusion::Passed);
    assert_says(&problems, "the conclusion does not follow from expected and found");
    assert_says(&problems, "the counts are not those of the cells");
    assert_says(&problems, "the picture is not that of the cells");
    let problems = problems_of(leaking(), |report| report.counts[0].passed += 1);
    assert_says(&problems, "the counts are not those of the cells");
    let problems = problems_of(well(), |report| {
        let again = report.cells[0].clone();
        report.cells.push(again);
    });
    assert_says(&problems, "there twice");
}

fn requirement<'a>(report: &'a mut Report, id: &str) -> &'a mut RequirementReport {
    let mut requirements = report.standards.iter_mut().flat_map(|standard| &mut standard.requirements);
    requirements.find(|requirement| requirement.id == id).unwrap()
}

#[test]
fn what_is_said_of_standards_and_does_not_follow_is_refused() {
    const SAYS: &str = "what the report says of standards does not follow from the cells: ";
    let asvs = "v5.0.0-8.4.1";
    let problems =
        problems_of(leaking(), |report| requirement(report, asvs).outcome = RequirementOutcome::Held);
    assert_says(&problems, &format!("{SAYS}{asvs} comes to violated, and the report says held"));
    let problems = problems_of(part("js.purge"), |report| {
        requirement(report, asvs).outcome = RequirementOutcome::Held;
    });
    assert_says(&problems, "comes to partly-held, and the report says held");
    let problems = problems_of(well(), |report| {
        requirement(report, asvs).proved_by.remove(0);
    });
    assert_says(&problems, &format!("{SAYS}what {asvs} rests on is something else"));
    let problems = problems_of(leaking(), |report| {
        report.standards[0].requirements.clear();
    });
    assert_says(&problems, &format!("{SAYS}{asvs} is missing"));
    let problems = problems_of(well(), |report| report.standards.swap(1, 2));
    assert_says(&problems, &format!("{SAYS}there is more or it is in another order"));
}

#[test]
fn an_expected_reason_that_nobody_saw_is_a_flaw_that_must_be_said() {
    let problems = problems_of(well(), |report| {
        for cell in &mut report.cells {
            if matches!(cell.found, Outcome::Denied(reason) if reason.code() == "quota") {
                cell.found = Outcome::Inconclusive("not made".to_owned());
                cell.conclusion = Conclusion::Inconclusive;
            }
        }
        settle(report);
    });
    assert_says(&problems, "an expected reason was never seen in the whole run");
}

/// Everything that follows, so that only what was changed is wrong.
fn settle(report: &mut Report) {
    report.counts = counts(&report.cells);
    report.picture = picture(&report.cells);
    report.standards = standards(report);
    report.verdict = bulkhead_evidence::report::Verdict::of(report);
}

#[test]
fn a_table_with_a_row_less_is_refused() {
    let problems = problems_of(well(), |report| {
        report.cells.retain(|cell| !cell.operation.starts_with("js.purge"));
        settle(report);
    });
    assert_says(
        &problems,
        "the cells are not those that the oracle predicts for the specification; missing: ",
    );
    let problems = problems_of(well(), |report| {
        let cell = report.cells.iter_mut().find(|cell| cell.found == Outcome::Unreachable).unwrap();
        cell.expected = bulkhead_evidence::report::Expected::Allowed;
        cell.found = Outcome::Allowed;
        settle(report);
    });
    assert_says(&problems, "not predicted so: ");
}

#[test]
fn a_part_that_says_it_is_the_whole_or_another_part_is_refused() {
    let problems = problems_of(part("js.purge"), |report| report.verdict = well().verdict);
    assert_says(&problems, "the verdict does not follow from the cells");
    let problems = problems_of(part("js.purge"), |report| {
        report.run.part = None;
        settle(report);
    });
    assert_says(&problems, "predicts for the specification; missing: ");
    let problems = problems_of(part("js.purge"), |report| {
        if let Some(part) = &mut report.run.part {
            part.of -= 1;
        }
        settle(report);
    });
    assert_says(&problems, "the part that was attempted is not ");
    let problems = problems_of(part("js.purge"), |report| {
        report.cells.pop();
        settle(report);
    });
    assert_says(&problems, "its cells are not as many as it says");
}

#[test]
fn a_report_of_another_platform_is_refused() {
    let problems = problems_of(well(), |report| report.platform.tenants[0].slug = "initech".to_owned());
    assert_says(&problems, "the report is of another platform than environment.json");
}

#[test]
fn another_version_s_prediction_is_not_held_against_it() {
    let mut report = well();
    report.cells.retain(|cell| !cell.operation.starts_with("js.purge"));
    settle(&mut report);
    let folder = tempfile::tempdir().unwrap();
    bundle::write(folder.path(), &bundle(&report, &SigningKey::ephemeral().unwrap())).unwrap();
    let later = Tool { version: "9.9.9".to_owned(), ..tool() };
    let found = verify(folder.path(), None, &later, Limits::default()).unwrap();
    assert!(found.holds());
    assert!(found.notes.iter().any(|note| note.contains("check it with that one")), "{found:#?}");
}

#[test]
fn a_report_of_another_schema_is_refused() {
    let problems = problems_of(well(), |report| report.schema_version = 2);
    assert_says(&problems, "report.json cannot be read: it has schema version 2, and this program reads 3");
}

#[test]
fn a_page_that_says_something_else_is_refused() {
    let report = leaking();
    let key = SigningKey::ephemeral().unwrap();
    let right = bundle(&report, &key);
    let mut other = report;
    other.platform.name = "another".to_owned();
    let made = Bundle::make(&other, material(), &Secrets::none(), &key).unwrap();
    let mut files = right.files.clone();
    files.insert("report.html".to_owned(), made.files["report.html"].clone());
    let problems = problems_of_files(&files, &key);
    assert_says(&problems, "report.html is not what report.json comes to");
}

#[test]
fn the_key_that_is_named_is_the_key_that_signed() {
    let [one, other] = [(); 2].map(|()| SigningKey::ephemeral().unwrap());
    let mut files = bundle(&well(), &one).files;
    let says = "MANIFEST.json names another key than the one that signed, or evidence.pub is another one";
    let given = Some(other.public());
    assert_says(&problems_with(&signed(&files, &other), given.as_ref()), says);
    files.insert("evidence.pub".to_owned(), other.public().to_pem().into_bytes());
    assert_says(&problems_with(&signed(&files, &other), None), says);
}

fn problems_with(archive: &[u8], given: Option<&PublicKey>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ARCHIVE);
    std::fs::write(&path, archive).unwrap();
    let found = verify(&path, given, &tool(), Limits::default()).unwrap();
    assert!(!found.holds());
    found.problems
}

/// Signs and packs files as they are.
fn problems_of_files(files: &std::collections::BTreeMap<String, Vec<u8>>, key: &SigningKey) -> Vec<String> {
    problems_with(&signed(files, key), None)
}

fn signed(files: &std::collections::BTreeMap<String, Vec<u8>>, key: &SigningKey) -> Vec<u8> {
    use sha2::Digest as _;
    let mut files = files.clone();
    let mut manifest: serde_json::Value = serde_json::from_slice(&files["MANIFEST.json"]).unwrap();
    for entry in manifest["files"].as_array_mut().unwrap() {
        let bytes = &files[entry["path"].as_str().unwrap()];
        entry["size"] = bytes.len().into();
        let hash: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        entry["sha256"] = hash.into();
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    files.insert("evidence.sig".to_owned(), key.sign(&manifest));
    files.insert("MANIFEST.json".to_owned(), manifest);
    let entries: Vec<(Header, Vec<u8>)> = files
        .into_iter()
        .map(|(path, bytes)| {
            (header(&format!("evidence/{path}"), EntryType::Regular, bytes.len() as u64), bytes)
        })
        .collect();
    packed(&entries, b"")
}

fn header(path: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn packed(entries: &[(Header, Vec<u8>)], rest: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for (header, bytes) in entries {
        text.extend_from_slice(header.as_bytes());
        text.extend_from_slice(bytes);
        text.resize(text.len().next_multiple_of(512), 0);
    }
    text.resize(text.len() + 1024, 0);
    text.extend_from_slice(rest);
    zstd::encode_all(text.as_slice(), 3).unwrap()
}

fn problems_of_entries(entries: &[(Header, Vec<u8>)], rest: &[u8], limits: Limits) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ARCHIVE);
    std::fs::write(&path, packed(entries, rest)).unwrap();
    let found = verify(&path, None, &tool(), limits).unwrap();
    assert!(!found.holds());
    found.problems
}

#[test]
fn an_archive_that_would_write_elsewhere_is_refused() {
    for path in ["../evil", "/etc/evil", "evidence/../../evil", "evil", "evidence/./x"] {
        let problems =
            problems_of_entries(&[(header(path, EntryType::Regular, 0), Vec::new())], b"", Limits::default());
        assert_says(&problems, &format!("the path {path:?} in the archive "));
    }
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::XHeader,
    ];
    for kind in kinds {
        let problems =
            problems_of_entries(&[(header("evidence/x", kind, 0), Vec::new())], b"", Limits::default());
        assert_says(&problems, "\"evidence/x\" in the archive is not a plain file");
    }
}

#[test]
fn an_archive_that_is_too_large_is_not_unpacked() {
    let limits = Limits { total_bytes: 1 << 20, kept_bytes: 1 << 10, files: 10 };
    let zeros = vec![0; 2 << 20];
    let bomb = [(header("evidence/x", EntryType::Regular, zeros.len() as u64), zeros)];
    assert_says(&problems_of_entries(&bomb, b"", limits), "x says that it has 2097152 bytes");
    let half = vec![0; 700 << 10];
    let entry = |name: &str| (header(name, EntryType::Regular, half.len() as u64), half.clone());
    let bomb = [entry("evidence/x"), entry("evidence/y")];
    assert_says(&problems_of_entries(&bomb, b"", limits), "unpacked, it is larger than is read");
    let bomb = [entry("evidence/report.json")];
    assert_says(
        &problems_of_entries(&bomb, b"", limits),
        "report.json is larger than what is kept in memory",
    );
    let many: Vec<_> = (0..11)
        .map(|file| (header(&format!("evidence/{file}"), EntryType::Regular, 0), Vec::new()))
        .collect();
    assert_says(&problems_of_entries(&many, b"", limits), "there are more than 10 files");
}

#[test]
fn an_archive_with_something_hidden_is_refused() {
    let entry = |bytes: &[u8]| (header("evidence/x", EntryType::Regular, bytes.len() as u64), bytes.to_vec());
    let problems = problems_of_entries(&[entry(b"one"), entry(b"two")], b"", Limits::default());
    assert_says(&problems, "x is there twice");
    let problems = problems_of_entries(&[entry(b"one")], b"behind the end", Limits::default());
    assert_says(&problems, "there is something behind the end of the archive");
}

#[test]
fn what_is_no_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ARCHIVE);
    let whole = bundle(&well(), &SigningKey::ephemeral().unwrap()).archive;
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bytes in [&b""[..], b"no archive", &whole[..whole.len() / 2], &flipped] {
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        let found = verify(&path, None, &tool(), Limits::default()).unwrap();
        assert!(!found.holds(), "{} bytes", bytes.len());
    }
}
