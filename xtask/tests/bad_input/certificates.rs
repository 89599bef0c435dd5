//! `certs explain` for files that are not there, are no certificates, or are not acceptable.

use std::path::Path;

use bulkhead_plan::pki::{self, ExistingCertificates, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Topology};
use time::OffsetDateTime;

use crate::support::{Ended, OK, REFUSED, USAGE, file, xtask};

const LEAF: &str = "tenants/acme/components/agent-001.p1-chain.pem";
const KEY: &str = "tenants/acme/components/agent-001.p1-key.pem";

/// The certificates of acme and globex, as `dev` writes them.
fn certificates() -> tempfile::TempDir {
    let spec = EnvironmentSpec::with_tenants("explained".parse().unwrap(), 2, 1).unwrap();
    let topology = Topology::new(&spec).unwrap();
    let (now, none) = (OffsetDateTime::now_utc(), ExistingCertificates::none());
    let pki = pki::plan(&topology, &mut SystemKeys::new(), now, &none).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for file in pki.files() {
        let path = folder.path().join(file.path.strip_prefix("certs").unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.contents.as_bytes()).unwrap();
    }
    folder
}

/// Asks about acme's agent as a server unless `changed` says otherwise.
fn explain(folder: &Path, changed: &[(&str, &str)], further: &[&str]) -> Ended {
    let value = |name: &str, usual: &str| {
        let changed = changed.iter().find(|(changed, _)| *changed == name);
        changed.map_or(usual, |(_, value)| *value).to_owned()
    };
    let path = |name: &str, usual: &str| folder.join(value(name, usual)).to_str().unwrap().to_owned();
    let (root, authority) = (path("root", "root.pem"), path("authority", "tenants/acme/ca.pem"));
    let (expect, role, leaf) = (value("expect", "acme"), value("as", "server"), path("leaf", LEAF));
    let mut line = vec!["certs", "explain", "--root", &root, "--tenant-ca", &authority];
    line.extend(["--expect", &expect, "--as", &role, &leaf]);
    line.extend(further);
    xtask(&line, &[])
}

#[test]
fn a_good_certificate_is_accepted_in_both_roles() {
    let folder = certificates();
    for role in ["server", "client"] {
        let ended = explain(folder.path(), &[("as", role)], &[]);
        assert_eq!(ended.code, Some(OK), "{ended:#?}");
    }
    let ended = explain(folder.path(), &[("expect", "agent-001.p1.acme.serviceradar")], &[]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
}

#[test]
fn a_certificate_of_another_tenant_is_refused() {
    let folder = certificates();
    for further in [&[][..], &["--json"]] {
        let ended =
            explain(folder.path(), &[("leaf", "tenants/globex/components/agent-001.p1-chain.pem")], further);
        assert_eq!(ended.code, Some(REFUSED), "{ended:#?}");
        assert!(ended.output.contains("globex"), "{ended:#?}");
    }
    let ended = explain(folder.path(), &[("expect", "globex")], &["--json"]);
    assert_eq!(ended.code, Some(REFUSED), "{ended:#?}");
    let told: serde_json::Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(told.get("accepted"), Some(&serde_json::Value::Bool(false)), "{told:#}");
}

#[test]
fn files_that_are_not_there() {
    let folder = certificates();
    for role in ["root", "authority", "leaf"] {
        let ended = explain(folder.path(), &[(role, "missing.pem")], &[]);
        ended.assert_refused(role, USAGE, &["missing.pem", "No such file"]);
    }
    let ended = explain(folder.path(), &[], &["/nonexistent/chain.pem"]);
    ended.assert_refused("the chain", USAGE, &["/nonexistent/chain.pem", "No such file"]);
}

#[test]
fn files_that_hold_no_certificate() {
    let folder = certificates();
    let garbage = file(&folder, "garbage.pem", "this is no certificate\n");
    for leaf in [garbage.as_str(), KEY, "/dev/null"] {
        let ended = explain(folder.path(), &[("leaf", leaf)], &[]);
        ended.assert_refused(leaf, USAGE, &["read certificates from", leaf, "CERTIFICATE"]);
    }
    for role in ["root", "authority"] {
        let ended = explain(folder.path(), &[(role, "garbage.pem")], &[]);
        assert_eq!(ended.code, Some(REFUSED), "a trust file that is none is a rule that fails: {ended:#?}");
        assert!(ended.output.contains("PEM"), "{ended:#?}");
    }
}

#[test]
fn an_expectation_that_is_no_name() {
    let folder = certificates();
    let cases = [
        ("Acme", "not a tenant slug"),
        ("platform", "reserved"),
        ("", "not a tenant slug"),
        ("agent-001.p1.acme.example", "serviceradar"),
    ];
    for (expect, word) in cases {
        let ended = explain(folder.path(), &[("expect", expect)], &[]);
        ended.assert_refused(expect, USAGE, &["--expect", expect, word]);
    }
}
