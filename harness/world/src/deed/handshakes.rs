//! A tenant that begins handshakes and finishes none.

use std::io::ErrorKind;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Done, Ground};
use crate::stage::{NATS, POLLER};

/// At one door at once: more than a service has under way.
const AT_ONCE: usize = 300;
/// At one door in all: what was cut is begun again.
const IN_ALL: usize = 2000;
/// The head of a handshake record of 512 bytes, and the first of them (RFC 8446, sections 5.1 and 4). The rest never
/// comes.
const BEGINNING: [u8; 6] = [22, 3, 1, 2, 0, 1];
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Between two looks at which were cut.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Holds so many at each door, and begins those again that are cut.
pub(super) async fn stall(ground: &mut Ground<'_>) -> Result<Done, String> {
    let agent = ground.stage.agent(&ground.tenant)?.name.clone();
    let doors = [NATS, POLLER, agent].map(|service| {
        let address = ground.stage.address(&service);
        (service, address)
    });
    let ground = &*ground;
    let stalls = doors.into_iter().map(async |(service, address)| {
        let address = address?;
        let (mut held, mut begun): (Vec<TcpStream>, usize) = (Vec::new(), 0);
        loop {
            held.retain(stands);
            let missing = AT_ONCE.saturating_sub(held.len()).min(IN_ALL - begun);
            let fresh = join_all((0..missing).map(|_| begin(&address))).await;
            begun += missing;
            held.extend(fresh.into_iter().flatten());
            if !ground.pause(LOOK_EVERY).await {
                return Ok::<_, String>(format!("{service}: {begun} handshakes begun"));
            }
        }
    });
    let said: Result<Vec<String>, String> = join_all(stalls).await.into_iter().collect();
    Ok(Done { said: vec![said?.join(", ")], wrong: Vec::new() })
}

async fn begin(address: &str) -> Option<TcpStream> {
    let mut stream = timeout(CONNECT_LIMIT, TcpStream::connect(address)).await.ok()?.ok()?;
    stream.write_all(&BEGINNING).await.ok()?;
    Some(stream)
}

/// Whether the other side has not ended it yet.
fn stands(stream: &TcpStream) -> bool {
    let mut words = [0; 1024];
    loop {
        match stream.try_read(&mut words) {
            Ok(0) => return false,
            // NATS begins in the clear.
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}
