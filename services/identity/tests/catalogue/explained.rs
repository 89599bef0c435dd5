//! Where OpenSSL comes to another end than our verifier, each with the reason.
//!
//! In all of them but the last OpenSSL accepts what we refuse.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_identity::Role;

/// Judgements that differ for one reason.
struct Explained {
    reason: &'static str,
    /// In which role the certificate is presented.
    roles: &'static [Role],
    /// By what is wrong with them.
    cases: &'static [&'static str],
}

const BOTH: &[Role] = &[Role::Client, Role::Server];
const AS_CLIENT: &[Role] = &[Role::Client];
const AS_SERVER: &[Role] = &[Role::Server];

const COMMON_NAMES: &str =
    "how many common names there are, how they are encoded and what they say is nothing to OpenSSL";
const ALTERNATIVE_NAMES: &str = "every alternative name that no constraint forbids is as good as another to OpenSSL, and \
    none has to agree with the common name; as a server's, one of them has to be the dialled name";
const USAGES: &str = "usages beside the needed ones, and none at all, are enough for OpenSSL's purposes";
const KEYS: &str = "OpenSSL's verifier demands no strength of a key unless a security level is asked for";
const ENTITLEMENT: &str =
    "OpenSSL knows no rule by which an authority's name decides whom it may certify, only its constraints";
const EXPECTED_PEERS: &str = "OpenSSL can be told which host is dialled, and not who may call";
const AUTHORITIES: &str = "what an authority of this platform is called, that nothing is below it and what it \
    constrains is our rule";
const AUTHORITY_REPEATED: &str =
    "two generations under one name are a trap of revocation; OpenSSL tries one after the other";
const ROOT_SIGNS: &str = "OpenSSL needs no intermediate authority where the root itself has signed";
const ROOT_SIGNATURE: &str = "a trusted root is trusted as it is: OpenSSL does not verify its own signature";
const ENCODING: &str =
    "OpenSSL reads certificates of version 1, and no further than the first certificate ends";
const LAST_SECOND: &str = "a certificate is valid through its last second (RFC 5280, section 4.1.2.5); to OpenSSL \
    that second is over";

const DIFFERENCES: &[Explained] = &[
    Explained {
        reason: COMMON_NAMES,
        roles: BOTH,
        cases: &[
            "CN as BMPString",
            "CN as IA5String",
            "CN as TeletexString",
            "CN as UniversalString",
            "CN in upper case",
            "CN longer than 64 characters",
            "CN of an authority",
            "CN of another domain that begins well",
            "CN that is a wildcard",
            "CN that is empty",
            "CN with NUL and more behind it",
            "CN with NUL at its end",
            "CN with a homoglyph",
            "CN with a label longer than 16 characters",
            "CN with a trailing dot",
            "CN with an empty label",
            "CN with five labels",
            "CN with too few labels",
            "CN with white space around it",
            "an organization beside the common name",
            "no common name",
            "two common names in one relative name",
            "two common names, the other tenant's first",
            "two common names, the other tenant's last",
        ],
    },
    Explained { reason: COMMON_NAMES, roles: AS_CLIENT, cases: &["CN with a reserved slug"] },
    Explained {
        reason: ALTERNATIVE_NAMES,
        roles: BOTH,
        cases: &[
            "CN of a platform service, alternative names of acme",
            "CN of another agent of the tenant",
            "CN of globex, alternative names of acme",
            "CN only",
            "DNS name in upper case",
            "DNS name that is the CN twice",
            "DNS name without SPIFFE ID",
            "NATS with an address that is not loopback",
            "NATS with another host's name",
            "SPIFFE ID of another tenant instead",
            "SPIFFE ID of another trust domain",
            "SPIFFE ID with its parts exchanged",
            "SPIFFE ID without DNS name",
            "address of another host",
            "e-mail name",
            "extra DNS name of another agent of the tenant",
            "extra DNS name of another tenant",
            "extra SPIFFE ID of another tenant",
            "extra wildcard name",
            "localhost",
            "loopback address",
            "loopback address of IP version 6",
            "other name",
            "poller with localhost",
            "wildcard name",
        ],
    },
    Explained {
        reason: ALTERNATIVE_NAMES,
        roles: AS_CLIENT,
        cases: &[
            "CN of acme, alternative names of globex",
            "DNS name with NUL",
            "DNS name with a trailing dot",
            "NATS with localhost and loopback names, as a server only",
        ],
    },
    Explained {
        reason: USAGES,
        roles: BOTH,
        cases: &[
            "a private purpose beside the right ones",
            "another purpose beside the right ones",
            "any purpose beside the right ones",
            "cRLSign beside digitalSignature",
            "no extended key usage",
            "no key usage",
        ],
    },
    Explained {
        reason: USAGES,
        roles: AS_SERVER,
        cases: &["authority for servers only", "keyEncipherment only"],
    },
    Explained { reason: KEYS, roles: BOTH, cases: &["RSA-1024"] },
    Explained {
        reason: ENTITLEMENT,
        roles: BOTH,
        cases: &[
            "globex's unconstrained authority signs acme's name",
            "platform authority signs a tenant's name",
            "tenant's authority signs a platform service's name",
            "tenant's authority signs the administrator's name",
        ],
    },
    Explained {
        reason: EXPECTED_PEERS,
        roles: BOTH,
        cases: &["a platform service where only tenants are expected", "nobody is accepted"],
    },
    Explained {
        reason: EXPECTED_PEERS,
        roles: AS_CLIENT,
        cases: &[
            "a leaf of a tenant whose slug begins with the expected one",
            "another agent of the tenant than the one that is expected",
            "another tenant's leaf where both are trusted",
            "the same agent of another partition than the expected one",
        ],
    },
    Explained {
        reason: AUTHORITIES,
        roles: BOTH,
        cases: &[
            "authority named like nobody's",
            "authority of a reserved slug",
            "authority that constrains directory names",
            "authority with its name as BMPString",
            "authority with pathlen:1",
            "authority with two common names",
            "authority without path length",
        ],
    },
    Explained { reason: AUTHORITY_REPEATED, roles: BOTH, cases: &["two authorities under one subject"] },
    Explained {
        reason: ROOT_SIGNS,
        roles: BOTH,
        cases: &["root signs a platform service's name", "root signs a tenant's name"],
    },
    Explained {
        reason: ROOT_SIGNATURE,
        roles: BOTH,
        cases: &["root that names itself issuer under another's key"],
    },
    Explained {
        reason: ENCODING,
        roles: BOTH,
        cases: &["X.509 version 1", "bytes behind the certificate", "two certificates in one"],
    },
    Explained { reason: LAST_SECOND, roles: BOTH, cases: &["in its last second"] },
];

/// Every judgement that is expected to differ: the case, and the role.
pub(crate) fn differences() -> BTreeSet<(&'static str, String)> {
    let each = |explained: &'static Explained| {
        let cases = explained.cases.iter();
        cases.flat_map(|case| explained.roles.iter().map(|role| (*case, role.to_string())))
    };
    DIFFERENCES.iter().flat_map(each).collect()
}

/// How many judgements differ, by the reason.
pub(crate) fn counted() -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for each in DIFFERENCES {
        *counts.entry(each.reason).or_default() += each.cases.len() * each.roles.len();
    }
    counts
}
