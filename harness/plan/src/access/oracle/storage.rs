//! What NATS lets its users do with what a tenant keeps. Everybody asks their own account's JetStream, which knows
//! nothing of others' streams.

use bulkhead_identity::{PeerName, TenantSlug};

use super::Expectation;
use super::messages::{NOT_A_USER, OWN_ACCOUNT, Standing, standing};
use crate::access::attempt::StorageOperation;
use crate::access::outcome::DenialReason::{NotFound, OtherAccount, PublishPermission, SubscribePermission};

/// What is expected of an operation with a stream or bucket of `owner`.
pub(super) fn storage(name: &PeerName, operation: StorageOperation, owner: &TenantSlug) -> Expectation {
    match standing(name, owner) {
        Standing::Stranger => NOT_A_USER,
        Standing::Member => of_a_member(operation),
        Standing::Outsider => of_an_outsider(operation),
        // It may ask the platform, and hear its answers, and no JetStream.
        Standing::Admin if operation == StorageOperation::HearAdvisories => {
            Expectation::denied(SubscribePermission)
        }
        Standing::Admin => Expectation::denied(PublishPermission),
        Standing::Poller if operation == StorageOperation::ReadRecord => Expectation::Allowed,
        Standing::Poller => OWN_ACCOUNT,
    }
}

fn of_a_member(operation: StorageOperation) -> Expectation {
    use StorageOperation as Do;
    match operation {
        // The platform keeps it, in its own account.
        Do::ReadRecord | Do::PurgeRecord => Expectation::denied(NotFound),
        // What is kept stays, whatever the message says.
        Do::RollUpRecord => Expectation::denied(OtherAccount),
        Do::PurgeAccount => Expectation::denied(PublishPermission),
        // Not even those of its own account.
        Do::HearAdvisories => Expectation::denied(SubscribePermission),
        Do::ReadNamesake | Do::PurgeNamesake => {
            Expectation::Unspecified("a stream of one's own is no namesake of itself")
        }
        Do::RollUp => {
            Expectation::Unspecified("whether a tenant's own stream takes roll-ups is the tenant's choice")
        }
        Do::Republish | Do::DeliverInto | Do::PullInto => {
            Expectation::Unspecified("a tenant may have its own messages delivered to itself as it likes")
        }
        _ => Expectation::Allowed,
    }
}

fn of_an_outsider(operation: StorageOperation) -> Expectation {
    use StorageOperation as Do;
    let reason = match operation {
        // Answered, with the caller's own.
        Do::ListNames | Do::List | Do::ReadNamesake | Do::PurgeNamesake | Do::AskAccount
        // Nobody answers there in the caller's account.
        | Do::ReadDirect
        | Do::PutValue
        | Do::PutObject
        | Do::TakeNext
        | Do::Acknowledge
        // Begun in the caller's account, where the name is free.
        | Do::Restore
        // Created without an error, and empty for ever, or delivering to nobody else.
        | Do::Capture
        | Do::Mirror
        | Do::Source
        | Do::Republish
        | Do::DeliverInto
        | Do::PullInto => OtherAccount,
        // Its subject is one of the owner's.
        Do::Store | Do::RollUp | Do::RollUpRecord | Do::PurgeAccount => PublishPermission,
        Do::HearAdvisories => SubscribePermission,
        Do::Describe
        | Do::NameConsumers
        | Do::ListConsumers
        | Do::DescribeConsumer
        | Do::PauseConsumer
        | Do::UnpinConsumer
        | Do::DeleteConsumer
        | Do::ReadMessage
        | Do::Consume
        | Do::BackUp
        | Do::ReadValue
        | Do::ReadObject
        | Do::Purge
        | Do::RemoveMessage
        | Do::Reconfigure
        | Do::Delete
        | Do::DeleteBucket
        | Do::ReadRecord
        | Do::PurgeRecord => NotFound,
    };
    Expectation::denied(reason)
}
