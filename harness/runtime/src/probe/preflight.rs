//! Whether what a description says of a platform is so, before anything is attempted: every key readable and its
//! certificate's own, every certificate the template's and of the authority that is named, all records readable, every
//! endpoint answering as the one that it is said to be.
//!
//! What is wrong is held against whom it concerns: an attempt with a key that does not fit would be refused, and that would
//! look like a wall.

mod records;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};
use bulkhead_plan::environment::Credential;
use bulkhead_plan::foreign::{JudgedPlatform, JudgedService};
use futures::future::join_all;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

use super::nats::{Login, login};
use super::tls::{Hello, handshake};
use super::{Presented, Sight};
use crate::engine::Engine;

/// What is wrong with a description.
#[derive(Debug, Default)]
pub struct Findings {
    /// With everything.
    pub everywhere: Vec<String>,
    /// With somebody's credential.
    pub identities: BTreeMap<PeerName, Vec<String>>,
    /// With a service, whoever calls it.
    pub services: BTreeMap<PeerName, Vec<String>>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn are_none(&self) -> bool {
        self.everywhere.is_empty() && self.identities.is_empty() && self.services.is_empty()
    }

    /// All of them, each with whom it is about.
    pub fn all(&self) -> impl Iterator<Item = String> {
        let about = |(name, found): (&PeerName, &Vec<String>)| {
            found.iter().map(|found| format!("{name}: {found}")).collect::<Vec<_>>()
        };
        let others = self.identities.iter().chain(&self.services).flat_map(about);
        self.everywhere.iter().cloned().chain(others)
    }

    fn identity(&mut self, name: &PeerName, what: String) {
        self.identities.entry(name.clone()).or_default().push(what);
    }

    fn service(&mut self, name: &PeerName, what: String) {
        self.services.entry(name.clone()).or_default().push(what);
    }
}

const NATS: PeerName = PeerName::Platform(PlatformName::Nats);

/// Looks at everything that the description names.
pub async fn preflight(platform: &JudgedPlatform) -> Findings {
    let mut findings = Findings::default();
    let tenants = platform.model.tenants().count();
    if tenants < 2 {
        let word = if tenants == 0 { "no tenant" } else { "one tenant only" };
        findings.everywhere.push(format!(
            "the description has {word}: nothing crosses where there are not two; add tenants to `tenants`"
        ));
    }
    for slug in platform.model.tenants() {
        if !platform.model.agents().any(|agent| agent.tenant() == Some(slug)) {
            findings
                .everywhere
                .push(format!("tenant {slug} has no agent: nobody acts or is acted upon for it"));
        }
    }
    if platform.services.is_empty() {
        findings.everywhere.push("the description has no address of any service".to_owned());
    }
    let authorities = read_authorities(platform, &mut findings);
    let mut sound = BTreeMap::new();
    for (name, credential) in &platform.credentials {
        match read_credential(platform, &authorities, name, credential) {
            Ok(presented) => {
                sound.insert(name.clone(), presented);
            }
            Err(what) => findings.identity(name, what),
        }
    }
    for (name, what) in records::unreadable(&platform.services, Engine::connect()).await {
        findings.service(&name, what);
    }
    let looks = platform
        .services
        .iter()
        .map(async |(name, service)| (name, endpoint(platform, &authorities, &sound, name, service).await));
    for (name, found) in join_all(looks).await {
        if let Err(what) = found {
            findings.service(name, what);
        }
    }
    findings
}

type Authorities = BTreeMap<AuthorityName, CertificateDer<'static>>;

fn read_authorities(platform: &JudgedPlatform, findings: &mut Findings) -> Authorities {
    let mut known = Authorities::new();
    for (name, files) in &platform.authorities {
        match CertificateDer::from_pem_file(&files.certificate) {
            Ok(der) => {
                known.insert(name.clone(), der);
            }
            Err(error) => findings.everywhere.push(format!(
                "the certificate of {name}, {}, cannot be read: {error}",
                files.certificate.display()
            )),
        }
    }
    known
}

fn read_credential(
    platform: &JudgedPlatform,
    authorities: &Authorities,
    name: &PeerName,
    credential: &Credential,
) -> Result<Presented, String> {
    let Credential { certificate, key, .. } = credential;
    let chain =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(
            |error| format!("its certificate, {}, cannot be read: {error}", certificate.display()),
        )?;
    if chain.is_empty() {
        return Err(format!("there is no certificate in {}", certificate.display()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("its key, {}, cannot be read: {error}", key.display()))?;
    fits(&chain, &private, key)?;
    belongs(platform, authorities, name, &chain)
        .map_err(|what| format!("{}: {what}", certificate.display()))?;
    Ok(Presented::new(name.to_string(), chain, private))
}

fn fits(chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>, path: &Path) -> Result<(), String> {
    // Probes are handed keys in this form only.
    if !matches!(key, PrivateKeyDer::Pkcs8(_)) {
        return Err(format!(
            "its key, {}, is no PKCS #8: `openssl pkcs8 -topk8 -nocrypt` makes it one",
            path.display()
        ));
    }
    let signer = rustls::crypto::ring::sign::any_supported_type(key)
        .map_err(|error| format!("its key, {}, cannot be used: {error}", path.display()))?;
    CertifiedKey::new(chain.to_vec(), signer)
        .keys_match()
        .map_err(|error| format!("its key, {}, is not its certificate's: {error}", path.display()))
}

/// Whether a certificate is called as the template says, and comes from the authority that is named.
fn belongs(
    platform: &JudgedPlatform,
    authorities: &Authorities,
    name: &PeerName,
    chain: &[CertificateDer<'static>],
) -> Result<(), String> {
    let wanted = platform.conventions.certificate_name(name);
    let leaf = chain.first().ok_or("there is no certificate")?;
    let names = names_in(leaf)?;
    if !names.contains(&wanted) {
        return Err(format!("it names {}, and the template says {wanted}", names.join(", ")));
    }
    let responsible = AuthorityName::responsible_for(name);
    let Some(authority) = authorities.get(&responsible) else {
        return Err(format!("the certificate of {responsible} is not known"));
    };
    let anchors = [authority, authorities.get(&AuthorityName::Root).unwrap_or(authority)];
    descends(chain, authority, &anchors)
        .map_err(|error| format!("it does not come from {responsible} as it is given: {error}"))
}

fn names_in(leaf: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|error| error.to_string())?;
    let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let mut names: Vec<String> = common.map(str::to_owned).collect();
    if let Ok(Some(alternative)) = parsed.subject_alternative_name() {
        names.extend(alternative.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        }));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// To each of the anchors, as a client's or as a server's certificate.
fn descends(
    chain: &[CertificateDer<'static>],
    authority: &CertificateDer<'static>,
    anchors: &[&CertificateDer<'static>],
) -> Result<(), String> {
    let (leaf, sent) = chain.split_first().ok_or("there is no certificate")?;
    let intermediates: Vec<CertificateDer<'static>> =
        sent.iter().cloned().chain([authority.clone()]).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|error| error.to_string())?;
    for anchor in anchors {
        let anchor: TrustAnchor<'_> =
            webpki::anchor_from_trusted_cert(anchor).map_err(|error| error.to_string())?;
        let verified = |usage| {
            leaf.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                std::slice::from_ref(&anchor),
                &intermediates,
                UnixTime::since_unix_epoch(now),
                usage,
                None,
                None,
            )
            .map(|_| ())
        };
        let server = verified(webpki::KeyUsage::server_auth());
        server.or_else(|_| verified(webpki::KeyUsage::client_auth())).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A service answers somebody who may use it, and proves to be the one that it is said to be.
async fn endpoint(
    platform: &JudgedPlatform,
    authorities: &Authorities,
    sound: &BTreeMap<PeerName, Presented>,
    name: &PeerName,
    service: &JudgedService,
) -> Result<(), String> {
    let poller = PeerName::Platform(PlatformName::Poller);
    let administrator = PeerName::Platform(PlatformName::Admin);
    let agents: Vec<PeerName> = platform.model.agents().collect();
    let candidates = match name {
        PeerName::Tenant(_) => vec![poller, administrator],
        PeerName::Platform(_) => agents,
    };
    let visitor = candidates.iter().find_map(|candidate| sound.get(candidate));
    let visitor = visitor.ok_or("nobody who may use it has a credential that is in order")?;
    let (address, called) = (&service.address, platform.conventions.certificate_name(name));
    let shown = if *name == NATS {
        let mut hello = Hello::nats(Some(visitor));
        hello.server_name = called;
        let how = Login { tls: Some(hello), ..Login::with(visitor) };
        let (report, session) = login(address, &how).await.split();
        let session = session.ok_or_else(|| format!("it does not let in whoever may use it: {report}"))?;
        session.handshake().map(|shown| shown.server_chain.clone()).unwrap_or_default()
    } else {
        let seen = handshake(address, &Hello::grpc(Some(visitor), &called)).await;
        match seen.sight {
            Sight::Answered(shown) => shown.server_chain,
            _ => return Err(format!("it does not speak to whoever may use it: {seen}")),
        }
    };
    belongs(platform, authorities, name, &shown)
        .map_err(|what| format!("who answers at {address} is another: its certificate: {what}"))
}
