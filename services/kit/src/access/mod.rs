//! Who may call what: a tower layer in front of every gRPC handler.
//!
//! The caller is whoever the verified certificate names, and nobody else: metadata and `:authority` can
//! only be wrong, they never add anything. Each call leaves one audit record. A refusal is answered with
//! `PERMISSION_DENIED` and its stable reason; a handler is not reached. Nor is one by a tenant that has as many
//! calls under way as it may have: what a call has to hold is somebody else's choice, how many there are is not.
//!
//! A layer and not an interceptor, because an interceptor does not see `:authority`.

mod grants;
mod judge;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bulkhead_identity::{PeerName, TenantSlug};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

pub use grants::Grants;
pub use judge::{TENANT_METADATA, TENANT_METADATA_BINARY};

use crate::places::Places;
use crate::trace::TraceId;
use judge::Judge;

/// How many calls of one tenant, or of one service of the platform, may be under way.
const CALLS_MAXIMUM: usize = 32;

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
    places: Arc<Places>,
}

impl AccessLayer {
    /// A layer for the service named `own`, which lets through what `grants` names and nothing else.
    #[must_use]
    pub fn new(own: PeerName, grants: Grants) -> Self {
        Self { judge: Arc::new(Judge::new(own, grants)), places: Places::new(CALLS_MAXIMUM) }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Access { inner, judge: self.judge.clone(), places: self.places.clone() }
    }
}

/// A service behind the [`AccessLayer`].
#[derive(Debug, Clone)]
pub struct Access<S> {
    inner: S,
    judge: Arc<Judge>,
    places: Arc<Places>,
}

impl<S, B> Service<Request<B>> for Access<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        match self.judge.judge(&head, &self.places) {
            Ok((caller, place)) => {
                head.extensions.insert(caller);
                let answer = self.inner.call(Request::from_parts(head, body));
                Box::pin(answer.inspect(move |_| drop(place)))
            }
            Err(refusal) => Box::pin(ready(Ok(refusal.status().into_http()))),
        }
    }
}
