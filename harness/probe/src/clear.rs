//! HTTP/2 without TLS, said to a service that must not listen to it.

use std::time::Duration;

use rustls::AlertDescription;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::tls::{HTTP2_PREFACE, connect, sight_of};
use super::{Observation, Refusal, Sight, Stopwatch};

/// An alert that is not encrypted: type 21, any version, two bytes, fatal (RFC 8446, sections 5.1 and 6).
const ALERT_BYTES: usize = 7;
const ALERT: u8 = 21;

/// Opens HTTP/2 with prior knowledge (RFC 9113, section 3.3) and reads the first words of an answer.
///
/// [`Sight::Answered`] means that the server spoke something else than TLS: an h2 server's SETTINGS frame.
pub async fn speak(address: &str, deadline: Duration) -> Observation<()> {
    let watch = Stopwatch::start(format!("HTTP/2 without TLS at {address}"));
    let mut tcp = match connect(address, deadline).await {
        Ok(tcp) => tcp,
        Err(sight) => return watch.stop(sight, None),
    };
    let local = tcp.local_addr().ok();
    let exchange = async {
        // A failure to write shows in the read that follows.
        let _shown_by_the_read = tcp.write_all(HTTP2_PREFACE).await;
        let mut first = [0_u8; ALERT_BYTES];
        tcp.read_exact(&mut first).await.map(|_| first)
    };
    let sight = match timeout(deadline, exchange).await {
        Ok(Ok(first)) => meaning(first),
        Ok(Err(error)) => sight_of(&error),
        Err(_) => Sight::Silence(deadline),
    };
    watch.stop(sight, local)
}

fn meaning(first: [u8; ALERT_BYTES]) -> Sight<()> {
    match first {
        [ALERT, _, _, 0, 2, _, description] => {
            Sight::Refused(Refusal::Alert(AlertDescription::from(description)))
        }
        _ => Sight::Answered(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_told_from_an_answer() {
        let alert = meaning([21, 3, 3, 0, 2, 2, 50]);
        let wanted = Refusal::Alert(AlertDescription::DecodeError);
        assert!(matches!(&alert, Sight::Refused(refusal) if *refusal == wanted), "{alert}");
        // The head of a SETTINGS frame of six bytes (RFC 9113, sections 4.1 and 6.5).
        let settings = meaning([0, 0, 6, 4, 0, 0, 0]);
        assert!(matches!(settings, Sight::Answered(())), "{settings}");
    }
}
