//! What the research's list has and this test does not judge, with the reason: nothing is left out silently.

/// Attacks on a live connection, which no certificate shows, and what this test only comes near to.
pub(crate) const ATTACKS: [(&str, &str); 10] = [
    (
        "resumption after revocation, or at another tenant's server with shared session storage",
        "no verifier is asked in a resumed session; the kit's listener issues no tickets, tested there and end to end",
    ),
    ("an open connection after revocation", "the kit bounds a connection's age"),
    ("no ALPN, or http/1.1 only", "the kit's listener demands h2"),
    (
        "duplicate or -bin tenant metadata",
        "values are judged by `tenant_claim` (its own tests); finding them in a request is the kit's access layer",
    ),
    ("oversized metadata and messages", "limits of the gRPC server, end to end"),
    ("rapid reset", "the HTTP/2 library, end to end"),
    ("silent TCP clients", "the kit's listener: a handshake timeout and a cap"),
    ("authority naming another agent", "the kit's access layer: it is not in the certificate"),
    (
        "SHA-1, with a signature that really is made over SHA-1",
        "ring does not sign with SHA-1; here a SHA-256 signature is labelled ecdsa-with-SHA1, and refused by the label",
    ),
    (
        "RSA-1024 and P-521 keys that really exist",
        "ring makes neither; here the certified public key has that size and nobody holds the private one, and it is refused by its size",
    ),
];
