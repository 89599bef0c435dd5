//! Mistakes in the certificate hierarchy itself.

use crate::fault::Caller::Hostile;
use crate::fault::Place::{self, OtherNetwork, OwnNetwork, PlatformNetwork};
use crate::fault::pattern::cells;
use crate::fault::{Change, Fault, FileEdit, Red};
use crate::pki::Weakness;

/// Who is at home there carries names of the platform's, for which only its own authority signs, or a tenant's in its place.
const NO_TENANT_S: &[Place] = &[PlatformNetwork];
/// Who is at home there carries names of a tenant's, to which only its own authority adds another's.
const NO_PLATFORM_S: &[Place] = &[OwnNetwork, OtherNetwork];

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "tenant-authority-unconstrained",
        "A tenant's authority has no name constraint, so that it signs for other tenants and for the poller.",
        "research/nats-isolation.md, \"Rogue tenant CA\": no defence, leak; upstream's generate-tenant-ca writes none",
        Change::Pki(Weakness::NO_NAME_CONSTRAINT),
        Red::Cells(&[cells("nats.connect").by(&[Hostile("wrong-issuer")]).open(), cells("nats.connect").by(&[Hostile("other-alternative-name")]).open().unseen_from(NO_TENANT_S), cells("nats.connect").by(&[Hostile("localhost-name")]).open()]),
    )
    .may_also(&[// The services have a second wall: the issuer decides what it may name, and the leaf has its profile.
        cells("tls.*").by(&[Hostile("wrong-issuer"), Hostile("extra-name"), Hostile("localhost-name"), Hostile("other-alternative-name")]).otherwise(), cells("nats.connect").by(&[Hostile("extra-name")]).open()]),
    Fault::new(
        "platform-authority-unconstrained",
        "The platform's authority has no name constraint, so that it signs for tenants' agents.",
        "research/mtls-identity.md, attack catalogue: root or platform CA signing a tenant's name",
        Change::Pki(Weakness::PLATFORM_UNCONSTRAINED),
        Red::Cells(&[cells("nats.connect").by(&[Hostile("wrong-issuer")]).open().unseen_from(NO_TENANT_S), cells("nats.connect").by(&[Hostile("other-alternative-name")]).open().unseen_from(NO_PLATFORM_S)]),
    )
    .may_also(&[cells("tls.*").by(&[Hostile("wrong-issuer"), Hostile("extra-name"), Hostile("other-alternative-name")]).otherwise(), cells("nats.connect").by(&[Hostile("extra-name")]).open()]),
    Fault::new(
        "tenant-authority-unlimited",
        "A tenant's authority has no path length, so that it may make authorities below itself.",
        "research/mtls-identity.md, attack catalogue: CA without pathlen; CVE-2002-0862 is the class",
        Change::Pki(Weakness::NO_PATH_LENGTH),
        Red::RefusesToStart("has path length unlimited instead of 0"),
    ),
    Fault::new(
        "tenant-authorities-share-key",
        "All tenants' authorities were made with one key, so that each signs in the others' names.",
        "research/mtls-identity.md, \"Rotation and revocation traps\": a CA renewed with the same key cuts nothing off; \
         CVE-2018-5383 and CWE-321 are keys in common",
        Change::Pki(Weakness::SHARED_TENANT_KEY),
        Red::Cells(&[
            cells("tls.handshake").by(&[Hostile("borrowed-issuer-name")]).open().unseen_from(NO_TENANT_S),
            cells("nats.connect").by(&[Hostile("borrowed-issuer-name")]).open().unseen_from(NO_TENANT_S),
        ]),
    )
    .may_also(&[cells("tls.impersonate").by(&[Hostile("borrowed-issuer-name")]).open()]),
    Fault::new(
        "leaves-name-localhost",
        "Every agent's certificate names localhost as well, as upstream's script writes it.",
        "research/serviceradar.md, \"Names and files\": SANs are the CN, <component>.serviceradar, localhost, 127.0.0.1",
        Change::Pki(Weakness::LOCALHOST_IN_LEAVES),
        Red::RefusesToStart("the alternative name DNS:localhost does not belong to the common name"),
    ),
    Fault::new(
        "broker-user-of-shared-name",
        "The broker knows an agent by its component alone, a name that every tenant's certificate has as well.",
        "research/nats-isolation.md, \"How verify_and_map picks the user\": a <component>.serviceradar SAN must never be a user \
         name",
        Change::PkiAndFiles(
            Weakness::COMPONENT_IN_LEAVES,
            &[FileEdit::Replace {
                file: "services/nats/nats.conf",
                text: "user: \"{first agent}.{first}.serviceradar\"",
                with: "user: \"{first component}.serviceradar\"",
            }],
        ),
        Red::RefusesToStart(".serviceradar does not belong to the common name"),
    ),
];
