//! What is said to the broker by somebody whom it lets in.

/// What is done with a tenant's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageOperation {
    /// Publishes on its `agents.status`.
    Publish,
    /// Publishes on its `events.poller.health`, where the poller says which of its agents answer.
    PublishAsPoller,
    /// Subscribes to its `agents.>`.
    Subscribe,
    /// Subscribes to `*.agents.>`, to hear it among all others.
    SubscribeAnyTenant,
    /// Subscribes to `>`, to hear it among everything.
    SubscribeEverything,
    /// Joins the queue group in which it works on one of its `agents.>`, to take messages away from it.
    JoinQueue,
    /// Asks one of its agents for a job.
    RequestJob,
    /// Subscribes to `_INBOX.>`, to hear the answers to its requests.
    ListenToInboxes,
    /// Answers a message of the own, whose reply subject is one of its: `allow_responses` permits that.
    AnswerInto,
    /// Publishes a result with a reply subject of its, so that the receipt of the platform's stream goes there.
    ReceiptInto,
    /// Asks a service of the platform with a reply subject of its, so that the answer goes there.
    AskInto,
    /// Asks a service of the platform in its name, by a header that only the broker may write.
    AskInItsName,
    /// Publishes a result under a message ID that it then uses as well, so that its own vanishes as a duplicate.
    TakeMessageId,
    /// Publishes on `_INBOX.>`, where it awaits answers.
    PublishToInbox,
    /// Subscribes to everything below its own prefix, to hear it there. The last: whoever hears everything twice answers
    /// differently.
    ListenAtHome,
}

impl MessageOperation {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Publish,
        Self::PublishAsPoller,
        Self::Subscribe,
        Self::SubscribeAnyTenant,
        Self::SubscribeEverything,
        Self::JoinQueue,
        Self::RequestJob,
        Self::ListenToInboxes,
        Self::AnswerInto,
        Self::ReceiptInto,
        Self::AskInto,
        Self::AskInItsName,
        Self::TakeMessageId,
        Self::PublishToInbox,
        Self::ListenAtHome,
    ];
}

/// What is done with what a tenant keeps: a stream (its notes) with a consumer to which a message is given, a bucket of
/// values, a bucket of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageOperation {
    /// Lists the names of streams.
    ListNames,
    /// Lists the streams.
    List,
    /// Asks for a stream's state.
    Describe,
    /// Reads a message by the API.
    ReadMessage,
    /// Reads a message by direct get, which any replica may answer.
    ReadDirect,
    /// Makes a consumer on it and pulls.
    Consume,
    /// Has a backup sent.
    BackUp,
    /// Reads a value of a bucket.
    ReadValue,
    /// Reads an object's description.
    ReadObject,
    /// Publishes into a stream.
    Store,
    /// Puts a value into a bucket.
    PutValue,
    /// Puts a chunk into a bucket of objects.
    PutObject,
    /// Purges a stream.
    Purge,
    /// Deletes a message.
    RemoveMessage,
    /// Changes a stream's configuration.
    Reconfigure,
    /// Deletes a stream.
    Delete,
    /// Publishes with the header that replaces everything before it.
    RollUp,
    /// Publishes a result with the header that replaces everything before it, which the platform may have kept.
    RollUpRecord,
    /// Deletes a bucket of values.
    DeleteBucket,
    /// Has the broker purge the whole account (CVE-2025-30215).
    PurgeAccount,
    /// Keeps an own stream on its subjects.
    Capture,
    /// Keeps an own stream that mirrors its stream.
    Mirror,
    /// Keeps an own stream that sources its stream.
    Source,
    /// Keeps an own stream that republishes into its subjects.
    Republish,
    /// Makes a push consumer that delivers into its subjects.
    DeliverInto,
    /// Pulls with a reply subject of its.
    PullInto,
    /// Reads its own stream of the very name of its.
    ReadNamesake,
    /// Purges its own stream of the very name of its.
    PurgeNamesake,
    /// Reads what the platform keeps of it.
    ReadRecord,
    /// Purges what the platform keeps of it.
    PurgeRecord,
    /// Asks for a restore under the name of its stream, which is refused where there is such a stream.
    Restore,
    /// Lists the names of a stream's consumers.
    NameConsumers,
    /// Lists a stream's consumers.
    ListConsumers,
    /// Asks for a consumer's state.
    DescribeConsumer,
    /// Has a consumer give nothing to anybody for a while.
    PauseConsumer,
    /// Takes a consumer away from the client that it is pinned to.
    UnpinConsumer,
    /// Has a consumer give it the next message, which its owner is then not given.
    TakeNext,
    /// Acknowledges a message that was given to it, which is then done with.
    Acknowledge,
    /// Deletes a consumer.
    DeleteConsumer,
    /// Asks what the account holds, and is shown what it has reserved.
    AskAccount,
    /// Subscribes to `$JS.EVENT.ADVISORY.>`, where the broker tells of what is done with streams. The last: it hears them from
    /// then on.
    HearAdvisories,
}

impl StorageOperation {
    /// All of them.
    pub const ALL: [Self; 41] = [
        Self::ListNames,
        Self::List,
        Self::Describe,
        Self::ReadMessage,
        Self::ReadDirect,
        Self::Consume,
        Self::BackUp,
        Self::ReadValue,
        Self::ReadObject,
        Self::Store,
        Self::PutValue,
        Self::PutObject,
        Self::Purge,
        Self::RemoveMessage,
        Self::Reconfigure,
        Self::Delete,
        Self::RollUp,
        Self::RollUpRecord,
        Self::DeleteBucket,
        Self::PurgeAccount,
        Self::Capture,
        Self::Mirror,
        Self::Source,
        Self::Republish,
        Self::DeliverInto,
        Self::PullInto,
        Self::ReadNamesake,
        Self::PurgeNamesake,
        Self::ReadRecord,
        Self::PurgeRecord,
        Self::Restore,
        Self::NameConsumers,
        Self::ListConsumers,
        Self::DescribeConsumer,
        Self::PauseConsumer,
        Self::UnpinConsumer,
        Self::TakeNext,
        Self::Acknowledge,
        Self::DeleteConsumer,
        Self::AskAccount,
        Self::HearAdvisories,
    ];
}

/// What is asked of the broker itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrokerOperation {
    /// Subscribes to `$SYS.>`.
    ListenToSystem,
    /// Asks every server who it is (`$SYS.REQ.SERVER.PING`).
    AskServers,
    /// Has the leader of JetStream step down.
    StepDown,
    /// Has a server removed from JetStream.
    RemoveServer,
    /// Reserves more storage than its share.
    ReserveTooMuch,
    /// Publishes a larger message than its account may.
    PublishTooMuch,
    /// Opens more connections than its account may.
    ConnectTooOften,
}

impl BrokerOperation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ListenToSystem,
        Self::AskServers,
        Self::StepDown,
        Self::RemoveServer,
        Self::ReserveTooMuch,
        Self::PublishTooMuch,
        Self::ConnectTooOften,
    ];
}
