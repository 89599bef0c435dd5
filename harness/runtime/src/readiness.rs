//! Whether a service is ready: asked from outside, over mTLS, as the platform's administrator would ask.
//!
//! Each service must also prove who it is. A service is asked again and again at a short fixed interval, so that the
//! time of a start is the services' and not the harness's.

mod grpc;
mod nats;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_identity::{
    AuthorityName, IssuingAuthority, PeerName, PeerPattern, PeerVerifier, TrustBundle, TrustRoot,
};
use bulkhead_plan::Role;
use bulkhead_plan::pki::CertificatePaths;
use zeroize::Zeroizing;

use crate::engine::chain;
use crate::error::Failure;

/// Between two questions.
const POLL: Duration = Duration::from_millis(5);
/// How long one question may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Asks services whether they are ready.
#[derive(Debug, Clone)]
pub struct Readiness {
    state_folder: PathBuf,
    root: TrustRoot,
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// One service, as it is seen from the host.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What it does.
    pub role: Role,
    /// Who it must prove to be.
    pub name: &'a PeerName,
    /// `host:port`.
    pub address: &'a str,
}

impl Readiness {
    /// Asks with the administrator's credential from a state folder.
    pub fn from_state(state_folder: &Path) -> Result<Self, Failure> {
        let admin = CertificatePaths::of_leaf(&PeerName::Platform(bulkhead_identity::PlatformName::Admin));
        let root = CertificatePaths::of_authority(&AuthorityName::Root);
        let read = |path: PathBuf| {
            let path = state_folder.join(path);
            std::fs::read(&path)
                .map_err(|error| unusable(state_folder, format!("{}: {error}", path.display())))
        };
        Ok(Self {
            state_folder: state_folder.to_owned(),
            root: TrustRoot::from_pem(&read(root.certificate)?)
                .map_err(|error| unusable(state_folder, chain(&error)))?,
            chain: read(admin.chain.unwrap_or(admin.certificate))?,
            key: Zeroizing::new(read(admin.key)?),
        })
    }

    /// Waits until the service answers as it should, or says what was seen last.
    pub async fn wait(&self, target: Target<'_>, timeout: Duration) -> Result<(), String> {
        let verifier = self.verifier_for(target.name)?;
        let deadline = Instant::now() + timeout;
        match target.role {
            Role::Nats => poll(deadline, || nats::ping(self, &verifier, target)).await,
            Role::Agent | Role::Poller => {
                let door = grpc::Door::new(self, &verifier, target)?;
                let channel = poll(deadline, || door.connect()).await?;
                poll(deadline, || grpc::serving(channel.clone())).await
            }
        }
    }

    /// Knows the one authority that may issue the name, and accepts the one name.
    fn verifier_for(&self, name: &PeerName) -> Result<PeerVerifier, String> {
        let authority = AuthorityName::responsible_for(name);
        let path = self.state_folder.join(CertificatePaths::of_authority(&authority).certificate);
        let pem = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let text = |error: &dyn std::error::Error| chain(error);
        let issuer = IssuingAuthority::from_pem(&pem).map_err(|error| text(&error))?;
        let bundle = TrustBundle::new(self.root.clone(), vec![issuer]).map_err(|error| text(&error))?;
        let accepted = vec![PeerPattern::Exactly(name.clone())];
        PeerVerifier::new(Arc::new(bundle), accepted, bulkhead_identity::Role::Server)
            .map_err(|error| text(&error))
    }
}

fn unusable(folder: &Path, reason: String) -> Failure {
    Failure::Certificates { folder: folder.join("certs"), reason }
}

/// No async closure: a future that waits for one is not seen to be `Send` (rust-lang/rust#110338), and whoever waits may
/// want to do so in a task of its own.
async fn poll<T, A: Future<Output = Result<T, String>>>(
    deadline: Instant,
    mut attempt: impl FnMut() -> A,
) -> Result<T, String> {
    loop {
        let seen = match tokio::time::timeout(ATTEMPT, attempt()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(seen)) => seen,
            Err(_) => format!("no answer within {} s", ATTEMPT.as_secs()),
        };
        if Instant::now() >= deadline {
            return Err(seen);
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_plan::pki::{self, ExistingCertificates, SystemKeys};
    use bulkhead_plan::{EnvironmentSpec, Topology};

    use super::*;

    /// A state folder with the certificates of one tenant.
    fn state_folder() -> tempfile::TempDir {
        let spec = EnvironmentSpec::with_tenants("readiness".parse().unwrap(), 1, 1).unwrap();
        let topology = Topology::new(&spec).unwrap();
        let now = time::OffsetDateTime::now_utc();
        let existing = ExistingCertificates::none();
        let pki = pki::plan(&topology, &mut SystemKeys::new(), now, &existing).unwrap();
        let folder = tempfile::tempdir().unwrap();
        crate::workdir::Workdir::at(folder.path()).write(&pki.files()).unwrap();
        folder
    }

    #[test]
    fn a_key_is_in_no_debug_text() {
        let folder = state_folder();
        let readiness = Readiness::from_state(folder.path()).unwrap();
        let text = format!("{readiness:?}");
        let key: &[u8] = &readiness.key;
        let shown = [String::from_utf8_lossy(key).into_owned(), format!("{key:?}")];
        assert!(text.contains(&folder.path().display().to_string()), "{text}");
        assert!(shown.iter().all(|key| !text.contains(key)), "{text}");
    }
}
