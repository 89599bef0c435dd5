//! What is said between the harness and a probe.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroize;

use crate::Observation;
use crate::nats::{Delivered, Headers, Interest, Message};

/// A private key on its way, wiped when it is dropped and never printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret(#[serde(with = "crate::bytes")] Vec<u8>);

impl Secret {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(not shown)")
    }
}

/// One DER certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Der(#[serde(with = "crate::bytes")] pub(super) Vec<u8>);

/// An order and its number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Letter {
    /// The answer has the same.
    pub number: u64,
    /// What to do.
    pub order: Order,
}

/// How a TLS handshake is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The number of the credential to present; none sends no certificate.
    pub credential: Option<u64>,
    /// The server name indication.
    pub server_name: String,
    /// Whether HTTP/2 is offered (ALPN).
    pub offers_h2: bool,
    /// Whether TLS 1.2 is offered, and nothing newer.
    pub old_tls: bool,
    /// The number of a place where session tickets are kept, to try a resumption.
    pub sessions: Option<u64>,
}

/// How the broker is logged in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginOrder {
    /// The handshake; none goes on in the clear.
    pub opening: Option<Opening>,
    /// The user named in `CONNECT`.
    pub user: Option<String>,
    /// What its inboxes begin with, when it is not `_INBOX`.
    pub inbox: Option<String>,
}

/// What a probe is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Take note of a credential.
    Learn {
        /// Its number.
        credential: u64,
        /// What it is, for people.
        label: String,
        /// The certificates, leaf first.
        chain: Vec<Der>,
        /// The private key, PKCS #8 DER.
        key: Secret,
    },
    /// Connect by TCP.
    Reach {
        /// To where.
        address: String,
        /// How long it may take. A wall drops packets: an attempt at one lasts this long.
        deadline_ms: u64,
    },
    /// Connect by TCP, say something, and read what comes at once.
    Ask {
        /// Whom.
        address: String,
        /// What to say; nothing waits for the other side to begin.
        words: String,
        /// How long all of it may take.
        deadline_ms: u64,
    },
    /// Shake hands and hear the first words.
    Handshake {
        /// With whom.
        address: String,
        /// How.
        opening: Opening,
    },
    /// Shake hands and read which authorities are named.
    AskForAuthorities {
        /// Whom.
        address: String,
        /// How.
        opening: Opening,
    },
    /// Connect by TCP, say nothing, and have a call made on a connection of its own meanwhile.
    Hold {
        /// Whom.
        address: String,
        /// The call's handshake.
        opening: Opening,
        /// The call's `:authority`.
        authority: String,
        /// What is called.
        call: Box<crate::grpc::Call>,
    },
    /// Connect by TCP and say nothing, until the other side ends it.
    BeSilent {
        /// To whom.
        address: String,
        /// How long that may take.
        deadline_ms: u64,
    },
    /// Shake hands again and again and keep every connection under this number, until there is no further one.
    TakePlaces {
        /// The number; [`Order::Close`] gives all of them back.
        session: u64,
        /// Whose.
        address: String,
        /// How.
        opening: Opening,
        /// How many are enough.
        enough: usize,
    },
    /// Speak HTTP/2 without TLS.
    Clear {
        /// To whom.
        address: String,
    },
    /// Call a method.
    Call {
        /// Of whom.
        address: String,
        /// The handshake.
        opening: Opening,
        /// `:authority`.
        authority: String,
        /// Metadata in order.
        metadata: Vec<(String, String)>,
        /// What is called.
        call: Box<crate::grpc::Call>,
    },
    /// Log in to the broker and keep the connection under this number.
    Open {
        /// The number.
        session: u64,
        /// Where the broker is.
        address: String,
        /// How.
        login: LoginOrder,
    },
    /// Do something on a kept connection.
    Do {
        /// Its number.
        session: u64,
        /// What.
        step: Step,
    },
    /// End a kept connection.
    Close {
        /// Its number.
        session: u64,
    },
}

/// What can be done on a connection to the broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Wait until the broker has handled everything before.
    Flush,
    /// Publish.
    Publish {
        /// On which subject.
        subject: String,
        /// Where an answer is wanted.
        reply: Option<String>,
        /// With which headers.
        headers: Headers,
        /// What.
        payload: String,
    },
    /// Subscribe.
    Subscribe {
        /// To what.
        subject: String,
        /// In which queue group.
        group: Option<String>,
    },
    /// Ask, and wait for the first answer.
    Request {
        /// On which subject.
        subject: String,
        /// With which headers.
        headers: Headers,
        /// What.
        payload: String,
    },
    /// Ask the JetStream API, or publish for a stream to store, and wait for the answer.
    Api {
        /// On which subject.
        subject: String,
        /// With which headers.
        headers: Headers,
        /// The request.
        body: String,
    },
    /// Hand over what a subscription has received so far.
    Take(Interest),
    /// Hand over what has come on subscriptions that the broker objected to.
    TakeRefused,
    /// Wait for the first message of a subscription whose payload contains a text.
    Await {
        /// Which subscription.
        interest: Interest,
        /// The text.
        containing: String,
    },
}

/// What an attempt was answered with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// Nothing in particular: it was done.
    Done,
    /// A handshake was completed.
    Shown(Shown),
    /// These authorities were named, as far as their names can be read.
    Authorities(Vec<String>),
    /// A call was answered that was made while another connection stood silent.
    Held {
        /// Whether the server had ended the silent one before.
        silent_ended: bool,
    },
    /// So many connections stand.
    Places {
        /// How many.
        taken: usize,
        /// What was seen of the next one; nothing when there were enough.
        turned_away: Option<String>,
    },
    /// A call was answered.
    Call(crate::grpc::Answer),
    /// Bytes came.
    Bytes(#[serde(with = "crate::bytes")] Vec<u8>),
    /// The broker let the caller in; its INFO.
    Greeting(Value),
    /// A subscription stands.
    Interest(Interest),
    /// A message came.
    Message(Message),
    /// These messages have come.
    Delivered(Delivered),
    /// JetStream answered.
    Json(Value),
}

/// What a completed handshake showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Whether an earlier session was taken up, so that nothing was verified in this one.
    pub resumed: bool,
}

/// What was seen of one attempt.
pub type Seen = Observation<Answered>;

/// An answer and the number of its order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reply {
    /// The order's.
    pub number: u64,
    /// What was seen.
    pub seen: Seen,
}
