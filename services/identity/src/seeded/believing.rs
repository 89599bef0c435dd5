//! Mistakes in which what a peer sends beside its leaf takes part in the judgement.

use std::slice;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::EndEntityCert;

use super::{SeededFault, is_on};
use crate::authority::IssuingAuthority;
use crate::certificate::Certificate;
use crate::names::PeerName;
use crate::profile;
use crate::refusal::Refusal;
use crate::verifier::{PeerVerifier, Purpose, read, revocation, unreadable};

/// The judgement of a verifier that believes what it is sent; `None` where it judges as it should.
pub(crate) fn believing(
    verifier: &PeerVerifier,
    leaf: &CertificateDer<'_>,
    sent: &[CertificateDer<'_>],
    now: UnixTime,
) -> Option<Result<PeerName, Refusal>> {
    let of_these = [
        SeededFault::VerifierRootIsEnough,
        SeededFault::VerifierSubordinateAuthority,
        SeededFault::VerifierAnyChain,
        SeededFault::VerifierLeafAsAuthority,
        SeededFault::AnyGeneration,
    ];
    let fault = of_these.into_iter().find(|fault| is_on(*fault))?;
    let certificate = read(leaf).ok()?;
    let end_entity = EndEntityCert::try_from(leaf).ok()?;
    let peer = Peer { verifier, certificate, end_entity, sent, now };
    match fault {
        SeededFault::VerifierRootIsEnough => Some(peer.below_the_root()),
        SeededFault::VerifierSubordinateAuthority => peer.below_an_authority(),
        SeededFault::VerifierAnyChain => Some(peer.by_its_own_word()),
        SeededFault::VerifierLeafAsAuthority => peer.below_a_leaf(),
        _ => peer.of_any_generation(),
    }
}

struct Peer<'a> {
    verifier: &'a PeerVerifier,
    certificate: Certificate,
    end_entity: EndEntityCert<'a>,
    sent: &'a [CertificateDer<'a>],
    now: UnixTime,
}

impl Peer<'_> {
    /// Whatever leads to the root is welcome, under the name that it has.
    fn below_the_root(&self) -> Result<PeerName, Refusal> {
        self.path(self.verifier.bundle.root().anchor()).map_err(|error| match error {
            webpki::Error::UnknownIssuer => {
                Refusal::UnknownIssuer { issuer: self.certificate.issuer_text().to_owned() }
            }
            webpki::Error::CertRevoked => Refusal::Revoked,
            other => unreadable(other),
        })?;
        profile::check(&self.certificate, self.verifier.role).map_err(Refusal::Profile)
    }

    /// Whatever leads to a configured authority is as good as what it has issued.
    fn below_an_authority(&self) -> Option<Result<PeerName, Refusal>> {
        let mut authorities = self.verifier.bundle.authorities().iter();
        let authority = authorities.find(|authority| {
            let anchor = webpki::anchor_from_trusted_cert(authority.certificate().der());
            anchor.is_ok_and(|anchor| self.path(&anchor).is_ok())
        })?;
        Some(self.verifier.check_names(&self.certificate, authority))
    }

    /// Whoever has signed it: the peer is whom its leaf names, if that is somebody who is accepted.
    fn by_its_own_word(&self) -> Result<PeerName, Refusal> {
        let name = profile::check(&self.certificate, self.verifier.role).map_err(Refusal::Profile)?;
        self.verifier.check_accepted(name)
    }

    /// A leaf that is sent, and is good itself, has signed it.
    fn below_a_leaf(&self) -> Option<Result<PeerName, Refusal>> {
        let (signer, der) = self.sent.iter().find_map(|der| {
            let signer = read(der).ok()?;
            (signer.subject == self.certificate.issuer).then_some((signer, der))
        })?;
        let authority = self.verifier.issuer_of(&signer).ok()?;
        let end_entity = EndEntityCert::try_from(der).ok()?;
        self.verifier.check_path(&end_entity, &signer, authority, self.now).ok()?;
        let anchor = webpki::anchor_from_trusted_cert(der).ok()?;
        let signed = self.end_entity.verify_for_usage(
            self.verifier.provider.signature_verification_algorithms.all,
            slice::from_ref(&anchor),
            &[],
            self.now,
            Purpose(self.verifier.key_usage()),
            None,
            None,
        );
        signed.ok()?;
        Some(self.verifier.check_names(&self.certificate, authority))
    }

    /// An authority that is sent is as good as the configured one that has its common name, if the root has signed it.
    fn of_any_generation(&self) -> Option<Result<PeerName, Refusal>> {
        let bundle = &self.verifier.bundle;
        let issuer = self.sent.iter().find_map(|der| {
            let authority = IssuingAuthority::from_der(der).ok()?;
            let configured = bundle.authorities().iter().any(|known| known.name() == authority.name());
            let is_issuer = authority.certificate().subject == self.certificate.issuer;
            (configured && is_issuer && authority.is_signed_by(bundle.root())).then_some(authority)
        })?;
        let path = self.verifier.check_path(&self.end_entity, &self.certificate, &issuer, self.now);
        Some(path.and_then(|()| self.verifier.check_names(&self.certificate, &issuer)))
    }

    /// What is revoked stays so: that is another mistake.
    fn path(&self, anchor: &TrustAnchor<'_>) -> Result<(), webpki::Error> {
        let lists = self.verifier.bundle.revocation_lists();
        let path = self.end_entity.verify_for_usage(
            self.verifier.provider.signature_verification_algorithms.all,
            slice::from_ref(anchor),
            self.sent,
            self.now,
            Purpose(self.verifier.key_usage()),
            revocation(&lists),
            None,
        );
        path.map(|_| ())
    }
}
