//! What NATS lets its users do with a tenant's messages.

use bulkhead_identity::{PeerName, PlatformName, TenantSlug};

use super::Expectation;
use crate::access::attempt::MessageOperation;
use crate::access::outcome::DenialReason::{self, OtherAccount, PublishPermission, SubscribePermission};

/// How somebody stands to the tenant whose messages they are.
pub(super) enum Standing {
    /// One of its own agents.
    Member,
    /// Another tenant's.
    Outsider,
    Poller,
    Admin,
    /// Nobody who has an account.
    Stranger,
}

pub(super) fn standing(name: &PeerName, owner: &TenantSlug) -> Standing {
    match name {
        PeerName::Tenant(name) if name.tenant == *owner => Standing::Member,
        PeerName::Tenant(_) => Standing::Outsider,
        PeerName::Platform(PlatformName::Poller) => Standing::Poller,
        PeerName::Platform(PlatformName::Admin) => Standing::Admin,
        PeerName::Platform(PlatformName::Nats | PlatformName::Core) => Standing::Stranger,
    }
}

pub(super) const NOT_A_USER: Expectation = Expectation::Unspecified("the caller is no user of NATS");
pub(super) const OWN_ACCOUNT: Expectation =
    Expectation::Unspecified("in the platform's own account the poller may do as it likes");

/// What is expected of an operation with `owner`'s messages.
pub(super) fn message(name: &PeerName, operation: MessageOperation, owner: &TenantSlug) -> Expectation {
    match standing(name, owner) {
        Standing::Stranger => NOT_A_USER,
        Standing::Member => of_a_member(operation),
        Standing::Outsider => of_an_outsider(operation),
        Standing::Admin => of_the_administrator(operation),
        Standing::Poller => of_the_poller(operation),
    }
}

fn of_a_member(operation: MessageOperation) -> Expectation {
    match operation {
        MessageOperation::SubscribeAnyTenant | MessageOperation::SubscribeEverything => {
            Expectation::denied(SubscribePermission)
        }
        MessageOperation::PublishAsPoller => Expectation::denied(PublishPermission),
        MessageOperation::TakeMessageId => {
            Expectation::Unspecified("which message IDs a tenant gives its own messages is its choice")
        }
        // The platform's streams give no receipts: one would go wherever the publisher says, in the platform's account.
        MessageOperation::ReceiptInto => Expectation::denied(OtherAccount),
        _ => Expectation::Allowed,
    }
}

fn of_an_outsider(operation: MessageOperation) -> Expectation {
    match operation {
        MessageOperation::Publish | MessageOperation::PublishAsPoller | MessageOperation::RequestJob => {
            Expectation::denied(PublishPermission)
        }
        MessageOperation::Subscribe
        | MessageOperation::SubscribeAnyTenant
        | MessageOperation::SubscribeEverything
        | MessageOperation::JoinQueue => Expectation::denied(SubscribePermission),
        // Permitted, since everybody needs an inbox of their own; but it is an inbox in the caller's own account.
        MessageOperation::ListenToInboxes
        | MessageOperation::PublishToInbox
        | MessageOperation::ListenAtHome
        // A reply subject means something in the sender's own account only, and the broker writes who asks.
        | MessageOperation::AnswerInto
        | MessageOperation::ReceiptInto
        | MessageOperation::AskInto
        | MessageOperation::AskInItsName
        // What the platform keeps of one tenant is compared with nothing that it keeps of another.
        | MessageOperation::TakeMessageId => Expectation::denied(OtherAccount),
    }
}

/// It may ask `admin.>` and listen to its own inbox.
fn of_the_administrator(operation: MessageOperation) -> Expectation {
    match operation {
        MessageOperation::ListenToInboxes => Expectation::denied(OtherAccount),
        MessageOperation::ListenAtHome => {
            Expectation::Unspecified("the administrator has no subjects of its own")
        }
        MessageOperation::Subscribe
        | MessageOperation::SubscribeAnyTenant
        | MessageOperation::SubscribeEverything
        | MessageOperation::JoinQueue => Expectation::denied(SubscribePermission),
        _ => Expectation::denied(PublishPermission),
    }
}

fn of_the_poller(operation: MessageOperation) -> Expectation {
    match operation {
        MessageOperation::Subscribe
        | MessageOperation::SubscribeAnyTenant
        | MessageOperation::SubscribeEverything
        | MessageOperation::JoinQueue
        | MessageOperation::RequestJob => Expectation::Allowed,
        MessageOperation::ListenToInboxes | MessageOperation::PublishToInbox => {
            Expectation::denied(OtherAccount)
        }
        MessageOperation::Publish
        | MessageOperation::PublishAsPoller
        | MessageOperation::AnswerInto
        | MessageOperation::ReceiptInto
        | MessageOperation::AskInto
        | MessageOperation::AskInItsName
        | MessageOperation::TakeMessageId
        | MessageOperation::ListenAtHome => OWN_ACCOUNT,
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
