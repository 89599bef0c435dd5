//! Paths that the suite refuses and the path stage accepts, each with the reason.

/// One that is no longer needed fails the test, like one that is missing.
pub(crate) const EXCEPTIONS: [(&str, &str); 2] = [
    (
        "DifferentPoliciesTest12EE",
        "the authority demands an explicit policy in an extension that is not critical; webpki judges no certificate \
     policies (it refuses critical ones), and nothing of this platform is decided by one",
    ),
    (
        "InvaliddeltaCRLTest4EE",
        "it is revoked in a delta list only; deltas are not judged: a service that is given one does not start, and here \
     it is left out",
    ),
];
