//! Mistakes in how certificates are judged, which only a build made for it can make.

use crate::fault::Caller::{Broker, Hostile, Other, Own};
use crate::fault::Object::{Agent, Poller};
use crate::fault::Place::{Host, OtherNetwork, OwnNetwork, PlatformNetwork};
use crate::fault::pattern::cells;
use crate::fault::{Change, Fault, Pattern, Place, Red};

const BOTH: Change = Change::Code { agents: true, poller: true };

const fn believed(who: &'static [crate::fault::Caller]) -> Pattern {
    cells("tls.*").by(who).open()
}

/// Who is at home there has a certificate of a tenant's authority, which may not name localhost: that wall stands still.
const CONSTRAINED: &[Place] = &[OwnNetwork, OtherNetwork];

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "verifier-root-is-enough",
        "The root is all that is asked for: whatever tenant's certificate it is, it is welcome.",
        "research/serviceradar.md: its services trust root.pem alone, so any tenant's certificate passes the handshake",
        BOTH,
        Red::Cells(&[cells("tls.handshake").by(&[Other]).at(&[Agent]).open()]),
    )
    .may_also(&[// Any certificate of the root's is somebody, so that other walls speak in its place, or none.
        cells("tls.*"), cells("grpc.*")]),
    Fault::new(
        "verifier-common-name-only",
        "The common name alone is the identity; alternative names are not looked at.",
        "RFC 6125, section 6.4.4; CVE-2014-3577 is the class",
        BOTH,
        Red::Cells(&[believed(&[Hostile("common-name-only")])]),
    )
    .may_also(&[cells("tls.*").by(&[Hostile("localhost-name")]).open(), cells("tls.*").by(&[Hostile("other-common-name")]).otherwise()]),
    Fault::new(
        "verifier-alternative-name-only",
        "The alternative name alone is the identity; the common name, by which people go, is not looked at.",
        "webpki, Go and OpenSSL do so (research/mtls-identity.md, attack catalogue: CN acme + SAN globex and the reverse)",
        BOTH,
        Red::Cells(&[believed(&[Hostile("other-common-name")])]),
    )
    .may_also(&[cells("tls.*").by(&[Hostile("two-common-names")]).open()]),
    Fault::new(
        "verifier-first-common-name",
        "Of two common names the first counts.",
        "research/mtls-identity.md, attack catalogue: two CNs (Go takes the last, x509-parser the first)",
        BOTH,
        Red::Cells(&[believed(&[Hostile("two-common-names")])]),
    ),
    Fault::new(
        "verifier-subordinate-authority",
        "The tenant's authority is the trust anchor, so that authorities below it are believed.",
        "research/mtls-identity.md, \"The verifier to build\": all that tonic's client_ca_root offers; CVE-2002-0862",
        BOTH,
        Red::Cells(&[believed(&[Hostile("under-subordinate")])]),
    ),
    Fault::new(
        "verifier-any-chain",
        "A certificate is demanded, and whoever has signed it is welcome.",
        "CWE-295; Go's tls.RequireAnyClientCert, nginx' ssl_verify_client optional_no_ca",
        BOTH,
        Red::Cells(&[believed(&[Hostile("self-signed")]), believed(&[Hostile("unknown-authority")])]),
    )
    .may_also(&[// No wall of certificates stands: others speak in its place, or none.
        cells("tls.*"), cells("grpc.*")]),
    Fault::new(
        "verifier-leaf-as-authority",
        "Basic constraints are not looked at: whoever has a certificate issues further ones.",
        "CVE-2002-0862; research/mtls-identity.md, attack catalogue: leaf used as CA",
        BOTH,
        Red::Cells(&[believed(&[Hostile("under-leaf")])]),
    ),
    Fault::new(
        "verifier-wrong-clock",
        "The time is the certificate's own: nothing expires.",
        "research/mtls-identity.md, attack catalogue: expired by one second, not yet valid",
        BOTH,
        Red::Cells(&[believed(&[Hostile("expired")]), believed(&[Hostile("not-yet-valid")])]),
    ),
    Fault::new(
        "verifier-purpose-ignored",
        "It is not asked what a certificate is for.",
        "research/mtls-identity.md, attack catalogue: wrong, absent or any EKU",
        BOTH,
        Red::Cells(&[believed(&[Hostile("no-purpose")]), believed(&[Hostile("only-for-servers")]), believed(&[Hostile("only-for-clients")])]),
    )
    .may_also(&[// NATS's certificate is for servers only, and is refused for what else is in it.
        cells("*").by(&[Broker]).otherwise()]),
    Fault::new(
        "verifier-issuer-by-name",
        "An issuer is known by its name, and its signature is not verified.",
        "research/mtls-identity.md, attack catalogue: foreign CA with the same DN; CVE-2020-0601 is the class",
        BOTH,
        Red::Cells(&[
            believed(&[Hostile("copied-authority")]),
            believed(&[Hostile("altered-signature")]),
            believed(&[Hostile("borrowed-issuer-name")]),
        ]),
    ),
    Fault::new(
        "verifier-issuer-mints-anything",
        "Any authority that is known names anybody.",
        "CVE-2021-44532; research/mtls-identity.md: the issuer decides the policy",
        BOTH,
        Red::Cells(&[believed(&[Hostile("wrong-issuer")])]),
    )
    .may_also(&[cells("tls.*").by(&[Hostile("wrong-issuer"), Hostile("extra-name"), Hostile("localhost-name"), Hostile("other-alternative-name")]).otherwise()]),
    Fault::new(
        "verifier-extra-names-ignored",
        "A further name beside the right ones passes.",
        "research/mtls-identity.md, attack catalogue: extra SAN or URI of another tenant, localhost and IP SANs",
        BOTH,
        Red::Cells(&[believed(&[Hostile("localhost-name")]).unseen_from(CONSTRAINED)]),
    ),
    Fault::new(
        "leaf-profile-off",
        "There is no leaf profile: whatever has a path to the root and one readable name is a peer.",
        "research/mtls-identity.md, \"The verifier to build\", step 3 left out",
        BOTH,
        Red::Cells(&[believed(&[Hostile("localhost-name")]).unseen_from(CONSTRAINED), believed(&[Hostile("common-name-only")])]),
    )
    .may_also(&[believed(&[Hostile("no-purpose")]), cells("tls.*").by(&[Hostile("other-common-name")]).otherwise()]),
    Fault::new(
        "member-by-prefix",
        "A tenant is known by how its slug begins: acme2 is acme.",
        "research/mtls-identity.md: `evilacme` against `acme`; CVE-2023-46254 is a collision of names",
        BOTH,
        // From this machine only nobody calls, and from the platform's network only the poller is in reach, which knows its own
        // by more than the slug.
        Red::Cells(&[cells("grpc.*+claim").open().unseen_from(&[Host, PlatformNetwork])]),
    )
    .may_also(&[// acme's words are compared with its slug as well.
        cells("grpc.report-for-another").open()]),
    Fault::new(
        "any-generation",
        "Any authority of the right name counts that the root has signed.",
        "research/mtls-identity.md, attack catalogue: a leaf of a CA generation that is not configured",
        BOTH,
        Red::Cells(&[believed(&[Hostile("stale-generation")])]),
    ),
    Fault::new(
        "verifier-key-not-proven",
        "The handshake's signature is not verified: a certificate does without its key.",
        "CVE-2014-1266 and CVE-2022-25640",
        BOTH,
        Red::Cells(&[believed(&[Hostile("key-not-held")])]),
    ),
    Fault::new(
        "revocation-lists-ignored",
        "A revoked certificate is accepted, since nobody looks at the revocation list.",
        "research/mtls-identity.md, attack catalogue: revoked leaf, stale CRL, CRL missing",
        BOTH,
        Red::Cells(&[cells("tls.handshake").by(&[Hostile("revoked")]).at(&[Agent]).open(), cells("tls.handshake").by(&[Hostile("revoked")]).at(&[Poller]).open()]),
    )
    .may_also(&[// Whoever dials does not ask either. The other walls still stand: a revoked certificate of somebody who is not
        // welcome is refused, for that.
        cells("tls.impersonate").by(&[Hostile("revoked")]).open(), cells("tls.*").by(&[Hostile("revoked")]).otherwise()]),
    Fault::new(
        "caller-from-last-certificate",
        "The caller is read from the last certificate that names anybody, and not from the leaf.",
        "research/mtls-identity.md: handlers read peer_certs()[0] only",
        BOTH,
        Red::Cells(&[cells("grpc.get-*").by(&[Hostile("trailing-certificate")]).at(&[Agent]).open()]),
    )
    .may_also(&[cells("grpc.*").by(&[Hostile("trailing-certificate")])]),
    Fault::new(
        "dialer-any-name",
        "Whoever answers is taken for whom was dialled, if a trusted authority has named it at all.",
        "CVE-2012-5783 is the class; research/mtls-identity.md: set domain_name to the full expected name",
        BOTH,
        Red::Cells(&[cells("tls.impersonate").by(&[Own, Other]).open()]),
    ),
    Fault::new(
        "poller-any-agent",
        "The poller takes any member of any tenant for the agent that it dials.",
        "research/serviceradar.md: upstream's poller trusts root.pem alone",
        Change::Code { agents: false, poller: true },
        Red::Cells(&[cells("tls.impersonate").by(&[Other]).at(&[Agent]).open()]),
    )
    .may_also(&[// An authority that is known after all is refused for what it may name.
        cells("tls.impersonate").by(&[Hostile("wrong-issuer")]).at(&[Agent]).otherwise()]),
    Fault::new(
        "authority-hints-sent",
        "A server tells strangers which authorities it trusts, and with that who the tenants are.",
        "research/mtls-identity.md, \"The verifier to build\": send no CA hints",
        BOTH,
        Red::Cells(&[cells("tls.ask-for-authorities").at(&[Agent, Poller]).open()]),
    ),
];
