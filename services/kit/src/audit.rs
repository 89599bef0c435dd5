//! Audit records: one line for each accept and each refusal, written whatever the log level is.
//!
//! A record says who (`identity`), from where (`peer`), on which layer, concerning which tenant, how it
//! ended and why. Its line is one flat JSON object:
//! `{"timestamp","level","target":"audit","service","tenant","kind":"audit","event","layer","identity","peer","dialled","reason","detail","trace_id","method"}`;
//! what is not known is left out.

use bulkhead_identity::seeded::{self, SeededFault};

/// The tracing target of audit records.
pub const TARGET: &str = "audit";

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The peer was let through.
    Accepted,
    /// The peer was turned away.
    Refused,
}

/// Where the decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The TLS handshake.
    Tls,
    /// A gRPC call on an accepted connection.
    Grpc,
    /// NATS: its server was judged by us, or an operation of ours was judged by it.
    Nats,
}

/// One accept or refusal. Made with [`Record::accepted`] or [`Record::refused`], written with
/// [`Record::write`].
#[derive(Debug, Clone)]
#[must_use = "an audit record counts only when it is written"]
pub struct Record {
    outcome: Outcome,
    layer: Layer,
    reason: String,
    tenant: Option<String>,
    identity: Option<String>,
    peer: Option<String>,
    dialled: Option<String>,
    detail: Option<String>,
    trace_id: Option<String>,
    method: Option<String>,
}

impl Record {
    /// An accept.
    pub fn accepted(layer: Layer) -> Self {
        Self::new(Outcome::Accepted, layer, "accepted")
    }

    /// A refusal, with its stable kebab-case reason, e.g. `unknown-issuer`.
    pub fn refused(layer: Layer, reason: &str) -> Self {
        Self::new(Outcome::Refused, layer, reason)
    }

    fn new(outcome: Outcome, layer: Layer, reason: &str) -> Self {
        Self {
            outcome,
            layer,
            reason: reason.to_owned(),
            tenant: None,
            identity: None,
            peer: None,
            dialled: None,
            detail: None,
            trace_id: None,
            method: None,
        }
    }

    /// The tenant whose data or service is concerned. Left out, it is the service's own.
    pub fn tenant(mut self, tenant: impl ToString) -> Self {
        self.tenant = Some(tenant.to_string());
        self
    }

    /// The common name of the peer, as far as it is known.
    pub fn identity(mut self, identity: impl ToString) -> Self {
        self.identity = Some(identity.to_string());
        self
    }

    /// The address and port that the peer came from, or was dialled at.
    pub fn peer(mut self, peer: impl ToString) -> Self {
        self.peer = Some(peer.to_string());
        self
    }

    /// Whom we dialled, when the peer is one that we dialled: on a refusal it is not who answered.
    pub fn dialled(mut self, name: impl ToString) -> Self {
        self.dialled = Some(name.to_string());
        self
    }

    /// The reason as a sentence.
    pub fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// The trace that the attempt belongs to.
    pub fn trace_id(mut self, trace_id: impl ToString) -> Self {
        self.trace_id = Some(trace_id.to_string());
        self
    }

    /// The method or subject that was asked for.
    pub fn method(mut self, method: impl ToString) -> Self {
        self.method = Some(method.to_string());
        self
    }

    /// Writes the record.
    pub fn write(self) {
        let missing = match self.outcome {
            Outcome::Accepted => SeededFault::AuditAcceptedMissing,
            Outcome::Refused => SeededFault::AuditRefusalsMissing,
        };
        if seeded::is_on(missing) {
            return;
        }
        let event = match self.outcome {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
        };
        let layer = match self.layer {
            Layer::Tls => "tls",
            Layer::Grpc => "grpc",
            Layer::Nats => "nats",
        };
        tracing::info!(
            target: TARGET,
            kind = "audit",
            event,
            layer,
            reason = self.reason,
            tenant = self.tenant,
            identity = self.identity,
            peer = self.peer,
            dialled = self.dialled,
            detail = self.detail,
            trace_id = self.trace_id,
            method = self.method,
        );
    }
}
