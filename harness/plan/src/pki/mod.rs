//! The certificate hierarchy: a root, below it one authority for the platform and one per tenant, below those one leaf
//! per service and one for the administrator. Each authority has signed a list of whom it has revoked.
//!
//! Certificates that are there and still what they should be are kept; everything else is made anew, with a
//! [`Notice`] that says why. Files that belong to somebody else are never overwritten.

mod error;
mod existing;
mod issue;
mod keys;
mod names;
mod profile;
mod revocation;
mod weakness;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::PathBuf;

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};
use time::OffsetDateTime;

pub use error::{Action, Notice, PkiError, RenewalReason, UnreadableFile};
pub use existing::ExistingCertificates;
pub use issue::{KeyedCertificate, SecretPem};
pub use keys::{KeyError, KeySource, PrivateKey, Serial, SystemKeys};
pub use names::{CertificatePaths, revocation_list_path};
pub use weakness::Weakness;

use crate::file::PlannedFile;
use crate::topology::Topology;
use issue::{Office, Signer, SigningAuthority, Terms};
use keys::FirstKey;

/// The platform's identities: two services, and the administrator, who is a person with tools.
const PLATFORM_LEAVES: [PlatformName; 3] = [PlatformName::Nats, PlatformName::Poller, PlatformName::Admin];

/// Every certificate of one environment, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pki {
    authorities: BTreeMap<AuthorityName, KeyedCertificate>,
    leaves: BTreeMap<PeerName, KeyedCertificate>,
    /// PEM.
    revocation_lists: BTreeMap<AuthorityName, String>,
    notices: Vec<Notice>,
}

/// The certificates of a topology at the moment `now`.
///
/// # Errors
/// When a file in `existing` is corrupt or somebody else's (see [`PkiError`]; nothing has been changed then), or
/// when `keys` fails.
pub fn plan(
    topology: &Topology,
    keys: &mut dyn KeySource,
    now: OffsetDateTime,
    existing: &ExistingCertificates,
) -> Result<Pki, PkiError> {
    plan_weakened(topology, keys, now, existing, None)
}

/// The same for an environment with a fault in it: certificates that are not as they must be.
///
/// # Errors
/// As [`plan`].
pub fn plan_weakened(
    topology: &Topology,
    keys: &mut dyn KeySource,
    now: OffsetDateTime,
    existing: &ExistingCertificates,
    weakness: Option<Weakness>,
) -> Result<Pki, PkiError> {
    let terms = Terms { now, existing, lifetimes: topology.spec().lifetimes(), weakness };
    let shared = weakness.is_some_and(Weakness::shares_tenant_key).then(|| keys.key()).transpose();
    let shared = shared.map_err(|error| PkiError::Keys { name: "all tenants".to_owned(), error })?;
    let sources = topology.tenants().iter().enumerate().map(|(place, tenant)| {
        let own = keys.of_tenant(place);
        let source: Box<dyn KeySource + Send> = match &shared {
            Some(key) => Box::new(FirstKey::new(key, own)),
            None => own,
        };
        (tenant, source)
    });
    let mut tenants: Vec<_> = sources.collect();
    let mut platform = Office::new(keys, terms);
    let (root, certificate) = platform.authority(&AuthorityName::Root, Signer::Itself)?;
    let roots_list = platform.revocation_list(&root)?;
    let services = PLATFORM_LEAVES.into_iter().map(PeerName::Platform);
    let mut branches = vec![branch(platform, &root, AuthorityName::Platform, services)?];
    branches.extend(side_by_side(&mut tenants, |(tenant, keys)| {
        let members = tenant.agents.iter().map(|agent| PeerName::Tenant(agent.of_tenant(&tenant.slug)));
        branch(Office::new(keys.as_mut(), terms), &root, AuthorityName::Tenant(tenant.slug.clone()), members)
    })?);
    let mut pki = Pki {
        authorities: BTreeMap::from([(AuthorityName::Root, certificate)]),
        leaves: BTreeMap::new(),
        revocation_lists: BTreeMap::from([(AuthorityName::Root, roots_list)]),
        notices: Vec::new(),
    };
    for Branch { authority: (name, certificate), leaves, revocation_list, notices } in branches {
        pki.revocation_lists.insert(name.clone(), revocation_list);
        pki.authorities.insert(name, certificate);
        pki.leaves.extend(leaves);
        pki.notices.extend(notices);
    }
    Ok(pki)
}

/// An authority below the root, its leaves, its revocation list, and what was done about each.
struct Branch {
    authority: (AuthorityName, KeyedCertificate),
    leaves: Vec<(PeerName, KeyedCertificate)>,
    revocation_list: String,
    notices: Vec<Notice>,
}

fn branch(
    mut office: Office<'_>,
    root: &SigningAuthority,
    name: AuthorityName,
    members: impl Iterator<Item = PeerName>,
) -> Result<Branch, PkiError> {
    let (authority, certificate) = office.authority(&name, Signer::Authority(root))?;
    let leaf = |member| office.leaf(&member, &authority).map(|leaf| (member, leaf));
    let leaves = members.map(leaf).collect::<Result<_, _>>()?;
    let revocation_list = office.revocation_list(&authority)?;
    Ok(Branch { authority: (name, certificate), leaves, revocation_list, notices: office.notices })
}

/// Does `work` for every item, on as many threads as there are processors, and keeps the order.
fn side_by_side<T: Send, R: Send, E: Send>(
    items: &mut [T],
    work: impl Fn(&mut T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let start =
            |part| scope.spawn(move || <[T]>::iter_mut(part).map(work).collect::<Result<Vec<_>, _>>());
        let running: Vec<_> = items.chunks_mut(share).map(start).collect();
        let done =
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.collect::<Result<Vec<_>, _>>().map(|parts| parts.into_iter().flatten().collect())
    })
}

/// The files that [`plan`] wants to know about, relative to the state directory.
pub fn paths(topology: &Topology) -> Vec<PathBuf> {
    let tenants = topology.tenants().iter().map(|tenant| AuthorityName::Tenant(tenant.slug.clone()));
    let lists = [AuthorityName::Root, AuthorityName::Platform].into_iter().chain(tenants);
    let lists: Vec<PathBuf> = lists.map(|name| revocation_list_path(&name)).collect();
    let mut certificates = vec![
        CertificatePaths::of_authority(&AuthorityName::Root),
        CertificatePaths::of_authority(&AuthorityName::Platform),
    ];
    let platform = PLATFORM_LEAVES.into_iter().map(PeerName::Platform);
    certificates.extend(platform.map(|name| CertificatePaths::of_leaf(&name)));
    for tenant in topology.tenants() {
        let authority = AuthorityName::Tenant(tenant.slug.clone());
        certificates.push(CertificatePaths::of_authority(&authority));
        let agents = topology.agents_of(&tenant.slug);
        certificates.extend(agents.map(|agent| CertificatePaths::of_leaf(&agent.name)));
    }
    certificates.into_iter().flat_map(|paths| [paths.certificate, paths.key]).chain(lists).collect()
}

impl Pki {
    /// A certificate authority.
    pub fn authority(&self, name: &AuthorityName) -> Option<&KeyedCertificate> {
        self.authorities.get(name)
    }

    /// A service's or the administrator's certificate.
    pub fn leaf(&self, name: &PeerName) -> Option<&KeyedCertificate> {
        self.leaves.get(name)
    }

    /// Whom an authority has revoked: its list, in PEM.
    pub fn revocation_list(&self, name: &AuthorityName) -> Option<&str> {
        self.revocation_lists.get(name).map(String::as_str)
    }

    /// The certificate authorities, by name.
    pub fn authorities(&self) -> impl Iterator<Item = (&AuthorityName, &KeyedCertificate)> {
        self.authorities.iter()
    }

    /// The leaves, by name.
    pub fn leaves(&self) -> impl Iterator<Item = (&PeerName, &KeyedCertificate)> {
        self.leaves.iter()
    }

    /// What was done about each certificate, in the order in which they were looked at.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The leaf and its authority, which is what the peer in a handshake is sent.
    pub fn chain_pem(&self, name: &PeerName) -> Option<String> {
        let leaf = self.leaf(name)?;
        let authority = self.authority(&AuthorityName::responsible_for(name))?;
        Some(format!("{}{}", leaf.pem, authority.pem))
    }

    /// Everything below `certs/`.
    pub fn files(&self) -> Vec<PlannedFile> {
        let mut files = Vec::new();
        let root = self.authority(&AuthorityName::Root).map_or("", |root| root.pem.as_str());
        for (name, certificate) in &self.authorities {
            let chain = format!("{}{root}", certificate.pem);
            files_of(CertificatePaths::of_authority(name), certificate, chain, &mut files);
        }
        for (name, certificate) in &self.leaves {
            let chain = self.chain_pem(name).unwrap_or_default();
            files_of(CertificatePaths::of_leaf(name), certificate, chain, &mut files);
        }
        let lists = self.revocation_lists.iter();
        files
            .extend(lists.map(|(name, list)| PlannedFile::public(revocation_list_path(name), list.as_str())));
        files
    }
}

fn files_of(
    paths: CertificatePaths,
    certificate: &KeyedCertificate,
    chain: String,
    files: &mut Vec<PlannedFile>,
) {
    files.push(PlannedFile::public(paths.certificate, certificate.pem.as_str()));
    files.push(PlannedFile::secret(paths.key, certificate.key_pem.0.clone()));
    files.extend(paths.chain.map(|path| PlannedFile::public(path, chain)));
}
