//! What the evidence of somebody else's platform is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bulkhead_evidence::bundle::{Material, Secrets};
use bulkhead_evidence::report::Hidden;
use bulkhead_identity::{PeerName, PlatformName};
use bulkhead_plan::foreign::{JudgedPlatform, PlatformDescription};
use bulkhead_runtime::probe::records::{Excerpt, Source};

use super::hidden_of_this_machine;
use crate::exit::{Failure, OrExit as _};

/// Somebody else's platform, and the places in its logs from which lines are a run's.
pub(crate) struct Theirs {
    description: PlatformDescription,
    platform: JudgedPlatform,
    folder: PathBuf,
    logs: BTreeMap<String, Excerpt>,
}

impl Theirs {
    /// Of a description and the folder that it is in. To be made before the first attempt.
    pub(crate) fn new(description: PlatformDescription, platform: JudgedPlatform, folder: PathBuf) -> Self {
        let logs = platform.services.iter().filter_map(|(role, service)| {
            Some((role.to_string(), Excerpt::from_now(Source::of(&service.records)?)))
        });
        let logs = logs.collect();
        Self { description, platform, folder, logs }
    }

    pub(super) fn platform(&self) -> &JudgedPlatform {
        &self.platform
    }

    /// Where its broker listens, if it has one.
    pub(super) fn broker(&self) -> Option<&str> {
        let broker = self.platform.services.get(&PeerName::Platform(PlatformName::Nats))?;
        Some(&broker.address)
    }

    pub(super) fn hidden(&self) -> Hidden {
        hidden_of_this_machine().with(&self.folder, "[platform]")
    }

    /// Every key that the description names, and those that a run beside it made.
    pub(super) fn secrets(&self) -> Result<Secrets, Failure> {
        let of_credentials =
            self.platform.credentials.values().flat_map(|one| [one.key.as_path(), one.certificate.as_path()]);
        let of_authorities = self
            .platform
            .authorities
            .values()
            .flat_map(|files| files.key.as_deref().into_iter().chain([files.certificate.as_path()]));
        let files: Vec<&Path> = of_credentials.chain(of_authorities).collect();
        Secrets::in_files(files, &self.platform.state_dir).or_not_judged()
    }

    pub(super) async fn material(self) -> Result<Material, Failure> {
        let hidden = self.hidden();
        let mut logs = BTreeMap::new();
        for (service, excerpt) in self.logs {
            match excerpt.lines().await {
                Ok(lines) => {
                    logs.insert(service, lines);
                }
                // It is no verdict on anybody: what the run could not read of it is judged already.
                Err(why) => eprintln!("{:>12} the evidence is without what {service} wrote: {why}", "Note"),
            }
        }
        let description = self.description.seen_from(&self.folder);
        Material::of_described(&self.platform, &description, &logs, &hidden).or_not_judged()
    }
}
