//! What cargo built last, and whether it would build the same again: to ask cargo takes longer than to start three
//! tenants.
//!
//! The answer is found as cargo finds it, by comparing times with the list of source files that the compiler wrote
//! beside each program; but by change times (ctime), which no program can set back. When anything at all is different,
//! or cannot be read, cargo is asked.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Programs;
use crate::digest;

/// What decides about a build beside the sources and the manifests of their packages.
const SETTINGS: [&str; 4] = ["Cargo.lock", ".cargo/config.toml", "rust-toolchain.toml", "rust-toolchain"];

/// A note on a build that cargo made, or found to be fresh.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    workspace: PathBuf,
    /// When cargo was asked, in nanoseconds of Unix time: what has changed since is not in the build.
    asked_ns: i128,
    programs: Programs,
    /// The programs' own files, and this very program's: cargo has built it with the same settings and toolchain, so that
    /// others make another file of it.
    identities: [String; 4],
}

impl Record {
    /// The record of the build that is there now. `asked` is the moment before cargo was asked.
    pub(super) fn of(workspace: &Path, asked: SystemTime, programs: &Programs) -> io::Result<Self> {
        let asked_ns = asked.duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?.as_nanos();
        Ok(Self {
            workspace: workspace.to_owned(),
            asked_ns: i128::try_from(asked_ns).map_err(io::Error::other)?,
            programs: programs.clone(),
            identities: identities(programs)?,
        })
    }

    /// The record in `file`, when there is one of `workspace` and nothing has changed since.
    pub(super) fn current(file: &Path, workspace: &Path) -> Option<Self> {
        let text = std::fs::read(file).ok()?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        let same = record.workspace == workspace && identities(&record.programs).ok()? == record.identities;
        (same && record.nothing_has_changed().ok()?).then_some(record)
    }

    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let mut written = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut written, self)?;
        written.persist(file)?;
        Ok(())
    }

    pub(super) fn into_programs(self) -> Programs {
        self.programs
    }

    /// Whether no file that the build depends on has changed since cargo was asked. A file that is gone is an error.
    fn nothing_has_changed(&self) -> io::Result<bool> {
        for path in self.dependencies()? {
            let facts = std::fs::metadata(&path)?;
            let changed_ns = i128::from(facts.ctime()) * 1_000_000_000 + i128::from(facts.ctime_nsec());
            if changed_ns >= self.asked_ns {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn dependencies(&self) -> io::Result<BTreeSet<PathBuf>> {
        let mut files = BTreeSet::new();
        for program in [&self.programs.agent, &self.programs.poller, &self.programs.probe] {
            files.extend(sources(&std::fs::read_to_string(program.with_extension("d"))?));
        }
        let folders: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| file.ancestors().skip(1))
            .filter(|folder| folder.starts_with(&self.workspace))
            .map(Path::to_owned)
            .collect();
        let manifests = folders.into_iter().map(|folder| folder.join("Cargo.toml"));
        let settings = SETTINGS.map(|name| self.workspace.join(name));
        files.extend(manifests.chain(settings).filter(|file| file.exists()));
        Ok(files)
    }
}

fn identities(programs: &Programs) -> io::Result<[String; 4]> {
    let own = std::env::current_exe()?;
    let Programs { agent, poller, probe } = programs;
    Ok([
        digest::identity(agent)?,
        digest::identity(poller)?,
        digest::identity(probe)?,
        digest::identity(&own)?,
    ])
}

/// The files after the colon of a rule as make reads it: spaces in names are escaped.
fn sources(rule: &str) -> Vec<PathBuf> {
    let Some((_, list)) = rule.split_once(": ") else { return Vec::new() };
    let list = list.replace("\\ ", "\0");
    list.split_whitespace().map(|name| PathBuf::from(name.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE_NAME: &str = "services.json";

    /// A workspace with one source, its two programs, and the record of their build.
    struct Scene {
        folder: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let scene = Self { folder };
            std::fs::create_dir_all(scene.at("a b/src")).unwrap();
            for name in
                ["Cargo.toml", "Cargo.lock", "a b/Cargo.toml", "a b/src/main.rs", "agent", "poller", "probe"]
            {
                scene.touch(name);
            }
            for name in ["agent", "poller", "probe"] {
                let source = scene.at("a b/src/main.rs").display().to_string().replace(' ', "\\ ");
                let rule = format!("{}: {source}\n", scene.at(name).display());
                std::fs::write(scene.at(name).with_extension("d"), rule).unwrap();
            }
            scene
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn touch(&self, name: &str) {
            std::fs::write(self.at(name), name).unwrap();
        }

        /// As when cargo is asked after the last change: the file system's clock ticks more slowly than the system's.
        fn build(&self) {
            let programs =
                Programs { agent: self.at("agent"), poller: self.at("poller"), probe: self.at("probe") };
            let asked = SystemTime::now() + std::time::Duration::from_secs(60);
            Record::of(self.folder.path(), asked, &programs).unwrap().write(&self.at(FILE_NAME)).unwrap();
        }

        fn build_before_all_that(&self) {
            let programs =
                Programs { agent: self.at("agent"), poller: self.at("poller"), probe: self.at("probe") };
            let asked = SystemTime::now() - std::time::Duration::from_secs(60);
            Record::of(self.folder.path(), asked, &programs).unwrap().write(&self.at(FILE_NAME)).unwrap();
        }

        fn is_current(&self) -> bool {
            Record::current(&self.at(FILE_NAME), self.folder.path()).is_some()
        }
    }

    #[test]
    fn a_build_is_current_until_something_is_newer() {
        let scene = Scene::new();
        assert!(!scene.is_current(), "nothing was built yet");
        scene.build();
        assert!(scene.is_current());
        scene.build_before_all_that();
        assert!(!scene.is_current(), "the sources are newer");
    }

    #[test]
    fn every_kind_of_file_counts() {
        let scene = Scene::new();
        scene.build();
        let record = Record::current(&scene.at(FILE_NAME), scene.folder.path()).unwrap();
        let found = record.dependencies().unwrap();
        let names = ["Cargo.lock", "Cargo.toml", "a b/Cargo.toml", "a b/src/main.rs"];
        assert_eq!(found, names.map(|name| scene.at(name)).into());
    }

    #[test]
    fn a_program_or_source_that_is_another_or_gone_is_a_reason_to_ask() {
        for change in ["agent", "poller"] {
            let scene = Scene::new();
            scene.build();
            std::fs::write(scene.at(change), "another").unwrap();
            assert!(!scene.is_current(), "{change}");
        }
        for lost in ["a b/src/main.rs", "agent", "agent.d", FILE_NAME] {
            let scene = Scene::new();
            scene.build();
            std::fs::remove_file(scene.at(lost)).unwrap();
            assert!(!scene.is_current(), "{lost}");
        }
    }

    #[test]
    fn another_checkout_that_builds_into_the_same_folder_is_another_build() {
        let scene = Scene::new();
        scene.build();
        assert!(Record::current(&scene.at(FILE_NAME), Path::new("/elsewhere")).is_none());
    }
}
