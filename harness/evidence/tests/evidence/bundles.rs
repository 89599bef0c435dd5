//! Bundles that nobody changed.

use bulkhead_evidence::bundle::{self, Bundle, BundleError, Secrets, check_writable};
use bulkhead_evidence::sign::{KeyOrigin, SigningKey};
use bulkhead_evidence::verify::{Limits, Signer, VerifyError, verify};

use crate::support::{bundle, leaking, material, part, tool, verified, well};

#[test]
fn evidence_is_verified_wherever_it_stands() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::ephemeral().unwrap());
    for report in [well(), leaking()] {
        let made = bundle(&report, &key);
        let written = bundle::write(folder.path(), &made).unwrap();
        for path in [folder.path(), written.archive.as_path()] {
            let found = verified(path);
            assert_eq!(found.problems, Vec::<String>::new(), "{path:?}");
            assert_eq!(found.verdict.clone().unwrap(), report.verdict);
            let fingerprint = key.public().fingerprint();
            assert_eq!(found.signer, Some(Signer::KeyInside { fingerprint, origin: KeyOrigin::Ephemeral }));
            assert!(found.holds());
        }
        let unpacked = tempfile::tempdir().unwrap();
        unpack(&made, unpacked.path());
        assert_eq!(verified(&unpacked.path().join("evidence")).problems, Vec::<String>::new());
    }
}

/// As `tar --zstd -xf` does.
pub(crate) fn unpack(bundle: &Bundle, folder: &std::path::Path) {
    let decoder = zstd_of(&bundle.archive);
    tar::Archive::new(decoder.as_slice()).unpack(folder).unwrap();
}

pub(crate) fn zstd_of(archive: &[u8]) -> Vec<u8> {
    zstd::decode_all(archive).unwrap()
}

#[test]
fn the_small_table_is_a_part_and_the_whole_one_is_whole() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::ephemeral().unwrap());
    bundle::write(folder.path(), &bundle(&well(), &key)).unwrap();
    let found = verified(folder.path());
    assert!(found.passed.iter().any(|what| what.contains("all that the oracle predicts")), "{found:#?}");
    assert_eq!(found.notes, Vec::<String>::new());

    let small = part("js.purge");
    bundle::write(folder.path(), &bundle(&small, &key)).unwrap();
    let found = verified(folder.path());
    assert!(found.holds(), "{found:#?}");
    assert_eq!(found.verdict.unwrap(), small.verdict);
    assert!(
        found.notes[0].contains("with \"js.purge\" in their names were made: a part of the table, "),
        "{:?}",
        found.notes
    );
}

#[test]
fn a_given_key_says_who_signed_and_another_one_refuses() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::ephemeral().unwrap());
    bundle::write(folder.path(), &bundle(&well(), &key)).unwrap();
    let with =
        |key: &SigningKey| verify(folder.path(), Some(&key.public()), &tool(), Limits::default()).unwrap();
    let found = with(&key);
    assert!(found.holds());
    assert_eq!(found.signer, Some(Signer::GivenKey { fingerprint: key.public().fingerprint() }));
    let other = with(&SigningKey::ephemeral().unwrap());
    assert!(!other.holds() && other.signer.is_none());
    assert_eq!(other.problems, ["MANIFEST.json is not signed with the key that was given"]);
}

#[test]
fn the_same_run_makes_the_same_bytes() {
    let key = SigningKey::ephemeral().unwrap();
    assert_eq!(bundle(&well(), &key).archive, bundle(&well(), &key).archive);
}

#[test]
fn a_folder_without_evidence_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify(folder.path(), None, &tool(), Limits::default()).unwrap_err();
    assert!(matches!(error, VerifyError::Nothing(_)), "{error}");
    let error = verify(&folder.path().join("absent"), None, &tool(), Limits::default()).unwrap_err();
    assert!(matches!(error, VerifyError::Unreadable { .. }), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_known_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    check_writable(&folder.path().join("file/below")).unwrap_err();
    check_writable(&folder.path().join("new/one")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("new/one")).unwrap().count(), 0);
}

#[test]
fn a_bundle_with_a_private_key_is_not_made() {
    let mut report = well();
    let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    report.cells[0].evidence.push(format!("the log says {pem}"));
    let made = Bundle::make(&report, material(), &Secrets::none(), &SigningKey::ephemeral().unwrap());
    let error = made.unwrap_err();
    assert!(matches!(error, BundleError::Secret(_)), "{error}");
}

/// It lies wherever its owner keeps it, and not where the run's keys are.
#[test]
fn a_bundle_with_the_key_that_signs_it_is_not_made() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use std::os::unix::fs::PermissionsExt as _;

    let start = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let seed: Vec<u8> = (0..32).map(|byte| byte * 7 + 3).collect();
    let der = [&start[..], &seed].concat();
    let file = tempfile::NamedTempFile::new().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&der));
    std::fs::write(file.path(), pem).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = SigningKey::read(file.path()).unwrap();
    let hexadecimal: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    for form in [STANDARD.encode(&der), STANDARD.encode(&seed), hexadecimal.to_uppercase(), hexadecimal] {
        let mut report = well();
        report.cells[0].evidence.push(format!("the log says {form}"));
        let error = Bundle::make(&report, material(), &Secrets::none(), &key).map(|_| ()).expect_err(&form);
        assert!(error.to_string().contains("(the key that signs)"), "{form}: {error}");
    }
    Bundle::make(&well(), material(), &Secrets::none(), &key).unwrap();
}

/// What docs/evidence.md and the limits of a verifier rest on.
#[test]
#[ignore = "run it to learn sizes and times, with --nocapture"]
fn a_hundred_thousand_attempts() {
    use std::time::Instant;

    let report = crate::support::large(30);
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let made = bundle(&report, &SigningKey::ephemeral().unwrap());
    println!(
        "{} cells; made in {:?}, {} bytes packed",
        report.cells.len(),
        began.elapsed(),
        made.archive.len()
    );
    for name in ["report.json", "report.html", "junit.xml"] {
        println!("{name}: {} bytes", made.files[name].len());
    }
    bundle::write(folder.path(), &made).unwrap();
    if let Some(kept) = std::env::var_os("BULKHEAD_KEEP") {
        bundle::write(std::path::Path::new(&kept), &made).unwrap();
    }
    let began = Instant::now();
    let found = verified(folder.path());
    println!("verified in {:?}: {:?}", began.elapsed(), found.problems);
}
