//! The verifier, plugged into rustls: one per connection, so that the reason of a refusal finds its
//! connection.
//!
//! What rustls says of a refusal is an alert's worth; what the peer learns is less. The whole reason is left
//! in the connection's [`RefusalSlot`].

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::authority::IssuingAuthority;
use crate::pattern::Role;
use crate::refusal::Refusal;
use crate::seeded::{self, SeededFault};
use crate::verifier::PeerVerifier;

/// Where one connection's verifier leaves the reason of its refusal.
#[derive(Clone, Debug, Default)]
pub struct RefusalSlot(Arc<Mutex<Option<Refusal>>>);

impl RefusalSlot {
    /// Takes the reason out, if the verifier refused.
    pub fn take(&self) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The reason of a failed handshake: the verifier's, or that no certificate came, of which rustls does not
    /// ask a verifier. `None` when the handshake failed for another reason than the peer's identity.
    pub fn reason_of(&self, error: &Error) -> Option<Refusal> {
        let absent = matches!(error, Error::NoCertificatesPresented);
        self.take().or(absent.then_some(Refusal::NoCertificate))
    }

    fn put(&self, refusal: Refusal) -> Error {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(refusal.clone());
        refusal.into()
    }
}

impl PeerVerifier {
    /// A verifier for one connection that a peer dialled, and the slot for its refusal. Peers are judged as
    /// clients, whatever role this verifier was made for. No hints about authorities are sent: they would
    /// tell strangers which tenants exist here, and make honest clients withhold the wrong certificate.
    ///
    /// **A resumed session asks no verifier** (the class of CVE-2025-23419), which a verifier cannot prevent:
    /// whoever builds the `ServerConfig` sets `send_tls13_tickets` to 0 and `NoServerSessionStorage`, allows
    /// TLS 1.3 only (over 1.2 every handshake fails here), and bounds the age of connections so that a
    /// revoked peer is cut off.
    pub fn client_cert_verifier(&self) -> (Arc<dyn ClientCertVerifier>, RefusalSlot) {
        let connection = Connection::new(self.in_role(Role::Client));
        let slot = connection.slot.clone();
        (Arc::new(connection), slot)
    }

    /// A verifier for one connection to a peer, and the slot for its refusal. The peer is judged as a server,
    /// whatever role this verifier was made for. The server name that rustls passes is ignored: the accepted
    /// patterns are the expectation, and a certificate is never matched with an address. Whoever builds the
    /// `ClientConfig` sets `Resumption::disabled()` and TLS 1.3 only, as for a server.
    pub fn server_cert_verifier(&self) -> (Arc<dyn ServerCertVerifier>, RefusalSlot) {
        let connection = Connection::new(self.in_role(Role::Server));
        let slot = connection.slot.clone();
        (Arc::new(connection), slot)
    }
}

#[derive(Debug)]
struct Connection {
    verifier: PeerVerifier,
    slot: RefusalSlot,
    /// None, unless by mistake.
    hints: Vec<DistinguishedName>,
}

impl Connection {
    fn new(verifier: PeerVerifier) -> Self {
        let hints = match seeded::is_on(SeededFault::AuthorityHintsSent) {
            true => verifier.bundle.authorities().iter().map(IssuingAuthority::distinguished_name).collect(),
            false => Vec::new(),
        };
        Self { verifier, slot: RefusalSlot::default(), hints }
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let believed = seeded::believing(&self.verifier, leaf, sent, now);
        let judgement = believed.unwrap_or_else(|| self.verifier.verify(leaf, now));
        judgement.map(|_name| ()).map_err(|refusal| self.slot.put(refusal))
    }

    fn check_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if seeded::is_on(SeededFault::KeyNotProven) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.verifier.provider.signature_verification_algorithms;
        let valid = rustls::crypto::verify_tls13_signature(message, leaf, signed, algorithms);
        valid.map_err(|error| match error {
            Error::InvalidCertificate(_) => self.slot.put(Refusal::KeyNotProven),
            misbehaved => misbehaved,
        })
    }

    /// TLS 1.2 is offered by nobody here; a configuration that allows it fails instead of being half-checked.
    fn check_old_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if seeded::is_on(SeededFault::OldTlsAccepted) {
            let algorithms = &self.verifier.provider.signature_verification_algorithms;
            return rustls::crypto::verify_tls12_signature(message, leaf, signed, algorithms);
        }
        Err(Error::General("TLS 1.2 is not spoken here: configure TLS 1.3 only".to_owned()))
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.verifier.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Connection {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        !seeded::is_on(SeededFault::ClientCertificateOptional)
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(leaf, intermediates, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_old_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for Connection {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(leaf, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_old_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
