//! Every seeded fault: what the mistake is, who has made it, and where it shows.

/// The enum and, where the feature is on, its texts: a shipped program has none of them.
macro_rules! faults {
    ($($(#[$docs:meta])* $fault:ident = $id:literal, $place:ident;)+) => {
        /// A realistic mistake.
        ///
        /// Each says who has made it or where it was measured (`research` is the project's own, see the design notes), and
        /// which attempt shows it.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "seeded-faults", derive(Debug, Hash, PartialOrd, Ord))]
        pub enum SeededFault {
            $($(#[$docs])* $fault,)+
        }

        #[cfg(feature = "seeded-faults")]
        impl SeededFault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fault),+];

            /// The stable word for it, as it stands in a configuration.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$fault => $id,)+
                }
            }

            /// In whose code the mistake is.
            pub const fn place(self) -> Place {
                match self {
                    $(Self::$fault => Place::$place,)+
                }
            }
        }
    };
}

faults! {
    // Certificates.

    /// The root is all that is asked for: whatever authority the peer sends, and whomever it names, it is welcome.
    /// Upstream ServiceRadar's services trust `root.pem` alone. Shows in a handshake of another tenant's valid leaf, which
    /// is accepted. Behind it stand the grants, so most calls are refused all the same.
    VerifierRootIsEnough = "verifier-root-is-enough", Identity;
    /// The common name alone is the identity, and alternative names are not looked at, as before RFC 6125 and in
    /// CVE-2014-3577's class. Shows in a leaf that is named in its subject only.
    VerifierCommonNameOnly = "verifier-common-name-only", Identity;
    /// The first DNS name is the identity, and the common name, by which NATS logs and people go, is not looked at: webpki,
    /// Go and OpenSSL do so. Shows in a leaf whose common name is somebody else's.
    VerifierAlternativeNameOnly = "verifier-alternative-name-only", Identity;
    /// Of two common names the first counts: x509-parser gives it first, Go the last (research, attack catalogue). Shows in a
    /// leaf with two.
    VerifierFirstCommonName = "verifier-first-common-name", Identity;
    /// The tenant's authority is the trust anchor, which is all that tonic's `client_ca_root` offers: a path length is not
    /// enforced, and the peer's own intermediates count (research; CVE-2002-0862 is its class). Shows in a leaf of a
    /// subordinate authority that is sent along.
    VerifierSubordinateAuthority = "verifier-subordinate-authority", Identity;
    /// A certificate is demanded, and whoever has signed it is welcome: Go's `tls.RequireAnyClientCert`, nginx'
    /// `ssl_verify_client optional_no_ca` (CWE-295). Shows in a leaf that has signed itself.
    VerifierAnyChain = "verifier-any-chain", Identity;
    /// Basic constraints are not looked at, so that a leaf is an authority: CVE-2002-0862. Shows in a leaf that another
    /// leaf of the tenant's has signed, and which is sent along.
    VerifierLeafAsAuthority = "verifier-leaf-as-authority", Identity;
    /// The time is the certificate's own. Shows in an expired leaf and in one that is not valid yet; the dates of the
    /// authority are still asked at that time.
    VerifierWrongClock = "verifier-wrong-clock", Identity;
    /// Purposes are not asked for: the stock verifier takes none as "every purpose" (research). Shows in a leaf without a
    /// purpose, and in one for servers that a client presents.
    VerifierPurposeIgnored = "verifier-purpose-ignored", Identity;
    /// The issuer is known by its name, and no signature by it is verified: "foreign authority with the same name" of the
    /// attack catalogue. Shows in a leaf of a copied authority, and in one with an altered signature.
    VerifierIssuerByName = "verifier-issuer-by-name", Identity;
    /// Any authority names anybody: its name constraints are not enforced, nor is it asked whether it may (CVE-2021-44532
    /// is of the first kind; research: without constraints "leak, and with the poller's name it becomes PLATFORM"). Shows
    /// where several authorities are trusted: acme's name from globex's authority, or from the platform's.
    VerifierIssuerMintsAnything = "verifier-issuer-mints-anything", Identity;
    /// A further name beside the right ones passes, as upstream's script writes `localhost` into every leaf. Shows in a leaf
    /// that also names `localhost` or globex's agent, where name constraints do not refuse it first: of the platform's authority.
    VerifierExtraNamesIgnored = "verifier-extra-names-ignored", Identity;
    /// There is no leaf profile: whatever has a path to the root and one readable common name is a peer. Shows in a leaf
    /// that names `localhost` too, has no alternative name, or no purpose.
    LeafProfileOff = "leaf-profile-off", Identity;
    /// A tenant is known by how its slug begins: `acme2` is `acme` (research: "`evilacme` against `acme`"; CVE-2023-46254
    /// and NACK#310 are collisions of names). Shows where acme's agent or the poller claims `acme2`, in metadata or in a
    /// report. Authorities and their name constraints still keep acme2's own certificates apart.
    MemberByPrefix = "member-by-prefix", Identity;
    /// Any authority with the right common name counts that the root has signed and the peer sends: a generation that is
    /// retired, or not yet configured, is as good (research, rotation traps). Shows in a leaf of the tenant's authority
    /// of another `OU`.
    AnyGeneration = "any-generation", Identity;
    /// The handshake's signature is not verified, so a certificate does without its key: CVE-2014-1266 and CVE-2022-25640.
    /// Shows in a handshake with somebody's public certificate and a key of one's own.
    KeyNotProven = "verifier-key-not-proven", Identity;
    /// Revocation lists are read and never asked: of a certificate that was withdrawn, nobody knows (research, attack
    /// catalogue: revoked leaf, stale list, list missing). Shows in a leaf whose serial number is on its authority's list.
    RevocationListsIgnored = "revocation-lists-ignored", Identity;
    /// A server tells strangers which authorities it trusts, and with that who the tenants are (research: "Send no CA hints").
    /// Shows in the certificate request of the poller's handshake.
    AuthorityHintsSent = "authority-hints-sent", Identity;
    /// Of several tenants in the metadata the first counts (CWE-235). Shows in a call that claims the right tenant and then
    /// another one, or the right one twice.
    TenantClaimFirstCounts = "tenant-claim-first-counts", Identity;

    // Connections and calls.

    /// Sessions are kept and taken up again, and no verifier is asked then: CVE-2025-23419. Shows in a second handshake that
    /// offers the first one's session.
    SessionResumption = "session-resumption", Kit;
    /// TLS 1.2 is spoken as well, under which certificates travel in the clear. Shows in a handshake of TLS 1.2.
    OldTlsAccepted = "old-tls-accepted", Kit;
    /// The application protocol is not agreed on (ALPACA, CVE-2021-3618, is what that leads to). Shows in a handshake without
    /// ALPN, or for `http/1.1`.
    AlpnNotRequired = "alpn-not-required", Kit;
    /// A client certificate is wanted and not demanded, as with nginx' `ssl_verify_client optional`, and who has none is
    /// taken for the poller, which is who calls. Shows in a call without a certificate.
    ClientCertificateOptional = "client-certificate-optional", Kit;
    /// `:authority` is not compared (research: "`:authority` naming another agent must be refused"). Shows in a call to acme's
    /// agent under the name of globex's.
    AuthorityIgnored = "authority-ignored", Kit;
    /// The tenant in the metadata is not compared with the certificate's. Shows in a call that claims another one, which is
    /// answered; it is still filed under the certificate's.
    TenantClaimIgnored = "tenant-claim-ignored", Kit;
    /// The caller's tenant is what `x-tenant-id` says, as where a gateway is trusted to set it (CWE-639; Grafana Loki's
    /// `X-Scope-OrgID`). Shows in a report to the poller that claims globex: it is filed under globex.
    TenantFromMetadata = "tenant-from-metadata", Kit;
    /// `x-tenant-id-bin` is overlooked, which gRPC hands to readers decoded. Shows in a call that claims its tenant in binary.
    TenantClaimBinaryOverlooked = "tenant-claim-binary-overlooked", Kit;
    /// Whoever is verified may call everything (CWE-862). Shows in an agent of acme's that reads the status of acme's agent. The
    /// poller still takes no report of a platform service, which has no tenant that it could report for.
    GrantsIgnored = "grants-ignored", Kit;
    /// The caller is read from the last certificate that names anybody, and not from the leaf (research: "handlers read
    /// `peer_certs()[0]` only"). Shows in a call whose chain ends with the certificate of the poller.
    CallerFromLastCertificate = "caller-from-last-certificate", Kit;
    /// Whoever answers is taken for whom was dialled, if a trusted authority has named it at all (CVE-2012-5783 is its class).
    /// Shows where the poller meets another agent of the tenant, or acme's agent meets the broker in the poller's place,
    /// or its own like in the broker's.
    DialerAnyName = "dialer-any-name", Kit;
    /// Refusals leave no record. Shows in any refused attempt: the peer sees its refusal, and nobody else does.
    AuditRefusalsMissing = "audit-refusals-missing", Kit;
    /// Accepted connections and calls leave no record. Shows in any accepted attempt.
    AuditAcceptedMissing = "audit-accepted-missing", Kit;
    /// One handshake after the other: "a serial accept let one silent client block everybody" (research). Shows in a valid
    /// call while another client is silent.
    HandshakeSerial = "handshake-serial", Kit;
    /// A client that is silent is waited for without end. Shows in a silent client that is still connected after the limit,
    /// and of which there is no record.
    HandshakeTimeoutMissing = "handshake-timeout-missing", Kit;
    /// Connections and calls are counted for everybody together, so that one tenant can use up all of them (research: "without
    /// limits another is starved"). Shows in a valid call of globex's while acme holds as many connections as there are.
    PlacesShared = "places-shared", Kit;
    /// TLS to NATS is used if the server wants it, and a server in the broker's place need not (the class of STARTTLS
    /// stripping: a NATS server says `tls_required` in the clear). Shows in a false broker without TLS, which is talked to.
    NatsPlainTextAllowed = "nats-plain-text-allowed", Kit;

    // The poller.

    /// Agents are dialled with everybody's authorities, and any member of any tenant will do. Upstream's poller trusts
    /// `root.pem` alone. Shows where the poller dials acme's agent and meets globex's.
    PollerAnyAgent = "poller-any-agent", Poller;
    /// What was collected is published under the next tenant's prefix: an index that slips. Shows in acme's results among
    /// globex's stored ones.
    ResultsUnderNextTenant = "results-under-next-tenant", Poller;
    /// What the poller publishes goes out without the tenant's prefix, on `pollers.results`. Shows in results that are in no
    /// tenant's stream, and that everybody on the platform's account reads on one subject.
    ResultsWithoutPrefix = "results-without-prefix", Poller;
    /// A report is filed under the tenant and agent that it names, and not under the certificate's (CWE-639; the contract has
    /// fields for both). Shows in acme's report that names globex, or another agent of acme's.
    ReportsByClaim = "reports-by-claim", Poller;
    /// What an agent says in another's name is taken as it is, and stored under its own tenant. Shows in an answer or a
    /// report with `tenant` or `agent_id` of another, which the administrator then reads.
    ForeignAnswersAccepted = "foreign-answers-accepted", Poller;
    /// What is learnt is filed under every tenant: a broadcast where an address was meant. Shows in acme's report among
    /// globex's stored ones.
    ReportFiledForEveryone = "report-filed-for-everyone", Poller;
    /// What an agent found is kept for a second under its inner name, which every tenant has alike, and taken for what the next
    /// tenant's agent of that name found (NACK#310 and CVE-2023-46254 are collisions of names). Shows in globex's stored
    /// results, which have acme's words in them.
    InnerNamesCollide = "inner-names-collide", Poller;
    /// The administrator's reading leaves no record, which upstream demands as we do. Shows in an answered request without one.
    AdminAuditMissing = "admin-audit-missing", Poller;
    /// Whoever can reach the administrator's subject is answered. NATS' own permissions stand before it: it shows only in a
    /// request from inside the platform's account, as the poller's own.
    AdminAnybody = "admin-anybody", Poller;
    /// The last answer to the administrator is given again for a second, whatever tenant is asked about: a cache whose key
    /// lacks the tenant. Shows in a request for acme's results and then at once for globex's.
    AdminCacheWithoutTenant = "admin-cache-without-tenant", Poller;
    /// A tenant's stream acknowledges what it keeps, on a reply subject that the tenant chose, inside the platform's account
    /// (research: "PubAck with reply into another's space: leak"). Shows in acme's message whose receipt goes to globex's jobs
    /// or results.
    StreamAcknowledges = "stream-acknowledges", Poller;
    /// All tenants' results are kept in one stream (research: one tenant's message ID "made another's message vanish as a
    /// duplicate"). Shows where two tenants give their messages one ID.
    OneStreamForAll = "one-stream-for-all", Poller;
    /// A tenant's message may roll up what the platform has kept of it (research: `Nats-Rollup: all` "wiped another's messages"
    /// in a shared stream; here it wipes the tenant's own record). Shows in a message with that header, after which the
    /// administrator finds nothing older.
    StreamRollupAllowed = "stream-rollup-allowed", Poller;

    // The agent.

    /// Any platform service and any component of the own tenant is believed to be the poller: who is known may ask. Shows
    /// in an agent of acme's that reads the status or the results of acme's agent.
    AgentAnyPoller = "agent-any-poller", Agent;
    /// An agent answers what was meant for another. Shows in a call with another agent's `agent_id`.
    AgentIdIgnored = "agent-id-ignored", Agent;
}

/// In whose code a mistake is.
#[cfg(feature = "seeded-faults")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In how certificates are judged, by both programs.
    Identity,
    /// In what both programs are built on.
    Kit,
    /// In the poller alone.
    Poller,
    /// In the agent alone.
    Agent,
}

/// There is no such fault.
#[cfg(feature = "seeded-faults")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no seeded fault {found:?}; there are: {}", ids(.known))]
pub struct UnknownFault {
    /// What was asked for.
    pub found: String,
    /// What there is.
    pub known: Vec<SeededFault>,
}

#[cfg(feature = "seeded-faults")]
fn ids(faults: &[SeededFault]) -> String {
    let ids: Vec<_> = faults.iter().map(|fault| fault.id()).collect();
    ids.join(", ")
}

#[cfg(feature = "seeded-faults")]
impl SeededFault {
    /// The fault with this id, of those that can show in a program with code at `own`.
    ///
    /// # Errors
    /// There is none, or it is in the other program's code, so that nobody could ever notice it.
    pub fn of(id: &str, own: Place) -> Result<Self, UnknownFault> {
        let shows = |fault: &Self| [Place::Identity, Place::Kit, own].contains(&fault.place());
        let known: Vec<_> = Self::ALL.iter().copied().filter(shows).collect();
        let found = known.iter().copied().find(|fault| fault.id() == id);
        found.ok_or_else(|| UnknownFault { found: id.to_owned(), known })
    }
}

#[cfg(feature = "seeded-faults")]
impl std::str::FromStr for SeededFault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|fault| fault.id() == text);
        found.ok_or_else(|| UnknownFault { found: text.to_owned(), known: Self::ALL.to_vec() })
    }
}

#[cfg(feature = "seeded-faults")]
impl<'de> serde::Deserialize<'de> for SeededFault {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
