//! A connection that is made once and remembers why it ended.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::Uri;

use super::Answer;
use crate::tls::{Hello, connect, secure, sight_of};
use crate::{Refusal, Sight};

/// What is remembered of the connection.
#[derive(Debug, Default)]
struct Memory {
    used: bool,
    local: Option<SocketAddr>,
    failure: Option<Sight<Answer>>,
    alert: Option<AlertDescription>,
}

/// One connection to one address.
#[derive(Debug, Clone)]
pub(super) struct Once {
    address: String,
    hello: Hello,
    memory: Arc<Mutex<Memory>>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<Watched>, io::Error>> + Send>>;

impl Once {
    pub(super) fn new(address: &str, hello: &Hello) -> Self {
        Self { address: address.to_owned(), hello: hello.clone(), memory: Arc::default() }
    }

    pub(super) fn local(&self) -> Option<SocketAddr> {
        recall(&self.memory).local
    }

    pub(super) fn alert(&self) -> Option<AlertDescription> {
        recall(&self.memory).alert
    }

    pub(super) fn failure(&self) -> Option<Sight<Answer>> {
        recall(&self.memory).failure.take()
    }

    /// For `Endpoint::connect_with_connector`; the second connection is refused.
    pub(super) fn connector(
        &self,
    ) -> impl tower::Service<Uri, Response = TokioIo<Watched>, Error = io::Error, Future = Connecting> + Send + use<>
    {
        let once = self.clone();
        tower::service_fn(move |_: Uri| {
            let once = once.clone();
            Box::pin(async move { once.open().await.map(TokioIo::new) }) as Connecting
        })
    }

    async fn open(&self) -> Result<Watched, io::Error> {
        if std::mem::replace(&mut recall(&self.memory).used, true) {
            return Err(io::Error::other("the probe's one connection has ended"));
        }
        let attempt = async {
            let tcp = connect(&self.address, self.hello.deadline).await?;
            recall(&self.memory).local = tcp.local_addr().ok();
            secure(tcp, &self.hello).await
        };
        match attempt.await {
            Ok((stream, _)) => Ok(Watched { stream, memory: Arc::clone(&self.memory) }),
            Err(sight) => {
                let told = io::Error::other(Sight::to_string(&sight));
                recall(&self.memory).failure = Some(sight);
                Err(told)
            }
        }
    }
}

fn recall(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A TLS stream that notes the alert it reads.
pub(super) struct Watched {
    stream: TlsStream<TcpStream>,
    memory: Arc<Mutex<Memory>>,
}

impl Watched {
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &polled
            && let Sight::<()>::Refused(Refusal::Alert(alert)) = sight_of(error)
        {
            recall(&self.memory).alert = Some(alert);
        }
        polled
    }

    /// A server that refuses sends its alert and closes, and then it is a write that fails: HTTP/2 gives up without reading
    /// what has come before that.
    fn heard_after<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = &written {
            let mut rest = [0; 1024];
            let _only_for_an_alert = self.read(cx, &mut ReadBuf::new(&mut rest));
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.heard_after(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.heard_after(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.heard_after(cx, ended)
    }
}
