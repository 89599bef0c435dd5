//! Does a host answer an echo request, through an unprivileged ICMP socket (`SOCK_DGRAM`, see icmp(7)).
//!
//! The kernel lets a group use it that is in `net.ipv4.ping_group_range`. Where it does not, the check says
//! so; it never falls back to something else.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{CheckError, shortened};

/// What is sent along and must come back.
const PAYLOAD: [u8; 8] = *b"bulkhead";
/// Header of an echo message: type, code, checksum, identifier, sequence (RFC 792, RFC 4443).
const HEADER_BYTES: usize = 8;

/// A host name or an address.
pub(super) fn host(details: &str) -> Result<String, CheckError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_:".contains(character);
    if details.is_empty() || details.len() > 253 || !details.chars().all(allowed) {
        return Err(CheckError::Host(shortened(details)));
    }
    Ok(details.to_owned())
}

pub(super) async fn look(host: &str) -> Result<String, String> {
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| format!("{host}: {error}"))?;
    let target = found.into_iter().next().ok_or_else(|| format!("{host} has no address"))?;
    let socket = socket(target.ip()).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "not permitted: the agent's group is not in net.ipv4.ping_group_range".to_owned()
        }
        _ => format!("cannot make an ICMP socket: {error}"),
    })?;
    echo(&socket, target).await.map_err(|error| format!("{target}: {error}", target = target.ip()))?;
    Ok(format!("{} answers", target.ip()))
}

fn socket(target: IpAddr) -> io::Result<UdpSocket> {
    let (domain, protocol) = match target {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// The kernel fills in identifier and checksum, and hands us the answers to our own requests only.
async fn echo(socket: &UdpSocket, target: SocketAddr) -> io::Result<()> {
    let (request, reply) = match target {
        SocketAddr::V4(_) => (8, 0),
        SocketAddr::V6(_) => (128, 129),
    };
    let mut message = [0; HEADER_BYTES + PAYLOAD.len()];
    message[0] = request;
    message[HEADER_BYTES..].copy_from_slice(&PAYLOAD);
    socket.connect(target).await?;
    socket.send(&message).await?;
    let mut answer = [0; 64];
    loop {
        let length = socket.recv(&mut answer).await?;
        if is_answer(&answer[..length], reply) {
            return Ok(());
        }
    }
}

fn is_answer(message: &[u8], reply: u8) -> bool {
    message.first() == Some(&reply) && message.get(HEADER_BYTES..) == Some(&PAYLOAD[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_payload_in_a_reply_is_an_answer() {
        let message = |kind: u8, payload: &[u8]| [&[kind, 0, 0, 0, 0, 7, 0, 1], payload].concat();
        assert!(is_answer(&message(0, b"bulkhead"), 0));
        for other in
            [message(8, b"bulkhead"), message(3, b"bulkhead"), message(0, b"bulkhea"), vec![0; 4], vec![]]
        {
            assert!(!is_answer(&other, 0), "{other:?}");
        }
    }

    /// Whether this machine permits it or not, the check says the truth.
    #[tokio::test]
    async fn it_is_answered_or_says_that_it_is_not_permitted() {
        let permitted = socket(IpAddr::from([127, 0, 0, 1])).is_ok();
        match look("127.0.0.1").await {
            Ok(message) => assert!(permitted, "{message}"),
            Err(message) => {
                assert!(!permitted, "{message}");
                assert!(message.starts_with("not permitted"), "{message}");
            }
        }
    }
}
