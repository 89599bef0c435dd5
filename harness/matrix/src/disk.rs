//! What each service was given: its folder is all that it sees, and all that a thief of its machine finds. The files are
//! told apart by what is in them, not by what they are called.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_plan::access::{Artefact, DenialReason, Operation, Outcome, Who};
use bulkhead_plan::foreign::AuthorityFiles;
use bulkhead_plan::matrix::Cell;
use bulkhead_runtime::probe::verdict::{Judged, between};
use bulkhead_runtime::vantage::service_of;
use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::site::Site;

/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Looks for each artefact in the folder of whoever the cell is about.
pub(crate) fn attempt(site: &Site, cells: &[Cell]) {
    let mut folders: BTreeMap<PeerName, Result<Folder, String>> = BTreeMap::new();
    for cell in cells {
        let (Who::Peer(holder), Operation::Find { artefact }) = (&cell.who, &cell.operation) else {
            site.file_unjudged(cell, "only a service of the environment has a folder");
            continue;
        };
        let folder = folders.entry(holder.clone()).or_insert_with(|| Folder::of(site, holder));
        match folder {
            Ok(folder) => {
                // Whoever reads the folder finds at least what its owner needs.
                let control = folder.has_own_key(site, holder);
                let judged = folder.judge(site, holder, artefact);
                site.file(cell, between(control.clone(), judged, control));
            }
            Err(why) => site.file_unjudged(cell, why.clone()),
        }
    }
}

/// What is in one service's folder.
struct Folder {
    path: PathBuf,
    keys: Vec<Key>,
    certificates: Vec<(PathBuf, CertificateDer<'static>)>,
}

/// A private key that was found: where, and its bytes, which nobody prints.
struct Key {
    file: PathBuf,
    der: PrivateKeyDer<'static>,
    mode: u32,
}

impl Folder {
    fn of(site: &Site, holder: &PeerName) -> Result<Self, String> {
        let record = site.record()?;
        let id = service_of(record, holder).ok_or_else(|| format!("{holder} is no service here"))?;
        let path = record.state_dir.join("services").join(id.to_string());
        let mut folder = Self { path: path.clone(), keys: Vec::new(), certificates: Vec::new() };
        folder.read(&path)?;
        Ok(folder)
    }

    /// Reads everything below `path`. A file that cannot be read might be anything: then nothing is known.
    fn read(&mut self, path: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            let facts = std::fs::metadata(&entry).map_err(failed)?;
            if facts.is_dir() {
                self.read(&entry)?;
                continue;
            }
            let bytes = std::fs::read(&entry).map_err(failed)?;
            self.take(&entry, &bytes, facts.permissions().mode());
        }
        Ok(())
    }

    /// Every PEM section of a file, whatever else is in it.
    fn take(&mut self, file: &Path, bytes: &[u8], mode: u32) {
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes).flatten() {
            match section {
                (SectionKind::Certificate, der) => {
                    self.certificates.push((file.to_owned(), CertificateDer::from(der)));
                }
                (SectionKind::PrivateKey, der) => {
                    let der = PrivateKeyDer::Pkcs8(der.into());
                    self.keys.push(Key { file: file.to_owned(), der, mode });
                }
                (SectionKind::RsaPrivateKey, der) => {
                    let der = PrivateKeyDer::Pkcs1(der.into());
                    self.keys.push(Key { file: file.to_owned(), der, mode });
                }
                (SectionKind::EcPrivateKey, der) => {
                    let der = PrivateKeyDer::Sec1(der.into());
                    self.keys.push(Key { file: file.to_owned(), der, mode });
                }
                _ => {}
            }
        }
    }

    fn has_own_key(&self, site: &Site, holder: &PeerName) -> Result<String, String> {
        let own = self.judge(site, holder, &Artefact::Key(holder.clone()));
        match own.outcome {
            Outcome::Allowed => Ok(format!("its own key is in {}", self.path.display())),
            _ => Err(format!("not even its own key is in {}: {:?}", self.path.display(), own.evidence)),
        }
    }

    fn judge(&self, site: &Site, holder: &PeerName, artefact: &Artefact) -> Judged {
        let found: Result<Vec<&Path>, String> = match artefact {
            Artefact::Key(name) => {
                let credential = site.credential(&Who::Peer(name.clone()));
                let wanted = credential
                    .map_err(|error| error.to_string())
                    .map(|known| known.map(|known| known.key().secret_der().to_vec()));
                wanted.map(|wanted| wanted.map(|key| self.holds(&key)).unwrap_or_default())
            }
            Artefact::AuthorityKey(name) => authority_key(site, name).map(|key| self.holds(&key)),
            Artefact::Trust(name) => authority_certificate(site, name).map(|certificate| {
                let chains = |file: &Path| file.file_name().is_some_and(|name| name == "chain.pem");
                // In the chain that it presents itself it believes nobody.
                let trusted = self.certificates.iter().filter(|(file, _)| !chains(file));
                let same = trusted.filter(|(_, der)| *der == certificate);
                same.map(|(file, _)| file.as_path()).collect()
            }),
            Artefact::OpenKey => {
                let open = self.keys.iter().filter(|key| key.mode & OTHERS != 0);
                Ok(open.map(|key| key.file.as_path()).collect())
            }
        };
        let absent = match artefact {
            Artefact::OpenKey => DenialReason::FileMode,
            _ => DenialReason::NotGiven,
        };
        let (keys, certificates) = (self.keys.len(), self.certificates.len());
        let searched =
            format!("{} of {holder}: {keys} private keys, {certificates} certificates", self.path.display());
        match found {
            Err(why) => Judged::inconclusive(why),
            Ok(files) if files.is_empty() => Judged::new(Outcome::Denied(absent), vec![searched]),
            Ok(files) => {
                let files = files.iter().map(|file| format!("found in {}", file.display()));
                Judged::new(Outcome::Allowed, std::iter::once(searched).chain(files).collect())
            }
        }
    }

    fn holds(&self, wanted: &[u8]) -> Vec<&Path> {
        let same = self.keys.iter().filter(|key| key.der.secret_der() == wanted);
        same.map(|key| key.file.as_path()).collect()
    }
}

fn authority_files<'s>(site: &'s Site, name: &AuthorityName) -> Result<&'s AuthorityFiles, String> {
    site.platform.authorities.get(name).ok_or_else(|| format!("{name} is no authority here"))
}

fn authority_certificate(site: &Site, name: &AuthorityName) -> Result<CertificateDer<'static>, String> {
    let certificate = &authority_files(site, name)?.certificate;
    CertificateDer::from_pem_file(certificate)
        .map_err(|error| format!("cannot read {}: {error}", certificate.display()))
}

fn authority_key(site: &Site, name: &AuthorityName) -> Result<Vec<u8>, String> {
    let key = authority_files(site, name)?.key.as_ref();
    let key = key.ok_or_else(|| format!("the key of {name} was not given"))?;
    let der = PrivateKeyDer::from_pem_file(key);
    der.map(|der| der.secret_der().to_vec())
        .map_err(|error| format!("cannot read {}: {error}", key.display()))
}
