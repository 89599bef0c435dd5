//! What each service was given: its folder is all that it sees, and all that a thief of its machine finds. In a container that is
//! whatever the engine says is mounted there. The files are told apart by what is in them, not by what they are called.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bulkhead_evidence::bundle::{Searched, Secrets};
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
    let mut folders = BTreeMap::new();
    for cell in cells {
        let (Who::Peer(holder), Operation::Find { artefact }) = (&cell.who, &cell.operation) else {
            site.file_unjudged(cell, "only a service of the environment has a folder");
            continue;
        };
        let folder = folders.entry(holder.clone()).or_insert_with(|| {
            let folder = Folder::of(site, holder)?;
            // Whoever reads the folder finds at least what its owner needs.
            let control = folder.has_own_key(site, holder);
            Ok::<_, String>((folder, control))
        });
        match folder {
            Ok((folder, control)) => {
                let judged = folder.judge(site, holder, artefact);
                site.file(cell, between(control.clone(), judged, control.clone()));
            }
            Err(why) => site.file_unjudged(cell, why.clone()),
        }
    }
}

/// What is in one service's folder, or folders.
struct Folder {
    path: String,
    /// Everything, since a key may be in anything.
    files: Vec<(PathBuf, Searched)>,
    keys: Vec<Key>,
    certificates: Vec<(PathBuf, CertificateDer<'static>)>,
}

/// A private key in PEM that was found: where, and who may read it.
struct Key {
    file: PathBuf,
    mode: u32,
}

impl Folder {
    fn of(site: &Site, holder: &PeerName) -> Result<Self, String> {
        let record = site.record()?;
        let id = service_of(record, holder).ok_or_else(|| format!("{holder} is no service here"))?;
        let paths = site.vantages.folders_of(record, &id);
        let paths = paths.ok_or_else(|| format!("it is not known what is mounted into {id}"))?;
        let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let mut folder = Self::empty(shown.join(" and "));
        paths.iter().try_for_each(|path| folder.read(path))?;
        Ok(folder)
    }

    const fn empty(path: String) -> Self {
        Self { path, files: Vec::new(), keys: Vec::new(), certificates: Vec::new() }
    }

    /// Reads a file, or everything below a folder. What cannot be read might be anything: then nothing is known.
    fn read(&mut self, path: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let facts = std::fs::metadata(path).map_err(failed)?;
        if !facts.is_dir() {
            if !facts.is_file() {
                return Err(format!(
                    "{} is neither a file nor a folder, and is there to be used",
                    path.display()
                ));
            }
            let bytes = std::fs::read(path).map_err(failed)?;
            self.take(path, bytes, facts.permissions().mode());
            return Ok(());
        }
        for entry in std::fs::read_dir(path).map_err(failed)? {
            self.read(&entry.map_err(failed)?.path())?;
        }
        Ok(())
    }

    /// A file, and every PEM section of it, whatever else is in it.
    fn take(&mut self, file: &Path, bytes: Vec<u8>, mode: u32) {
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes).flatten() {
            match section {
                (SectionKind::Certificate, der) => {
                    self.certificates.push((file.to_owned(), CertificateDer::from(der)));
                }
                (SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _) => {
                    self.keys.push(Key { file: file.to_owned(), mode })
                }
                _ => {}
            }
        }
        self.files.push((file.to_owned(), Searched::new(bytes)));
    }

    fn has_own_key(&self, site: &Site, holder: &PeerName) -> Result<String, String> {
        let own = self.judge(site, holder, &Artefact::Key(holder.clone()));
        match own.outcome {
            Outcome::Allowed => Ok(format!("its own key is in {}", self.path)),
            _ => Err(format!("not even its own key is in {}: {:?}", self.path, own.evidence)),
        }
    }

    fn judge(&self, site: &Site, holder: &PeerName, artefact: &Artefact) -> Judged {
        let found: Result<Vec<&Path>, String> = match artefact {
            Artefact::Key(name) => {
                let credential = site.credential(&Who::Peer(name.clone()));
                let wanted = credential
                    .map_err(|error| error.to_string())
                    .map(|known| known.map(|known| known.key().secret_der().to_vec()));
                wanted.and_then(|wanted| wanted.map_or(Ok(Vec::new()), |key| self.holds(&key)))
            }
            Artefact::AuthorityKey(name) => authority_key(site, name).and_then(|key| self.holds(&key)),
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
        let searched = format!("{} of {holder}: {keys} private keys, {certificates} certificates", self.path);
        match found {
            Err(why) => Judged::inconclusive(why),
            Ok(files) if files.is_empty() => Judged::new(Outcome::Denied(absent), vec![searched]),
            Ok(files) => {
                let files = files.iter().map(|file| format!("found in {}", file.display()));
                Judged::new(Outcome::Allowed, std::iter::once(searched).chain(files).collect())
            }
        }
    }

    /// The files that have this key in them, in whatever form: the same key is other bytes in PKCS #8, in SEC 1, in PEM and in
    /// a file of something else.
    fn holds(&self, wanted: &[u8]) -> Result<Vec<&Path>, String> {
        let secret = Secrets::of_key("the key", wanted).map_err(|error| error.to_string())?;
        let same = self.files.iter().filter(|(_, searched)| secret.find(searched).is_some());
        Ok(same.map(|(file, _)| file.as_path()).collect())
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

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;

    use super::*;

    /// How long the key itself is in a P-256 key in PKCS #8, at its end: what SEC 1 has.
    const SEC1_BYTES: usize = 0x6d;

    fn pem(label: &str, der: &[u8]) -> String {
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    #[test]
    fn a_key_is_found_in_whatever_form_it_was_given() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let pkcs8 = key.serialize_der();
        let sec1 = &pkcs8[pkcs8.len() - SEC1_BYTES..];
        let indented = key.serialize_pem().replace('\n', "\n    ");
        let forms: [(&str, Vec<u8>); 7] = [
            ("key.pem", key.serialize_pem().into()),
            ("sec1.pem", pem("EC PRIVATE KEY", sec1).into()),
            ("key.der", pkcs8.clone()),
            ("sec1.der", sec1.to_vec()),
            ("mislabelled.pem", pem("CERTIFICATE", &pkcs8).into()),
            ("secret.yaml", format!("tls:\n  key: |\n    {indented}").into()),
            ("bundle.bin", [&b"something before "[..], &pkcs8, b" and after"].concat()),
        ];
        for (name, bytes) in forms {
            let mut folder = Folder::empty("/nowhere".to_owned());
            folder.take(Path::new("public.der"), key.public_key_raw().to_vec(), 0o600);
            folder.take(Path::new("other.pem"), other.serialize_pem().into(), 0o600);
            folder.take(Path::new("other.der"), other.serialize_der(), 0o600);
            assert_eq!(folder.holds(&pkcs8).unwrap(), Vec::<&Path>::new());
            folder.take(Path::new(name), bytes, 0o600);
            assert_eq!(folder.holds(&pkcs8).unwrap(), [Path::new(name)]);
        }
    }
}
