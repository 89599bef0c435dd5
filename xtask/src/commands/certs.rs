//! `cargo xtask certs explain`: whether a certificate would be accepted, for files that this project did not make.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use bulkhead_identity::{PeerName, PeerPattern, Question, Role, TenantSlug, certificates_from_pem, explain};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::cli::{CertsCommand, ExplainArguments, PeerRole};
use crate::exit::{self, OrExit as _, Outcome};
use crate::say;

pub(crate) fn run(command: &CertsCommand) -> Outcome {
    match command {
        CertsCommand::Explain(arguments) => explain_files(arguments),
    }
}

fn explain_files(arguments: &ExplainArguments) -> Outcome {
    let accepted = expectation(&arguments.expect).or_usage()?;
    let (leaf, mut chain) = presented(arguments).or_usage()?;
    if let Some(path) = &arguments.chain {
        chain.extend(certificates(path).or_usage()?);
    }
    let root = read(&arguments.root).or_usage()?;
    let authorities: Vec<Vec<u8>> =
        arguments.tenant_ca.iter().map(|path| read(path)).collect::<Result<_, _>>().or_usage()?;
    let explanation = explain(&Question {
        leaf: &leaf,
        chain: &chain,
        root: &root,
        authorities: &authorities,
        accepted: vec![accepted],
        role: match arguments.role {
            PeerRole::Client => Role::Client,
            PeerRole::Server => Role::Server,
        },
        now: UnixTime::now(),
    });
    if arguments.json {
        say::line(serde_json::to_string_pretty(&explanation).or_usage()?);
    } else {
        say::line(&explanation);
    }
    Ok(ExitCode::from(if explanation.accepted { exit::OK } else { exit::REFUSED }))
}

/// A tenant's slug means any of its members; a whole common name means exactly that peer.
fn expectation(text: &str) -> anyhow::Result<PeerPattern> {
    if text.contains('.') {
        let name = text.parse::<PeerName>().with_context(|| format!("--expect {text}"))?;
        return Ok(PeerPattern::Exactly(name));
    }
    let slug = text.parse::<TenantSlug>().with_context(|| format!("--expect {text}"))?;
    Ok(PeerPattern::MemberOf(slug))
}

/// The leaf, and whatever else stands in its file.
fn presented(
    arguments: &ExplainArguments,
) -> anyhow::Result<(CertificateDer<'static>, Vec<CertificateDer<'static>>)> {
    let mut all = certificates(&arguments.leaf)?;
    anyhow::ensure!(!all.is_empty(), "{} holds no certificate: give a PEM file", arguments.leaf.display());
    Ok((all.remove(0), all))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    certificates_from_pem(&read(path)?).with_context(|| format!("read certificates from {}", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}
