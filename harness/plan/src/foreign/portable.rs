//! A description that leaves the machine it was written on.

use std::path::{Path, PathBuf};

use super::written::{Identity, PlatformDescription, Records};

impl PlatformDescription {
    /// The same, with what lies below `folder` (the file's own, absolute) named from there: whoever reads it elsewhere needs
    /// no absolute path to see which files were the same one.
    #[must_use]
    pub fn seen_from(mut self, folder: &Path) -> Self {
        self.each_path(&mut |path| {
            if let Ok(below) = path.strip_prefix(folder) {
                *path = below.to_owned();
            }
        });
        self
    }

    fn each_path(&mut self, change: &mut impl FnMut(&mut PathBuf)) {
        let trust = &mut self.trust;
        change(&mut trust.root);
        let others = [&mut trust.root_key, &mut trust.platform_authority, &mut trust.platform_authority_key];
        others.into_iter().flatten().for_each(&mut *change);
        let platform = &mut self.platform;
        let services = [&mut platform.nats, &mut platform.poller, &mut platform.administrator];
        for service in services.into_iter().flatten() {
            service.identity.iter_mut().for_each(|identity| of_identity(identity, change));
            of_records(&mut service.records, change);
        }
        for tenant in &mut self.tenants {
            [&mut tenant.authority, &mut tenant.authority_key].into_iter().flatten().for_each(&mut *change);
            for agent in &mut tenant.agents {
                of_identity(&mut agent.identity, change);
                of_records(&mut agent.records, change);
            }
        }
    }
}

fn of_identity(identity: &mut Identity, change: &mut impl FnMut(&mut PathBuf)) {
    change(&mut identity.certificate);
    change(&mut identity.key);
}

fn of_records(records: &mut Records, change: &mut impl FnMut(&mut PathBuf)) {
    match records {
        Records::File(path) => change(path),
        Records::None | Records::Container(_) => {}
    }
}
