//! Who may call what: a tower layer in front of every gRPC handler.
//!
//! The caller is whoever the verified certificate names, and nobody else: metadata and `:authority` can
//! only be wrong, they never add anything. Each call leaves one audit record. A refusal is answered with
//! `PERMISSION_DENIED` and its stable reason; a handler is not reached.
//!
//! A layer and not an interceptor, because an interceptor does not see `:authority`.

mod grants;
mod judge;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bulkhead_identity::{PeerName, TenantSlug};
use futures::future::{Either, Ready, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

pub use grants::Grants;
pub use judge::{TENANT_METADATA, TENANT_METADATA_BINARY};

use crate::trace::TraceId;
use judge::Judge;

/// Who calls, for handlers: taken from the request's extensions.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The name in the verified certificate.
    pub name: PeerName,
    /// The tenant that the call concerns: the service's own, else the caller's. `None` between platform
    /// services.
    pub tenant: Option<TenantSlug>,
    /// Where the call comes from.
    pub peer: Option<SocketAddr>,
    /// The trace that it belongs to.
    pub trace_id: TraceId,
}

impl Caller {
    /// The caller of a request that has passed the [`AccessLayer`].
    ///
    /// # Errors
    /// `INTERNAL`, when the layer is not there: a handler must not answer a caller whom nobody judged.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let caller = request.extensions().get::<Self>().cloned();
        caller.ok_or_else(|| Status::internal("the caller was not identified"))
    }
}

/// Judges each call before it reaches a handler.
#[derive(Debug, Clone)]
pub struct AccessLayer {
    judge: Arc<Judge>,
}

impl AccessLayer {
    /// A layer for the service named `own`, which lets through what `grants` names and nothing else.
    #[must_use]
    pub fn new(own: PeerName, grants: Grants) -> Self {
        Self { judge: Arc::new(Judge::new(own, grants)) }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Access { inner, judge: self.judge.clone() }
    }
}

/// A service behind the [`AccessLayer`].
#[derive(Debug, Clone)]
pub struct Access<S> {
    inner: S,
    judge: Arc<Judge>,
}

impl<S, B> Service<Request<B>> for Access<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        match self.judge.judge(&head) {
            Ok(caller) => {
                head.extensions.insert(caller);
                Either::Left(self.inner.call(Request::from_parts(head, body)))
            }
            Err(reason) => Either::Right(ready(Ok(Status::permission_denied(reason).into_http()))),
        }
    }
}
