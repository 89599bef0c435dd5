//! A NATS client that shows everything the broker says, with any credential.
//!
//! The probes speak the protocol themselves (<https://docs.nats.io/reference/reference-protocols/nats-protocol>)
//! because a client library is built to hide what they look for: it reconnects by itself, reports permission
//! violations through an asynchronous callback that belongs to no operation, and does not tell the local port
//! by which the broker's log names a connection. The library's path (async-nats) is exercised by the agent and
//! the poller themselves.
//!
//! A permission violation arrives *after* the publish or subscribe that caused it. Every operation therefore
//! ends with a PING and waits for its PONG: the broker handles a connection's lines in order, so whatever it
//! had to say about the operation has been read by then.

mod frame;
mod received;
mod session;

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::time::timeout;

pub use frame::{Headers, Message};
pub use received::Delivered;
pub use session::{Interest, Session};

use super::tls::{Handshake, Hello, connect, label, secure, sight_of};
use super::{Observation, Presented, Sight, Stopwatch};

/// How a connection is opened.
#[derive(Debug, Clone)]
pub struct Login {
    /// The TLS handshake; `None` sends `CONNECT` in the clear.
    pub tls: Option<Hello>,
    /// The user named in `CONNECT`: an identity that the certificate may not back.
    pub user: Option<String>,
    /// What its inboxes begin with, when it is not `_INBOX`.
    pub inbox: Option<String>,
    /// For each operation.
    pub deadline: Duration,
}

impl Login {
    /// An honest login with a certificate.
    #[must_use]
    pub fn with(credential: &Presented) -> Self {
        Self {
            tls: Some(Hello::nats(Some(credential))),
            user: None,
            inbox: None,
            deadline: Duration::from_secs(3),
        }
    }

    /// TLS without a certificate.
    #[must_use]
    pub fn without_certificate() -> Self {
        Self { tls: Some(Hello::nats(None)), user: None, inbox: None, deadline: Duration::from_secs(3) }
    }

    /// No TLS at all.
    #[must_use]
    pub fn in_the_clear() -> Self {
        Self { tls: None, user: None, inbox: None, deadline: Duration::from_secs(3) }
    }

    fn label(&self) -> String {
        let certificate = label(self.tls.as_ref().and_then(|hello| hello.credential.as_ref()));
        match (&self.tls, &self.user) {
            (None, _) => "a client without TLS".to_owned(),
            (Some(_), None) => certificate.to_owned(),
            (Some(_), Some(user)) => format!("{certificate} under the user name {user}"),
        }
    }
}

/// Anything that bytes go through.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects, and answers with a session once the broker has accepted the login with a PONG.
pub async fn login(address: &str, how: &Login) -> Observation<Session> {
    let watch = Stopwatch::start(format!("NATS login at {address} as {}", how.label()));
    let tcp = match connect(address, how.deadline).await {
        Ok(tcp) => tcp,
        Err(sight) => return watch.stop(sight, None),
    };
    let local = tcp.local_addr().ok();
    let sight = match greet(tcp, how).await {
        Ok(greeted) => session::open(greeted, how, local).await,
        Err(sight) => sight,
    };
    watch.stop(sight, local)
}

/// A connection before CONNECT.
pub(crate) struct Greeted {
    wire: BufReader<Box<dyn Wire>>,
    greeting: serde_json::Value,
    handshake: Option<Handshake>,
}

/// Reads the broker's INFO and raises TLS where it is wanted. NATS begins in the clear.
async fn greet<T>(tcp: tokio::net::TcpStream, how: &Login) -> Result<Greeted, Sight<T>> {
    let mut plain = BufReader::new(tcp);
    let mut line = String::new();
    match timeout(how.deadline, plain.read_line(&mut line)).await {
        Ok(Ok(0)) => return Err(Sight::Closed("end of stream before INFO".to_owned())),
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(sight_of(&error)),
        Err(_) => return Err(Sight::Silence(how.deadline)),
    }
    let greeting = line
        .strip_prefix("INFO ")
        .and_then(|json| serde_json::from_str(json.trim_end()).ok())
        .ok_or_else(|| Sight::NotMade(format!("not a NATS server: it said '{}'", line.trim_end())))?;
    let (wire, handshake): (Box<dyn Wire>, _) = match &how.tls {
        None => (Box::new(plain), None),
        Some(hello) => {
            let (stream, handshake) = secure(plain.into_inner(), hello).await?;
            (Box::new(stream), Some(handshake))
        }
    };
    Ok(Greeted { wire: BufReader::new(wire), greeting, handshake })
}
