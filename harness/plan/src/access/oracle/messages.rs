//! What NATS lets its users do with a tenant's messages, streams and buckets.

use bulkhead_identity::{PeerName, PlatformName, TenantSlug};

use super::Expectation;
use crate::access::attempt::{MessageOperation, StorageOperation};
use crate::access::outcome::DenialReason;

/// How somebody stands to the tenant whose messages they are.
enum Standing {
    /// One of its own agents.
    Member,
    /// Another tenant's.
    Outsider,
    Poller,
    Admin,
    /// Nobody who has an account.
    Stranger,
}

fn standing(name: &PeerName, owner: &TenantSlug) -> Standing {
    match name {
        PeerName::Tenant(name) if name.tenant == *owner => Standing::Member,
        PeerName::Tenant(_) => Standing::Outsider,
        PeerName::Platform(PlatformName::Poller) => Standing::Poller,
        PeerName::Platform(PlatformName::Admin) => Standing::Admin,
        PeerName::Platform(PlatformName::Nats | PlatformName::Core) => Standing::Stranger,
    }
}

const NOT_A_USER: Expectation = Expectation::Unspecified("the caller is no user of NATS");
const OWN_ACCOUNT: Expectation =
    Expectation::Unspecified("in the platform's own account the poller may do as it likes");

/// What is expected of an operation with `owner`'s messages.
pub(super) fn message(name: &PeerName, operation: MessageOperation, owner: &TenantSlug) -> Expectation {
    use DenialReason::{OtherAccount, PublishPermission, SubscribePermission};
    use MessageOperation as Do;
    let publishes = matches!(operation, Do::Publish | Do::PublishAsPoller | Do::RequestJob);
    match (standing(name, owner), operation) {
        (Standing::Stranger, _) => NOT_A_USER,
        (Standing::Member, Do::SubscribeAnyTenant | Do::SubscribeEverything) => {
            Expectation::denied(SubscribePermission)
        }
        (Standing::Member, Do::PublishAsPoller) => Expectation::denied(PublishPermission),
        (Standing::Member, _) => Expectation::Allowed,
        // Permitted, since everybody needs an inbox of their own; but it is an inbox in the caller's own account.
        (Standing::Outsider | Standing::Admin, Do::ListenToInboxes) => Expectation::denied(OtherAccount),
        // The reply subject of a message means something in the sender's own account only.
        (Standing::Outsider, Do::AnswerInto) => Expectation::denied(OtherAccount),
        (Standing::Outsider, _) if publishes => Expectation::denied(PublishPermission),
        (Standing::Outsider, _) => Expectation::denied(SubscribePermission),
        (Standing::Admin, Do::AnswerInto) => Expectation::denied(PublishPermission),
        (Standing::Admin, _) if publishes => Expectation::denied(PublishPermission),
        (Standing::Admin, _) => Expectation::denied(SubscribePermission),
        (
            Standing::Poller,
            Do::Subscribe | Do::SubscribeAnyTenant | Do::SubscribeEverything | Do::JoinQueue | Do::RequestJob,
        ) => Expectation::Allowed,
        (Standing::Poller, Do::ListenToInboxes) => Expectation::denied(OtherAccount),
        (Standing::Poller, Do::Publish | Do::PublishAsPoller | Do::AnswerInto) => OWN_ACCOUNT,
    }
}

/// What is expected of an operation with a stream or bucket of `owner`. Everybody asks their own account's JetStream,
/// which knows nothing of others' streams.
pub(super) fn storage(name: &PeerName, operation: StorageOperation, owner: &TenantSlug) -> Expectation {
    use DenialReason::{NotFound, OtherAccount, PublishPermission};
    match (standing(name, owner), operation) {
        (Standing::Stranger, _) => NOT_A_USER,
        (Standing::Member, _) => Expectation::Allowed,
        (Standing::Admin, _) => Expectation::denied(PublishPermission),
        (Standing::Poller, _) => OWN_ACCOUNT,
        // The answer is a list, of the caller's own streams.
        (Standing::Outsider, StorageOperation::List) => Expectation::denied(OtherAccount),
        // Created without an error, and empty for ever.
        (Standing::Outsider, StorageOperation::Capture | StorageOperation::Mirror) => {
            Expectation::denied(OtherAccount)
        }
        (Standing::Outsider, StorageOperation::Write) => Expectation::Denied(vec![NotFound, OtherAccount]),
        (Standing::Outsider, StorageOperation::Read | StorageOperation::Destroy) => {
            Expectation::denied(NotFound)
        }
    }
}

/// What is expected of asking the platform for a tenant's results.
pub(super) fn read_results(name: &PeerName, exists: bool) -> Expectation {
    match name {
        PeerName::Platform(PlatformName::Admin) if exists => Expectation::Allowed,
        PeerName::Platform(PlatformName::Admin) => Expectation::denied(DenialReason::NotFound),
        PeerName::Tenant(_) => Expectation::denied(DenialReason::PublishPermission),
        PeerName::Platform(PlatformName::Poller) => OWN_ACCOUNT,
        PeerName::Platform(PlatformName::Nats | PlatformName::Core) => NOT_A_USER,
    }
}
