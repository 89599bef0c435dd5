//! Which faults the programs take.

use std::path::Path;
use std::process::Command;

use bulkhead_identity::seeded::{Place, SeededFault};

use crate::agent_common::{AGENT, Setup};
use crate::poller_common::{self, POLLER};

/// What a program says, and ends with, that cannot start.
fn refused(program: &str, config: &Path) -> String {
    let output = Command::new(program).arg("--config").arg(config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

fn agent_refuses(fault: &str) -> String {
    let setup = Setup::alone();
    let config = setup.config(AGENT, &format!("seeded_fault: {fault}"));
    refused(env!("CARGO_BIN_EXE_bulkhead-agent-seeded"), &config)
}

fn poller_refuses(fault: &str) -> String {
    let forge = poller_common::forge();
    let files = forge.issue(POLLER);
    let trust = forge.trust_files(&[]);
    let text = format!(
        "identity: {{ certificate: {:?}, key: {:?} }}\ntrust: {{ root: {:?}, platform: [{:?}] }}\n\
         listen: 127.0.0.1:0\nnats: {{ address: \"127.0.0.1:1\" }}\ntenants: []\nseeded_fault: {fault}\n",
        files.certificate, files.key, trust.root, trust.platform[0],
    );
    let config = forge.directory().join("poller.yaml");
    std::fs::write(&config, text).unwrap();
    refused(env!("CARGO_BIN_EXE_bulkhead-poller-seeded"), &config)
}

#[test]
fn a_fault_that_is_none_is_refused_with_those_that_are() {
    for message in [agent_refuses("no-such-fault"), poller_refuses("no-such-fault")] {
        for fault in SeededFault::ALL {
            assert!(message.contains(fault.id()), "{}: {message}", fault.id());
        }
    }
}

#[test]
fn a_fault_of_the_other_program_is_refused() {
    for fault in SeededFault::ALL {
        let message = match fault.place() {
            Place::Agent => poller_refuses(fault.id()),
            Place::Poller => agent_refuses(fault.id()),
            Place::Identity | Place::Kit => continue,
        };
        assert!(message.contains(&format!("there is no seeded fault {:?}", fault.id())), "{message}");
        assert!(message.contains("verifier-root-is-enough"), "{message}");
    }
}
