//! What the suite says of its cases, with its default settings: any policy, none demanded, mapping allowed.

/// What should become of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// It should be accepted.
    Valid,
    /// It should be refused.
    Invalid,
}

/// Most cases say it in their name. The sections on policies (4.8 and 4.12) have cases that ask for several
/// settings: this is what their descriptions say of the default ones.
const UNSAID: [(&str, Expectation); 20] = [
    ("AllCertificatesNoPoliciesTest2EE", Expectation::Valid),
    ("AllCertificatesSamePoliciesTest10EE", Expectation::Valid),
    ("AllCertificatesSamePoliciesTest13EE", Expectation::Valid),
    ("AllCertificatesanyPolicyTest11EE", Expectation::Valid),
    ("AnyPolicyTest14EE", Expectation::Valid),
    ("CPSPointerQualifierTest20EE", Expectation::Valid),
    ("DifferentPoliciesTest3EE", Expectation::Valid),
    ("DifferentPoliciesTest4EE", Expectation::Invalid),
    ("DifferentPoliciesTest5EE", Expectation::Invalid),
    ("DifferentPoliciesTest7EE", Expectation::Invalid),
    ("DifferentPoliciesTest8EE", Expectation::Invalid),
    ("DifferentPoliciesTest9EE", Expectation::Invalid),
    ("DifferentPoliciesTest12EE", Expectation::Invalid),
    ("OverlappingPoliciesTest6EE", Expectation::Valid),
    ("UserNoticeQualifierTest15EE", Expectation::Valid),
    ("UserNoticeQualifierTest16EE", Expectation::Valid),
    ("UserNoticeQualifierTest17EE", Expectation::Valid),
    ("UserNoticeQualifierTest18EE", Expectation::Valid),
    ("UserNoticeQualifierTest19EE", Expectation::Valid),
    ("inhibitAnyPolicyTest3EE", Expectation::Valid),
];

impl Expectation {
    /// Of one case; `None` for one that this project knows nothing of.
    pub(crate) fn of(case: &str) -> Option<Self> {
        if case.starts_with("Valid") {
            return Some(Self::Valid);
        }
        if case.starts_with("Invalid") {
            return Some(Self::Invalid);
        }
        UNSAID.iter().find(|(name, _)| *name == case).map(|(_, expected)| *expected)
    }
}
