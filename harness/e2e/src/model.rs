//! The attempts of the scenarios in the words of the access model.
//!
//! What a feature expects is written by hand, what the model expects is computed. A scenario passes only
//! where both agree with what was found: a feature that was adapted to a broken platform is caught by the
//! model, and a model that was adapted is caught by the feature.

use bulkhead_plan::access::{
    Attempt, CallTarget, Method, Model, Operation, RequestAuthority, TenantMetadata, Who,
};
use bulkhead_plan::access::{Expectation, MessageOperation, StorageOperation};

use crate::platform::{Platform, PlatformError};
use crate::words::{FlawWord, Peer};

impl Platform {
    /// What the model expects of an attempt.
    pub(crate) fn expected(&self, who: Who, operation: Operation) -> Expectation {
        Model::of_record(&self.record).expected(&Attempt { who, operation })
    }

    /// A peer with its own certificate, or nobody with none.
    pub(crate) fn as_itself(&self, peer: &Peer) -> Result<Who, PlatformError> {
        match peer {
            Peer::Nobody => Ok(Who::Anonymous),
            known => Ok(Who::Peer(self.name(known)?)),
        }
    }

    /// A peer with a certificate of this flaw.
    pub(crate) fn with_flaw(&self, peer: &Peer, flaw: &FlawWord) -> Result<Who, PlatformError> {
        match flaw {
            FlawWord::OwnOf(other) => self.as_itself(other),
            flaw => Ok(Who::Forged { name: self.name(peer)?, flaw: self.flaw(flaw)? }),
        }
    }

    /// Being let in by a service.
    pub(crate) fn connection_to(&self, service: &Peer) -> Result<Operation, PlatformError> {
        match service {
            Peer::Broker => Ok(Operation::Connect),
            other => self.call_of(other, Method::Health, TenantMetadata::Absent, RequestAuthority::Target),
        }
    }

    /// Calling a service.
    pub(crate) fn call_of(
        &self,
        service: &Peer,
        method: Method,
        metadata: TenantMetadata,
        authority: RequestAuthority,
    ) -> Result<Operation, PlatformError> {
        let target = match service {
            Peer::Poller => CallTarget::Poller,
            Peer::Agent(word) => {
                let tenant = self.slug(word)?.clone();
                CallTarget::Agent { tenant, agent: self.first_agent(word)?.id.clone() }
            }
            other => return Err(PlatformError::Impossible(format!("{other} answers no calls"))),
        };
        Ok(Operation::Call { target, method, metadata, authority })
    }

    /// Doing something with a tenant's messages.
    pub(crate) fn message(
        &self,
        operation: MessageOperation,
        word: &str,
    ) -> Result<Operation, PlatformError> {
        Ok(Operation::Message { operation, owner: self.slug(word)?.clone() })
    }

    /// Doing something with what a tenant keeps.
    pub(crate) fn storage(
        &self,
        operation: StorageOperation,
        word: &str,
    ) -> Result<Operation, PlatformError> {
        Ok(Operation::Storage { operation, owner: self.slug(word)?.clone() })
    }
}
