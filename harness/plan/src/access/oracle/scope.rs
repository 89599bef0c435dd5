//! What can be tried on a platform that this project did not start, and how much its refusals may differ from ours.

use std::collections::BTreeSet;

use bulkhead_identity::{AuthorityName, PeerName, PlatformName};

use super::{Expectation, responsible};
use crate::access::attempt::{
    BrokerOperation, CertificateFlaw, Manner, MessageOperation, Operation, RequestAuthority, SideDoor,
    StorageOperation, TenantMetadata, Who,
};
use crate::access::outcome::DenialReason::{
    self, NatsAuthorization, NotFound, NotGranted, OtherAccount, PublishPermission, SubscribePermission,
    UnexpectedPeer, UnknownIssuer, WrongPurpose,
};
use crate::foreign::{AccountKind, Conventions, LimitName};
use crate::matrix::Cell;

const POLLER: PeerName = PeerName::Platform(PlatformName::Poller);
const ADMIN: PeerName = PeerName::Platform(PlatformName::Admin);

/// What is known of a platform that this project did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// How it calls things.
    pub conventions: Conventions,
    /// Who listens.
    pub services: BTreeSet<PeerName>,
    /// Whose records can be read.
    pub recorded: BTreeSet<PeerName>,
    /// Whose credentials are at hand.
    pub credentials: BTreeSet<PeerName>,
    /// Whose keys are at hand, of the authorities.
    pub keys: BTreeSet<AuthorityName>,
    /// Two tenants' identities come from one authority.
    pub shared_authority: bool,
    /// Whether attempts may be made that do harm when they succeed.
    pub harmful_attempts: bool,
}

/// Why a cell is not attempted.
type Why = Option<&'static str>;

fn unless(possible: bool, why: &'static str) -> Why {
    (!possible).then_some(why)
}

impl Scope {
    /// Why a cell cannot be attempted, or its outcome not be seen.
    pub(super) fn untried(&self, cell: &Cell) -> Why {
        let Cell { who, operation, .. } = cell;
        let service = operation.service();
        if let Operation::Reach { .. } = operation {
            return Some("no place but this machine is known on a network that others run");
        }
        if let Operation::Find { .. } = operation {
            return Some("the files of services that others run are not here");
        }
        if let Operation::Impersonate { .. } = operation {
            return Some("the programs of services that others run are not here to be led astray");
        }
        if service.is_some_and(|service| !self.services.contains(&service)) {
            return Some("the description gives no address for the service");
        }
        self.unarmed(who).or_else(|| self.operation(cell))
    }

    /// Why somebody has nothing to show.
    fn unarmed(&self, who: &Who) -> Why {
        match who {
            Who::Anonymous => None,
            Who::Peer(name) => {
                unless(self.credentials.contains(name), "the description gives no credential for the caller")
            }
            Who::Forged { name, flaw } => self.unmade(name, flaw),
        }
    }

    /// Why a certificate cannot be forged.
    fn unmade(&self, name: &PeerName, flaw: &CertificateFlaw) -> Why {
        const NO_KEY: &str = "the key of the authority that would sign it was not given";
        let own = responsible(name);
        let (key, real) = (self.keys.contains(&own), self.credentials.contains(name));
        match flaw {
            CertificateFlaw::SelfSigned
            | CertificateFlaw::UnknownAuthority
            | CertificateFlaw::CopiedAuthority => None,
            CertificateFlaw::AlteredSignature | CertificateFlaw::KeyNotHeld | CertificateFlaw::UnderLeaf => {
                unless(key || real, "neither its authority's key nor its real certificate was given")
            }
            CertificateFlaw::TrailingCertificate(other) => unless(
                (key || real) && self.credentials.contains(other),
                "a certificate that it needs was not given",
            ),
            CertificateFlaw::IssuedBy(_) | CertificateFlaw::BorrowedIssuerName(_)
                if self.shared_authority =>
            {
                Some("all tenants have one authority")
            }
            CertificateFlaw::IssuedBy(other) | CertificateFlaw::BorrowedIssuerName(other) => {
                unless(self.keys.contains(other), NO_KEY)
            }
            CertificateFlaw::Revoked => {
                Some("whether and how a platform of others revokes certificates is not in its description")
            }
            CertificateFlaw::StaleGeneration => unless(self.keys.contains(&AuthorityName::Root), NO_KEY),
            _ => unless(key, NO_KEY),
        }
    }

    fn operation(&self, cell: &Cell) -> Why {
        match &cell.operation {
            Operation::SideDoor { door: SideDoor::Unplanned, .. } => {
                Some("what a service of others listens on cannot be listed")
            }
            Operation::Resume { earlier, .. } => unless(
                self.services.contains(earlier),
                "the description gives no address for the service that it had a session with",
            ),
            Operation::Knock { service, manner: Manner::NoAlpn } => {
                let demanded = self.conventions.grpc().demands_alpn;
                unless(demanded, "the description does not say that HTTP/2 has to be offered").or_else(|| {
                    unless(
                        self.recorded.contains(service),
                        "TLS has no word for a client that offers no protocol, and no records can be read",
                    )
                })
            }
            Operation::Knock { manner: Manner::AskForAuthorities, .. } => {
                Some("whether a service names whom it trusts is the platform's own choice")
            }
            Operation::Knock { manner: Manner::HoldTheDoor, .. } => {
                Some("the description does not say that a service waits for several clients at once")
            }
            Operation::Knock { manner: Manner::BeSilent, .. } => {
                Some("the description does not say for how long a service waits for a silent client")
            }
            Operation::Knock { manner: Manner::TakeAllPlaces, .. } => {
                Some("the description does not say how many connections a tenant may have")
            }
            Operation::Call { method, metadata, authority, .. } => {
                let grpc = self.conventions.grpc();
                unless(self.conventions.has_method(*method), "the services do not have this method")
                    .or_else(|| {
                        let absent = *metadata == TenantMetadata::Absent;
                        unless(
                            absent || grpc.tenant_metadata.is_some(),
                            "the description has no metadata key for the tenant",
                        )
                    })
                    .or_else(|| {
                        let own = *authority == RequestAuthority::Target;
                        unless(
                            own || grpc.checks_authority,
                            "the description does not say that :authority is looked at",
                        )
                    })
            }
            Operation::AskForAnother { .. } => {
                Some("the description does not say that an agent answers for itself alone")
            }
            Operation::ReportForAnother { .. } => {
                Some("the description does not say that a report's words are compared with who reports")
            }
            Operation::Message { operation, .. } => self.mute(&cell.who).or_else(|| self.message(*operation)),
            Operation::ConnectAs { .. } => self.mute(&cell.who),
            Operation::Storage { operation, .. } => self.mute(&cell.who).or_else(|| self.storage(*operation)),
            Operation::Broker { operation } => self.mute(&cell.who).or_else(|| self.broker(*operation)),
            Operation::ReadResults { .. } => self.mute(&cell.who).or_else(|| self.administered()),
            // Ours asks every second, and keeps the answers in words that are looked for.
            Operation::FilePolled { .. } => Some(
                "how often, and in which words, a poller of others keeps what it hears is not in its description",
            ),
            Operation::FileReport { .. } => self
                .mute(&cell.who)
                .or_else(|| self.administered())
                .or_else(|| unless(self.services.contains(&POLLER), "the platform has no PollerService")),
            _ => None,
        }
    }

    /// Why it cannot be shown that somebody can talk at all.
    fn mute(&self, who: &Who) -> Why {
        let subjects = self.conventions.subjects();
        match who {
            Who::Peer(name) if *name == POLLER => unless(
                subjects.platform_own.is_some(),
                "the description has no subject (platform_own) on which the poller could show that it can talk",
            ),
            Who::Peer(name) if *name == ADMIN => self.administered(),
            _ => None,
        }
    }

    fn administered(&self) -> Why {
        let asks = self.conventions.subjects().administrator_results.is_some();
        unless(
            asks && self.credentials.contains(&ADMIN),
            "the description has no subject, or no credential, with which administrators ask for results",
        )
    }

    fn message(&self, operation: MessageOperation) -> Why {
        use MessageOperation as Do;
        let subjects = self.conventions.subjects();
        let poller = self.credentials.contains(&POLLER);
        match operation {
            Do::PublishAsPoller => unless(
                subjects.poller_health.is_some(),
                "the description has no subject that is the poller's alone",
            ),
            Do::RequestJob => {
                unless(subjects.jobs.is_some(), "the description has no subject on which agents take jobs")
            }
            Do::ReceiptInto | Do::TakeMessageId => unless(
                poller && self.conventions.accounts().kept_results.is_some(),
                "the description has no stream of a tenant's results that the poller reads",
            ),
            Do::AskInto | Do::AskInItsName => {
                let account = operation == Do::AskInto || self.conventions.accounts().name.is_some();
                unless(
                    poller && account && self.conventions.service("x").is_some(),
                    "the description has no service of the platform's that tenants ask",
                )
            }
            _ => None,
        }
    }

    fn storage(&self, operation: StorageOperation) -> Why {
        use StorageOperation as Do;
        let accounts = self.conventions.accounts();
        match operation {
            Do::ReadRecord => {
                unless(accounts.kept_results.is_some(), "the description has no stream of a tenant's results")
            }
            Do::RollUpRecord => unless(
                self.credentials.contains(&POLLER) && accounts.kept_results.is_some(),
                "the description has no stream of a tenant's results that the poller reads",
            )
            .or_else(|| self.harmful()),
            Do::PurgeRecord => {
                unless(accounts.kept_results.is_some(), "the description has no stream of a tenant's results")
                    .or_else(|| self.harmful())
            }
            Do::PurgeAccount => unless(accounts.name.is_some(), "the description does not name accounts")
                .or_else(|| self.harmful()),
            // Others' messages are not at hand without one of one's own, which some platforms do not allow to be acknowledged.
            Do::Acknowledge => Some("whether tenants acknowledge messages is not in the description"),
            Do::ReadNamesake | Do::PurgeNamesake if accounts.kind == AccountKind::Shared => {
                Some("in one account for all no two streams have one name")
            }
            _ => None,
        }
        .or_else(|| unless(accounts.jetstream, "the description does not say that tenants keep streams"))
    }

    fn broker(&self, operation: BrokerOperation) -> Why {
        use BrokerOperation as Do;
        let limit = |name| {
            let known = self.conventions.accounts().limits.contains(&name);
            unless(known, "the description names no such limit of an account")
        };
        match operation {
            Do::StepDown => self.harmful(),
            Do::ReserveTooMuch => limit(LimitName::Storage).or_else(|| self.harmful()),
            Do::PublishTooMuch => limit(LimitName::Payload),
            Do::ConnectTooOften => limit(LimitName::Connections).or_else(|| self.harmful()),
            Do::ListenToSystem | Do::AskServers | Do::RemoveServer => None,
        }
    }

    fn harmful(&self) -> Why {
        unless(
            self.harmful_attempts,
            "it would do harm if it succeeded, and the description does not permit that (harmful_attempts)",
        )
    }

    /// What is expected of another platform where ours would refuse for one reason: the same wall may stand elsewhere. A
    /// refusal stays a refusal, and what is allowed stays so.
    pub(super) fn widened(&self, cell: &Cell, expected: Expectation) -> Expectation {
        let Expectation::Denied(mut reasons) = expected else { return self.at_home(cell, expected) };
        // In which of two tenants' accounts a subject means nothing, and which permission says so, is each platform's own
        // choice; that nothing crosses is not.
        const NOTHING_CROSSES: [DenialReason; 4] =
            [OtherAccount, NotFound, PublishPermission, SubscribePermission];
        match &cell.operation {
            Operation::Message { .. }
            | Operation::Storage { .. }
            | Operation::Broker { .. }
            | Operation::ReadResults { .. }
            | Operation::ConnectAs { .. }
                if reasons.iter().any(|reason| NOTHING_CROSSES.contains(reason)) =>
            {
                add(&mut reasons, &NOTHING_CROSSES);
            }
            _ => {}
        }
        if let Who::Peer(name) = &cell.who {
            if self.shared_authority && reasons.contains(&UnknownIssuer) {
                add(&mut reasons, &[UnexpectedPeer, NotGranted]);
            }
            // A service's own certificate, of which others decide what it is for.
            if *name == PeerName::Platform(PlatformName::Nats) {
                add(&mut reasons, &[WrongPurpose, UnexpectedPeer, NatsAuthorization]);
            }
        }
        self.at_home(cell, Expectation::Denied(reasons))
    }

    /// What a tenant does with its own, which is nobody else's business.
    fn at_home(&self, cell: &Cell, expected: Expectation) -> Expectation {
        let Who::Peer(name) = &cell.who else { return expected };
        if let Operation::Storage { operation: StorageOperation::HearAdvisories, owner } = &cell.operation
            && name.tenant() == Some(owner)
        {
            return Expectation::Unspecified(
                "whether a tenant hears what the broker tells of its own account is the platform's choice",
            );
        }
        let Operation::Message { operation, owner } = &cell.operation else { return expected };
        let wildcard = matches!(
            operation,
            MessageOperation::SubscribeAnyTenant
                | MessageOperation::SubscribeEverything
                | MessageOperation::ListenAtHome
        );
        if wildcard && name.tenant() == Some(owner) {
            return Expectation::Unspecified(
                "whether a tenant may listen to everything that is its own is the platform's choice",
            );
        }
        expected
    }
}

fn add(reasons: &mut Vec<DenialReason>, further: &[DenialReason]) {
    for reason in further {
        if !reasons.contains(reason) {
            reasons.push(*reason);
        }
    }
}
