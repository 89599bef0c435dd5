//! The broker's side of the protocol, parsed.

use std::io::{Error, ErrorKind};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::Wire;

/// Header lines in the order they came; names are compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// One header.
    #[must_use]
    pub fn one(name: &str, value: &str) -> Self {
        Self(vec![(name.to_owned(), value.to_owned())])
    }

    /// The first value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The wire form, with its closing empty line.
    pub(crate) fn block(&self) -> String {
        let lines: String = self.0.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("NATS/1.0\r\n{lines}\r\n")
    }

    fn parse(block: &str) -> (Option<u16>, Self) {
        let mut lines = block.split("\r\n");
        let status = lines
            .next()
            .and_then(|first| first.strip_prefix("NATS/1.0"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|code| code.parse().ok());
        let pairs = lines.filter_map(|line| line.split_once(':'));
        (status, Self(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()))
    }
}

/// A message as the broker delivered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The subject it was delivered on.
    pub subject: String,
    /// The subscription it was delivered to.
    pub subscription: u64,
    /// Where an answer would go.
    pub reply: Option<String>,
    /// The status line's code (503: no responders), when there was one.
    pub status: Option<u16>,
    /// The headers.
    pub headers: Headers,
    /// The payload.
    #[serde(with = "crate::bytes")]
    pub payload: Vec<u8>,
}

impl Message {
    /// The payload as text, for comparing with a nonce and for reports.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// One thing the broker said.
#[derive(Debug)]
pub(super) enum Frame {
    Ok,
    Ping,
    Pong,
    Info,
    Error(String),
    Message(Message),
}

/// Reads the next frame; end of stream is an error of kind `UnexpectedEof`.
pub(super) async fn read(wire: &mut BufReader<Box<dyn Wire>>) -> Result<Frame, Error> {
    let mut line = String::new();
    if wire.read_line(&mut line).await? == 0 {
        return Err(Error::new(ErrorKind::UnexpectedEof, "the broker ended the connection"));
    }
    let line = line.trim_end();
    let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    match verb.to_ascii_uppercase().as_str() {
        "+OK" => Ok(Frame::Ok),
        "PING" => Ok(Frame::Ping),
        "PONG" => Ok(Frame::Pong),
        "INFO" => Ok(Frame::Info),
        "-ERR" => Ok(Frame::Error(rest.trim_matches('\'').to_owned())),
        "MSG" => message(wire, rest, false).await,
        "HMSG" => message(wire, rest, true).await,
        _ => Err(not_understood(line)),
    }
}

async fn message(
    wire: &mut BufReader<Box<dyn Wire>>,
    rest: &str,
    with_headers: bool,
) -> Result<Frame, Error> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let sizes = if with_headers { 2 } else { 1 };
    let (names, numbers) = words.split_at(words.len().saturating_sub(sizes));
    let (subject, subscription, reply) = match names {
        [subject, subscription] => (*subject, *subscription, None),
        [subject, subscription, reply] => (*subject, *subscription, Some((*reply).to_owned())),
        _ => return Err(not_understood(rest)),
    };
    let number = |text: &&str| text.parse::<usize>().map_err(|_| not_understood(rest));
    let total = numbers.last().map(number).ok_or_else(|| not_understood(rest))??;
    let headers_len = if with_headers { numbers.first().map(number).unwrap_or(Ok(0))? } else { 0 };
    let mut body = vec![0; total + 2];
    wire.read_exact(&mut body).await?;
    body.truncate(total);
    let payload = body.split_off(headers_len.min(total));
    let (status, headers) = Headers::parse(&String::from_utf8_lossy(&body));
    Ok(Frame::Message(Message {
        subject: subject.to_owned(),
        subscription: subscription.parse().map_err(|_| not_understood(rest))?,
        reply,
        status,
        headers,
        payload,
    }))
}

fn not_understood(line: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not understood: '{line}'"))
}
