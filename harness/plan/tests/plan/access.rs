//! The oracle: the expectations that the isolation model gives, cell by cell where a mistake would hide a leak.

use bulkhead_identity::{AuthorityName, PeerName};
use bulkhead_plan::Topology;
use bulkhead_plan::access::{
    Attempt, CallTarget, CertificateFlaw, DenialReason, Expectation, Manner, MessageOperation, Method, Model,
    Operation, Outcome, RequestAuthority, SideDoor, StorageOperation, TenantMetadata, Who,
};
use bulkhead_plan::environment::BackendKind;

const ACME: &str = "agent-001.p1.acme.serviceradar";
const GLOBEX: &str = "agent-001.p1.globex.serviceradar";
const ACME2: &str = "agent-001.p1.acme2.serviceradar";
const POLLER: &str = "poller.serviceradar";
const ADMIN: &str = "admin.platform.serviceradar";
const NATS: &str = "nats.serviceradar";

fn model(backend: BackendKind) -> Model {
    let topology = Topology::new(&crate::support::spec_of(&["acme", "acme2", "globex"])).unwrap();
    Model::of_topology(&topology, backend)
}

fn peer(name: &str) -> PeerName {
    name.parse().unwrap()
}

fn who(name: &str) -> Who {
    Who::Peer(peer(name))
}

fn forged(name: &str, flaw: CertificateFlaw) -> Who {
    Who::Forged { name: peer(name), flaw }
}

fn expected(who: Who, operation: Operation) -> Expectation {
    model(BackendKind::Docker).expected(&Attempt { who, operation })
}

fn denied(reason: DenialReason) -> Expectation {
    Expectation::Denied(vec![reason])
}

fn call(target: &str, method: Method) -> Operation {
    let target = match peer(target) {
        PeerName::Tenant(name) => CallTarget::Agent { agent: name.agent_id(), tenant: name.tenant },
        PeerName::Platform(_) => CallTarget::Poller,
    };
    Operation::Call { target, method, metadata: TenantMetadata::Absent, authority: RequestAuthority::Target }
}

#[test]
fn certificates_of_the_platform_and_the_tenant_pass_and_all_others_are_refused() {
    use CertificateFlaw as Flaw;
    let agent = || call(ACME, Method::Health);
    let authority = |name: &str| name.parse::<AuthorityName>().unwrap();
    for name in [ACME, POLLER, ADMIN] {
        assert_eq!(expected(who(name), agent()), Expectation::Allowed, "{name}");
        assert_eq!(expected(forged(name, Flaw::None), agent()), Expectation::Allowed, "the control: {name}");
    }
    let refused = [
        (who(GLOBEX), DenialReason::UnknownIssuer),
        (who(ACME2), DenialReason::UnknownIssuer),
        (who(NATS), DenialReason::WrongPurpose),
        (Who::Anonymous, DenialReason::NoCertificate),
        (forged(POLLER, Flaw::SelfSigned), DenialReason::UnknownIssuer),
        (forged(POLLER, Flaw::UnknownAuthority), DenialReason::UnknownIssuer),
        (forged(POLLER, Flaw::CopiedAuthority), DenialReason::BadSignature),
        (forged(POLLER, Flaw::AlteredSignature), DenialReason::BadSignature),
        (forged(POLLER, Flaw::Expired), DenialReason::Expired),
        (forged(POLLER, Flaw::NotYetValid), DenialReason::NotYetValid),
        (forged(POLLER, Flaw::Revoked), DenialReason::Revoked),
        (forged(ACME, Flaw::Revoked), DenialReason::Revoked),
        (forged(GLOBEX, Flaw::Revoked), DenialReason::UnknownIssuer),
        (forged(POLLER, Flaw::OnlyForServers), DenialReason::WrongPurpose),
        (forged(POLLER, Flaw::CommonNameOnly), DenialReason::Profile),
        (
            forged(POLLER, Flaw::IssuedBy(authority("tenant-acme.ca.serviceradar"))),
            DenialReason::NameConstraint,
        ),
        (
            forged(POLLER, Flaw::IssuedBy(authority("tenant-globex.ca.serviceradar"))),
            DenialReason::UnknownIssuer,
        ),
        (
            forged(ACME, Flaw::IssuedBy(authority("tenant-globex.ca.serviceradar"))),
            DenialReason::UnknownIssuer,
        ),
        (forged(ACME, Flaw::IssuedBy(authority("platform.ca.serviceradar"))), DenialReason::NameConstraint),
        (forged(ACME, Flaw::ExtraName(peer(GLOBEX))), DenialReason::NameConstraint),
        (forged(ACME, Flaw::LocalhostName), DenialReason::NameConstraint),
    ];
    for (who, reason) in refused {
        assert_eq!(expected(who.clone(), agent()), denied(reason), "{who:?}");
    }
}

#[test]
fn an_agent_answers_for_itself_alone() {
    let ask = || Operation::AskForAnother { agent: peer(ACME), named: "agent-009.p1".parse().unwrap() };
    for (who, reason) in [
        (who(POLLER), DenialReason::AgentOther),
        (who(ADMIN), DenialReason::AgentOther),
        (who(ACME), DenialReason::NotGranted),
        (who(GLOBEX), DenialReason::UnknownIssuer),
        (Who::Anonymous, DenialReason::NoCertificate),
    ] {
        assert_eq!(expected(who.clone(), ask()), denied(reason), "{who:?}");
    }
}

#[test]
fn the_broker_has_its_own_words() {
    use CertificateFlaw as Flaw;
    let rogue = Flaw::IssuedBy("tenant-globex.ca.serviceradar".parse().unwrap());
    for name in [ACME, GLOBEX, POLLER, ADMIN] {
        assert_eq!(expected(who(name), Operation::Connect), Expectation::Allowed, "{name}");
    }
    for (who, reason) in [
        (forged(ACME, rogue.clone()), DenialReason::NameConstraint),
        (forged(POLLER, rogue), DenialReason::NameConstraint),
        (forged(ACME, Flaw::SelfSigned), DenialReason::UnknownIssuer),
        (forged(ACME, Flaw::UnderSubordinate), DenialReason::PathLength),
        (forged(ACME, Flaw::Expired), DenialReason::Expired),
        (who(NATS), DenialReason::WrongPurpose),
        (forged("agent-999.p1.acme.serviceradar", Flaw::None), DenialReason::NatsAuthorization),
        (Who::Anonymous, DenialReason::NoCertificate),
    ] {
        assert_eq!(expected(who.clone(), Operation::Connect), denied(reason), "{who:?}");
    }
}

/// NATS asks nobody whether a certificate was revoked. What it makes of one is not what is meant, so nothing is promised.
#[test]
fn nothing_is_promised_of_a_revoked_certificate_at_the_broker() {
    for name in [ACME, GLOBEX, POLLER, ADMIN] {
        let found = expected(forged(name, CertificateFlaw::Revoked), Operation::Connect);
        let Expectation::Unspecified(why) = found else { panic!("{name}: {found:?}") };
        assert!(why.contains("nats-server reads no revocation lists"), "{why}");
    }
    let operation = Operation::Impersonate { service: peer(NATS), dialler: peer(ACME) };
    let false_broker = expected(forged(NATS, CertificateFlaw::Revoked), operation);
    assert_eq!(false_broker, denied(DenialReason::Revoked), "an agent asks, whomever it dials");
}

#[test]
fn a_certificate_opens_no_door_in_another_manner_than_the_platform_s() {
    let knock = |name: &str, manner| Operation::Knock { service: peer(name), manner };
    for (caller, service) in [(POLLER, ACME), (ACME, POLLER), (ACME, NATS)] {
        let old = expected(who(caller), knock(service, Manner::OldTls));
        assert_eq!(old, denied(DenialReason::IncompatibleTls), "{caller} at {service}");
        let clear = expected(who(caller), knock(service, Manner::InTheClear));
        assert_eq!(clear, denied(DenialReason::NoTls), "{caller} at {service}");
    }
    assert_eq!(expected(who(POLLER), knock(ACME, Manner::NoAlpn)), denied(DenialReason::NoAlpn));
    assert_eq!(expected(who(ACME), knock(POLLER, Manner::NoAlpn)), denied(DenialReason::NoAlpn));
    assert_eq!(
        expected(who(GLOBEX), knock(ACME, Manner::NoAlpn)),
        denied(DenialReason::UnknownIssuer),
        "the certificate is judged first"
    );
    for service in [ACME, POLLER] {
        let found = expected(Who::Anonymous, knock(service, Manner::AskForAuthorities));
        assert_eq!(found, denied(DenialReason::NoCertificate), "{service}");
        let found = expected(Who::Anonymous, knock(service, Manner::HoldTheDoor));
        assert_eq!(found, denied(DenialReason::OthersServed), "{service}");
    }
    for service in [ACME, POLLER, NATS] {
        let found = expected(Who::Anonymous, knock(service, Manner::BeSilent));
        assert_eq!(found, denied(DenialReason::HandshakeTimeout), "{service}");
    }
    let all_places = |caller, service| expected(who(caller), knock(service, Manner::TakeAllPlaces));
    assert_eq!(all_places(ACME, POLLER), denied(DenialReason::OthersServed));
    assert!(matches!(all_places(POLLER, ACME), Expectation::Unspecified(_)), "nobody else has a place there");
    for nothing in [knock(NATS, Manner::NoAlpn), knock(ADMIN, Manner::OldTls)] {
        let found = expected(who(ACME), nothing.clone());
        assert!(matches!(found, Expectation::Unspecified(_)), "{nothing:?}: {found:?}");
    }
}

#[test]
fn whoever_is_believed_to_be_a_service_speaks_tls() {
    for (service, dialler) in [(ACME, POLLER), (POLLER, ACME), (NATS, ACME)] {
        let operation = Operation::Impersonate { service: peer(service), dialler: peer(dialler) };
        assert_eq!(expected(Who::Anonymous, operation), denied(DenialReason::NoTls), "{service}");
    }
}

#[test]
fn a_report_speaks_for_whoever_reports() {
    let report = |caller, named: &str| {
        expected(who(caller), Operation::ReportForAnother { named: named.parse().unwrap() })
    };
    assert_eq!(report(ACME, "globex"), denied(DenialReason::ForeignClaim));
    assert_eq!(report(ACME, "acme"), Expectation::Allowed);
    assert_eq!(report(ADMIN, "acme"), denied(DenialReason::NotGranted), "it may not report at all");
}

#[test]
fn agents_answer_the_platform_and_their_own_tenants_health_checks() {
    assert_eq!(expected(who(POLLER), call(ACME, Method::GetStatus)), Expectation::Allowed);
    assert_eq!(expected(who(ADMIN), call(ACME, Method::GetStatus)), Expectation::Allowed);
    assert_eq!(expected(who(ACME), call(ACME, Method::GetStatus)), denied(DenialReason::NotGranted));
    assert_eq!(expected(who(ACME), call(POLLER, Method::ReportStatus)), Expectation::Allowed);
    assert_eq!(expected(who(GLOBEX), call(POLLER, Method::ReportStatus)), Expectation::Allowed);
    assert_eq!(expected(who(ADMIN), call(POLLER, Method::ReportStatus)), denied(DenialReason::NotGranted));
    let rogue = CertificateFlaw::IssuedBy("tenant-globex.ca.serviceradar".parse().unwrap());
    assert_eq!(
        expected(forged(ACME, rogue), call(POLLER, Method::ReportStatus)),
        denied(DenialReason::NameConstraint),
        "the poller knows every tenant's authority, and each is bounded to its names"
    );
}

#[test]
fn metadata_cannot_change_who_somebody_is() {
    let with = |metadata| Operation::Call {
        target: CallTarget::Poller,
        method: Method::ReportStatus,
        metadata,
        authority: RequestAuthority::Target,
    };
    let acme = || "acme".parse().unwrap();
    for (metadata, expectation) in [
        (TenantMetadata::Absent, Expectation::Allowed),
        (TenantMetadata::Claims(acme()), Expectation::Allowed),
        (TenantMetadata::Claims("globex".parse().unwrap()), denied(DenialReason::TenantClaimDiffers)),
        (TenantMetadata::Claims("acme2".parse().unwrap()), denied(DenialReason::TenantClaimDiffers)),
        (TenantMetadata::ClaimsTwice(acme()), denied(DenialReason::TenantClaimRepeated)),
        (TenantMetadata::Unreadable, denied(DenialReason::TenantClaimUnreadable)),
        (TenantMetadata::Binary, denied(DenialReason::TenantMetadataBinary)),
    ] {
        assert_eq!(expected(who(ACME), with(metadata.clone())), expectation, "{metadata:?}");
    }
    let other = Operation::Call {
        target: CallTarget::Agent { tenant: acme(), agent: "agent-001.p1".parse().unwrap() },
        method: Method::GetStatus,
        metadata: TenantMetadata::Absent,
        authority: RequestAuthority::Other(peer(GLOBEX)),
    };
    assert_eq!(expected(who(POLLER), other), denied(DenialReason::WrongAuthority));
}

#[test]
fn nobody_can_answer_in_anothers_place() {
    let to = |dialler: &str, service: &str| Operation::Impersonate {
        service: peer(service),
        dialler: peer(dialler),
    };
    assert_eq!(expected(who(ACME), to(POLLER, ACME)), Expectation::Allowed);
    assert_eq!(expected(who(GLOBEX), to(POLLER, ACME)), denied(DenialReason::UnknownIssuer));
    assert_eq!(expected(who(POLLER), to(POLLER, ACME)), denied(DenialReason::UnknownIssuer));
    let second = "agent-002.p1.acme.serviceradar";
    assert_eq!(expected(who(second), to(POLLER, ACME)), denied(DenialReason::UnexpectedPeer));
    assert_eq!(expected(who(POLLER), to(ACME, NATS)), denied(DenialReason::UnexpectedPeer));
    assert_eq!(expected(who(GLOBEX), to(ACME, NATS)), denied(DenialReason::UnknownIssuer));
    assert_eq!(expected(who(ADMIN), to(ACME, NATS)), denied(DenialReason::WrongPurpose));
}

#[test]
fn messages_stay_with_their_tenant() {
    use MessageOperation as Do;
    let of_acme = |operation| Operation::Message { operation, owner: "acme".parse().unwrap() };
    let cells = [
        (Do::Publish, Expectation::Allowed, denied(DenialReason::PublishPermission)),
        (
            Do::PublishAsPoller,
            denied(DenialReason::PublishPermission),
            denied(DenialReason::PublishPermission),
        ),
        (Do::Subscribe, Expectation::Allowed, denied(DenialReason::SubscribePermission)),
        (Do::JoinQueue, Expectation::Allowed, denied(DenialReason::SubscribePermission)),
        (Do::RequestJob, Expectation::Allowed, denied(DenialReason::PublishPermission)),
        (Do::ListenToInboxes, Expectation::Allowed, denied(DenialReason::OtherAccount)),
        (Do::AnswerInto, Expectation::Allowed, denied(DenialReason::OtherAccount)),
        (
            Do::SubscribeAnyTenant,
            denied(DenialReason::SubscribePermission),
            denied(DenialReason::SubscribePermission),
        ),
        (
            Do::SubscribeEverything,
            denied(DenialReason::SubscribePermission),
            denied(DenialReason::SubscribePermission),
        ),
    ];
    for (operation, member, outsider) in cells {
        assert_eq!(expected(who(ACME), of_acme(operation)), member, "{operation:?}");
        assert_eq!(expected(who(GLOBEX), of_acme(operation)), outsider, "{operation:?}");
        assert_eq!(expected(who(ACME2), of_acme(operation)), outsider, "{operation:?}");
    }
    assert_eq!(expected(who(POLLER), of_acme(Do::Subscribe)), Expectation::Allowed);
    assert_eq!(expected(who(POLLER), of_acme(Do::RequestJob)), Expectation::Allowed);
    assert_eq!(expected(who(ADMIN), of_acme(Do::Subscribe)), denied(DenialReason::SubscribePermission));
}

#[test]
fn streams_and_buckets_stay_with_their_tenant() {
    use StorageOperation as Do;
    let of_acme = |operation| Operation::Storage { operation, owner: "acme".parse().unwrap() };
    let not_the_owner_s_either =
        [Do::ReadRecord, Do::PurgeRecord, Do::RollUpRecord, Do::PurgeAccount, Do::HearAdvisories];
    for operation in Do::ALL {
        let member = expected(who(ACME), of_acme(operation));
        match member {
            Expectation::Unspecified(_) => {}
            Expectation::Denied(_) => assert!(not_the_owner_s_either.contains(&operation), "{operation:?}"),
            other => assert_eq!(other, Expectation::Allowed, "{operation:?}"),
        }
        let outsider = expected(who(GLOBEX), of_acme(operation));
        assert!(matches!(outsider, Expectation::Denied(_)), "{operation:?}: {outsider:?}");
        let asked = match operation {
            Do::HearAdvisories => DenialReason::SubscribePermission,
            _ => DenialReason::PublishPermission,
        };
        assert_eq!(expected(who(ADMIN), of_acme(operation)), denied(asked));
    }
}

#[test]
fn results_are_read_by_the_administrator_alone() {
    let read = |tenant: &str| Operation::ReadResults { tenant: tenant.parse().unwrap() };
    assert_eq!(expected(who(ADMIN), read("acme")), Expectation::Allowed);
    assert_eq!(expected(who(ADMIN), read("nobody")), denied(DenialReason::NotFound));
    for name in [ACME, GLOBEX] {
        assert_eq!(expected(who(name), read("acme")), denied(DenialReason::PublishPermission), "{name}");
    }
}

#[test]
fn networks_are_walls_where_there_are_networks() {
    let to = |target: &str| Operation::Reach { target: peer(target) };
    assert_eq!(expected(who(ACME), to(GLOBEX)), Expectation::Unreachable);
    for target in [ACME, NATS, POLLER] {
        assert_eq!(expected(who(ACME), to(target)), Expectation::Allowed, "{target}");
    }
    assert_eq!(expected(who(POLLER), to(GLOBEX)), Expectation::Allowed);
    let on_loopback =
        model(BackendKind::Process).expected(&Attempt { who: who(ACME), operation: to(GLOBEX) });
    assert!(matches!(on_loopback, Expectation::Unspecified(_)), "{on_loopback:?}");
    let flat = "name: test\ntenants: [{ slug: acme }, { slug: globex }]\nnetwork: flat\n";
    let spec = bulkhead_plan::EnvironmentSpec::from_yaml(flat).unwrap();
    let model = Model::of_topology(&Topology::new(&spec).unwrap(), BackendKind::Docker);
    let attempt = Attempt { who: who(ACME), operation: to(GLOBEX) };
    assert_eq!(model.expected(&attempt), Expectation::Allowed);
}

#[test]
fn only_the_expected_reason_satisfies_a_denial() {
    let expectation = denied(DenialReason::Expired);
    assert!(expectation.is_met_by(&Outcome::Denied(DenialReason::Expired)));
    for outcome in [
        Outcome::Allowed,
        Outcome::Denied(DenialReason::UnknownIssuer),
        Outcome::Unreachable,
        Outcome::Inconclusive("no answer".to_owned()),
    ] {
        assert!(!expectation.is_met_by(&outcome), "{outcome}");
    }
    // An alert that means one of several things is met by any of them.
    let unclear = Outcome::Refused(vec![DenialReason::UnknownIssuer, DenialReason::Expired]);
    assert!(expectation.is_met_by(&unclear));
    assert!(!denied(DenialReason::Revoked).is_met_by(&unclear));
    assert!(!Expectation::Allowed.is_met_by(&unclear));
    let nothing = Expectation::Unspecified("not covered");
    for outcome in [Outcome::Allowed, Outcome::Inconclusive("no answer".to_owned())] {
        assert!(!nothing.is_met_by(&outcome), "{outcome}");
    }
}

#[test]
fn expectations_are_shown_in_words() {
    let either = Expectation::Denied(vec![DenialReason::Expired, DenialReason::Revoked]);
    for (expectation, words) in [
        (Expectation::Allowed, "allowed"),
        (denied(DenialReason::Expired), "denied: expired"),
        (either, "denied: expired or revoked"),
        (Expectation::Denied(DenialReason::ALL.to_vec()), "denied, for whatever reason"),
        (Expectation::Unreachable, "unreachable"),
        (Expectation::Unspecified("it is not asked"), "nothing (it is not asked)"),
    ] {
        assert_eq!(expectation.to_string(), words);
    }
}

#[test]
fn no_door_is_open_beside_the_one_that_the_platform_opens() {
    let side_door = |service: &str, door, backend| {
        let operation = Operation::SideDoor { service: peer(service), door };
        model(backend).expected(&Attempt { who: Who::Anonymous, operation })
    };
    for backend in [BackendKind::Process, BackendKind::Docker, BackendKind::Compose] {
        let customary = SideDoor::ALL.into_iter().filter(|door| door.port().is_some()).collect::<Vec<_>>();
        assert_eq!(customary.len(), 6);
        for door in customary {
            assert_eq!(side_door(NATS, door, backend), Expectation::Unreachable, "{door} {backend:?}");
            let of_an_agent = side_door(ACME, door, backend);
            assert!(matches!(of_an_agent, Expectation::Unspecified(_)), "only NATS has such a door");
        }
    }
    // Each where it can be seen.
    let here = BackendKind::Process;
    assert_eq!(side_door(ACME, SideDoor::Unplanned, here), Expectation::Unreachable);
    assert!(matches!(side_door(NATS, SideDoor::Published, here), Expectation::Unspecified(_)));
    for backend in [BackendKind::Docker, BackendKind::Compose] {
        assert_eq!(side_door(ACME, SideDoor::Published, backend), Expectation::Unreachable);
        assert!(matches!(side_door(NATS, SideDoor::Unplanned, backend), Expectation::Unspecified(_)));
    }
}

#[test]
fn the_broker_lets_in_its_users_and_nobody_whose_name_it_does_not_know() {
    for user in [ACME, POLLER, ADMIN] {
        assert_eq!(expected(who(user), Operation::Connect), Expectation::Allowed, "{user}");
    }
    let unknown = "agent-009.p9.acme.serviceradar";
    assert_eq!(expected(who(unknown), Operation::Connect), denied(DenialReason::NatsAuthorization));
    let forged_unknown = expected(forged(unknown, CertificateFlaw::None), Operation::Connect);
    assert_eq!(forged_unknown, denied(DenialReason::NatsAuthorization));
    assert_eq!(expected(who(NATS), Operation::Connect), denied(DenialReason::WrongPurpose));
}

#[test]
fn somebody_from_outside_the_environment_is_not_judged() {
    let stranger = expected(who("agent-001.p1.hooli.serviceradar"), Operation::Connect);
    assert!(matches!(stranger, Expectation::Unspecified(_)), "{stranger:?}");
}

#[test]
fn every_reason_has_its_own_code() {
    for reason in DenialReason::ALL {
        assert_eq!(DenialReason::from_code(reason.code()), Some(*reason));
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
    }
    assert_eq!(DenialReason::from_code("bad-luck"), None);
}
