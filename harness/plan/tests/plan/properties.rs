//! What holds for every topology, whatever its tenants are called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bulkhead_identity::TenantSlug;
use bulkhead_plan::pki::{self, ExistingCertificates, Pki};
use bulkhead_plan::render::{self, ComposeOptions};
use bulkhead_plan::spec::TenantSpec;
use bulkhead_plan::topology::Subnet;
use bulkhead_plan::{EnvironmentSpec, Placement, PlannedFile, ServiceId, Topology};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use crate::support::{NOW, RepeatedKeys};

/// Slugs that are beginnings and ends of each other, with and without hyphens. All have a `z` in them, which no other word
/// of a rendered file begins with.
fn slug() -> impl Strategy<Value = TenantSlug> {
    "z[a1]{0,3}(-[a1]{1,2})?".prop_map(|text| text.parse().unwrap())
}

fn agents() -> impl Strategy<Value = Vec<bulkhead_identity::AgentId>> {
    let agent = ("[ab]{1,2}(-[ab])?", "[pq]{1,2}").prop_map(|(component, partition)| {
        format!("{component}.{partition}").parse::<bulkhead_identity::AgentId>().unwrap()
    });
    btree_set(agent, 1..4).prop_map(|agents| agents.into_iter().collect())
}

fn tenants() -> impl Strategy<Value = Vec<TenantSpec>> {
    (btree_set(slug(), 2..7), vec(agents(), 7))
        .prop_map(|(slugs, agents)| {
            let tenant = |(slug, agents)| TenantSpec { slug, agents };
            slugs.into_iter().zip(agents).map(tenant).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

fn topology(tenants: &[TenantSpec]) -> Topology {
    let spec = EnvironmentSpec::new("test".parse().unwrap(), tenants.to_vec()).unwrap();
    Topology::new(&spec).unwrap()
}

fn certificates(topology: &Topology, existing: &ExistingCertificates) -> Pki {
    pki::plan(topology, &mut RepeatedKeys::new(1), NOW, existing).unwrap()
}

fn files(topology: &Topology, pki: &Pki) -> Vec<PlannedFile> {
    let placement = Placement::containers(topology).unwrap();
    render::service_files(topology, pki, &placement).unwrap()
}

fn by_path(files: Vec<PlannedFile>) -> BTreeMap<PathBuf, PlannedFile> {
    files.into_iter().map(|file| (file.path.clone(), file)).collect()
}

/// The paths at which two sets of files differ: what a failure prints.
fn differing(left: &BTreeMap<PathBuf, PlannedFile>, right: &BTreeMap<PathBuf, PlannedFile>) -> Vec<PathBuf> {
    let paths: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    paths.into_iter().filter(|path| left.get(*path) != right.get(*path)).cloned().collect()
}

/// The words of a text: what a slug could be mistaken for.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').collect()
}

/// The readable part of a file: the names in its certificates, or its text.
fn readable(file: &PlannedFile) -> String {
    let text = String::from_utf8(file.contents.as_bytes().to_vec()).unwrap();
    if file.contents.is_secret() {
        return String::new();
    }
    let path = file.path.display();
    if file.path.extension().is_none_or(|extension| extension != "pem") {
        return format!("{path} {text}");
    }
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let names = CertificateDer::pem_slice_iter(text.as_bytes()).map(|certificate| {
        let certificate = certificate.unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        format!("{} {} {:?}", parsed.subject(), parsed.issuer(), parsed.subject_alternative_name().unwrap())
    });
    format!("{path} {}", names.collect::<Vec<_>>().join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn networks_are_disjoint_and_names_distinct(tenants in tenants(), attempt in 0_u32..200) {
        let topology = topology(&tenants);
        let base = Topology::base_for_attempt(topology.spec(), attempt);
        let topology = Topology::with_base(topology.spec(), base).unwrap();
        let networks = topology.networks();
        prop_assert_eq!(networks.len(), tenants.len() + 1);
        let dotted: BTreeSet<_> = topology.services().iter().map(|service| service.id.dotted()).collect();
        prop_assert_eq!(dotted.len(), topology.services().len());
        for service in topology.services() {
            prop_assert_eq!(&service.id.to_string().parse::<ServiceId>().unwrap(), &service.id);
        }
        for (position, network) in networks.iter().enumerate() {
            prop_assert!(base.contains(&network.subnet));
            let others = networks.iter().skip(position + 1);
            prop_assert!(others.clone().all(|other| !other.subnet.overlaps(&network.subnet)));
            let members = topology.services().iter().filter(|service| service.networks.contains(&network.name));
            // Beside the members: the network's own address, the broadcast address, the gateway.
            prop_assert!(members.count() as u64 + 3 <= network.subnet.size());
            prop_assert_eq!(network.subnet.to_string().parse::<Subnet>().unwrap(), network.subnet);
        }
    }

    #[test]
    fn no_two_files_have_one_path(tenants in tenants()) {
        let topology = topology(&tenants);
        let pki = certificates(&topology, &ExistingCertificates::none());
        let mut planned = files(&topology, &pki);
        planned.extend(pki.files());
        let count = planned.len();
        prop_assert_eq!(by_path(planned).len(), count);
    }

    #[test]
    fn a_tenants_services_are_given_nothing_of_another_tenant(tenants in tenants()) {
        let topology = topology(&tenants);
        let pki = certificates(&topology, &ExistingCertificates::none());
        let files = files(&topology, &pki);
        for tenant in &tenants {
            let own = PathBuf::from(format!("services/tenants/{}", tenant.slug));
            let others: Vec<&TenantSlug> =
                tenants.iter().map(|other| &other.slug).filter(|other| **other != tenant.slug).collect();
            let mine: Vec<_> = files.iter().filter(|file| file.path.starts_with(&own)).collect();
            prop_assert_eq!(mine.len(), tenant.agents.len() * 9);
            for file in mine {
                let text = readable(file);
                let words = words(&text);
                for other in &others {
                    prop_assert!(!words.contains(other.as_ref()), "{} in {}", other, text);
                    let authority = format!("tenant-{other}");
                    prop_assert!(!words.contains(authority.as_str()), "{} in {}", authority, text);
                }
            }
        }
    }

    #[test]
    fn each_service_is_given_one_key_and_it_is_its_own(tenants in tenants()) {
        let topology = topology(&tenants);
        // Real keys, for they are told apart.
        let pki = crate::support::new_pki(&topology);
        let files = files(&topology, &pki);
        for service in topology.services() {
            let own = PathBuf::from(format!("services/{}", service.id));
            let secrets: Vec<_> = files.iter().filter(|file| file.path.starts_with(&own) && file.contents.is_secret()).collect();
            prop_assert_eq!(secrets.len(), 1);
            prop_assert_eq!(secrets[0].mode, 0o600);
            let leaf = pki.leaf(&service.name).unwrap();
            prop_assert_eq!(secrets[0].contents.as_bytes(), leaf.key_pem.as_bytes());
        }
        let authorities: Vec<_> = pki.authorities().map(|(_, authority)| authority.key_pem.as_bytes()).collect();
        prop_assert!(files.iter().all(|file| !authorities.contains(&file.contents.as_bytes())));
    }

    #[test]
    fn another_tenant_changes_no_other_tenants_files(tenants in tenants()) {
        let (last, first) = tenants.split_last().unwrap();
        let before = topology(first);
        let pki = certificates(&before, &ExistingCertificates::none());
        let existing = crate::support::as_existing(&pki.files());
        let after = topology(&tenants);
        let later = files(&after, &certificates(&after, &existing));
        let added = PathBuf::from(format!("services/tenants/{}", last.slug));
        let tenants_files = |files: Vec<PlannedFile>| -> BTreeMap<PathBuf, PlannedFile> {
            let mut files = by_path(files);
            files.retain(|path, _| path.starts_with("services/tenants") && !path.starts_with(&added));
            files
        };
        prop_assert_eq!(differing(&tenants_files(files(&before, &pki)), &tenants_files(later)), Vec::<PathBuf>::new());
        for tenant in first {
            prop_assert_eq!(before.network_of(&tenant.slug), after.network_of(&tenant.slug));
        }
    }

    #[test]
    fn the_order_of_tenants_changes_no_file(tenants in tenants().prop_flat_map(|tenants| {
        (Just(tenants.clone()), Just(tenants).prop_shuffle())
    })) {
        let (one, other) = (topology(&tenants.0), topology(&tenants.1));
        let pki = certificates(&one, &ExistingCertificates::none());
        let existing = crate::support::as_existing(&pki.files());
        let again = certificates(&other, &existing);
        let differing = differing(&by_path(files(&one, &pki)), &by_path(files(&other, &again)));
        prop_assert_eq!(differing, Vec::<PathBuf>::new());
    }

    #[test]
    fn the_same_specification_gives_the_same_bytes(tenants in tenants()) {
        let (one, other) = (topology(&tenants), topology(&tenants));
        prop_assert_eq!(&one, &other);
        let pki = certificates(&one, &ExistingCertificates::none());
        let differing = differing(&by_path(files(&one, &pki)), &by_path(files(&other, &pki)));
        prop_assert_eq!(differing, Vec::<PathBuf>::new());
        let options = ComposeOptions::new("/state", "1000:1000");
        let compose = |topology: &Topology| {
            render::compose(topology, &Placement::containers(topology).unwrap(), &options).unwrap()
        };
        prop_assert_eq!(compose(&one), compose(&other));
        prop_assert_eq!(EnvironmentSpec::from_yaml(&one.spec().to_yaml()).unwrap(), one.spec().clone());
    }
}
