//! Connections on which nothing is said: they are there to be in the way.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::tls::{Hello, connect, first_word, label, secure};
use super::{Observation, Sight, Stopwatch};

/// How many handshakes are under way at once.
const AT_ONCE: usize = 16;

/// Connects and says nothing, whatever it is told.
///
/// [`Sight::Closed`] means that the other side has ended it; [`Sight::Answered`] that it still stood when the time was over.
pub async fn be_silent(address: &str, deadline: Duration) -> Observation<()> {
    let watch = Stopwatch::start(format!("be silent to {address}"));
    let mut tcp = match connect(address, crate::DEADLINE).await {
        Ok(tcp) => tcp,
        Err(sight) => return watch.stop(sight, None),
    };
    let local = tcp.local_addr().ok();
    let until_the_end = async {
        let mut heard = [0_u8; 1024];
        loop {
            match tcp.read(&mut heard).await {
                Ok(0) => return "end of stream".to_owned(),
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    };
    let sight = match timeout(deadline, until_the_end).await {
        Ok(how) => Sight::Closed(how),
        Err(_) => Sight::Answered(()),
    };
    watch.stop(sight, local)
}

/// A connection that is kept, after its handshake.
pub(crate) type Taken = Box<TlsStream<TcpStream>>;

/// What came of taking places.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) taken: Vec<Taken>,
    /// What was seen of the first connection that was not let in; nothing when there were enough.
    pub(crate) turned_away: Option<String>,
}

/// Shakes hands until somebody is turned away or there are enough, and keeps what stands. Each has heard the server's first
/// words: it was let in.
pub(crate) async fn take_places(address: &str, hello: &Hello, enough: usize) -> Observation<Places> {
    let who = label(hello.credential.as_ref());
    let watch = Stopwatch::start(format!("take all places at {address} as {who}"));
    let mut places = Places { taken: Vec::new(), turned_away: None };
    // Nobody is given up half way: whom the server has let in and who then goes away leaves a place free.
    while places.turned_away.is_none() && places.taken.len() < enough {
        for place in join_all((0..AT_ONCE).map(|_| take(address, hello))).await {
            match place {
                Ok(stream) => places.taken.push(stream),
                Err(sight) => places.turned_away = Some(sight.to_string()),
            }
        }
    }
    watch.stop(Sight::Answered(places), None)
}

async fn take(address: &str, hello: &Hello) -> Result<Taken, Sight<()>> {
    let tcp = connect(address, hello.deadline).await?;
    let (mut stream, _) = secure(tcp, hello).await?;
    first_word(&mut stream, hello.deadline).await.ok()?;
    Ok(Box::new(stream))
}
