//! How a platform calls things, as it is written: this project's own way where nothing is said of a name, and *nothing* where
//! an operation would need something that the platform may not have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::Template;
use crate::access::Method;

/// The conventions as they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenConventions {
    /// The DNS name in a tenant component's certificate: places `{component}`, `{partition}`, `{tenant}`.
    pub certificate_name: Template,
    /// The URI in a tenant component's certificate, where it has one; only forged certificates need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_uri: Option<Template>,
    /// What is said over gRPC.
    pub grpc: GrpcConventions,
    /// Subjects at the broker.
    pub subjects: SubjectConventions,
    /// Accounts of the broker.
    pub accounts: AccountConventions,
}

/// What is said over gRPC, and what is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcConventions {
    /// The metadata key that may repeat the tenant and is then compared with the certificate's; none when nobody looks at
    /// any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_metadata: Option<String>,
    /// Whether an `:authority` that names another service is refused.
    pub checks_authority: bool,
    /// Whether a client that offers no ALPN is refused.
    pub demands_alpn: bool,
    /// The methods that the services have. The first of `health`, `get-status`, `get-results` (of the poller: `health`,
    /// `report-status`) is the control of every attempt.
    pub methods: Vec<MethodName>,
}

/// A method of the wire contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// `grpc.health.v1.Health/Check`.
    Health,
    /// `grpc.health.v1.Health/Watch`.
    WatchHealth,
    /// `monitoring.AgentService/GetStatus`.
    GetStatus,
    /// `monitoring.AgentService/GetResults`.
    GetResults,
    /// `monitoring.AgentService/StreamResults`.
    StreamResults,
    /// `monitoring.PollerService/ReportStatus`.
    ReportStatus,
    /// `monitoring.PollerService/StreamStatus`.
    StreamStatus,
}

impl MethodName {
    const ALL: [Self; 7] = [
        Self::Health,
        Self::WatchHealth,
        Self::GetStatus,
        Self::GetResults,
        Self::StreamResults,
        Self::ReportStatus,
        Self::StreamStatus,
    ];

    pub(super) const fn method(self) -> Method {
        match self {
            Self::Health => Method::Health,
            Self::WatchHealth => Method::WatchHealth,
            Self::GetStatus => Method::GetStatus,
            Self::GetResults => Method::GetResults,
            Self::StreamResults => Method::StreamResults,
            Self::ReportStatus => Method::ReportStatus,
            Self::StreamStatus => Method::StreamStatus,
        }
    }
}

/// Subjects at the broker. What is absent makes the operations that need it *not covered*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SubjectConventions {
    /// What all of a tenant's subjects begin with, with the last dot: place `{tenant}`.
    pub prefix: Template,
    /// A tenant's result: places `{tenant}`, `{nonce}`.
    pub results: Template,
    /// What is subscribed to in order to hear a tenant's results: place `{tenant}`. A `*` in its place means every tenant.
    pub listen: Template,
    /// Where a tenant's identities await answers.
    pub inbox: Template,
    /// Where the platform's identities await answers.
    pub platform_inbox: Template,
    /// Subjects on which the poller may talk to itself: place `{nonce}`. Without it the poller is no talker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_own: Option<Template>,
    /// Where an agent takes jobs as ours does (JSON, whose answer repeats the nonce): places `{tenant}`, `{agent}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Template>,
    /// Where only the poller says which agents answer: place `{tenant}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poller_health: Option<Template>,
    /// Where administrators ask for a tenant's results, answered as ours does (JSON with `messages`): place `{tenant}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator_results: Option<Template>,
    /// A service of the platform, as tenants ask it: place `{name}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Template>,
    /// The same service, as the platform offers it to all: place `{name}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_offered: Option<Template>,
}

/// Accounts of the broker, and what is kept in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountConventions {
    /// Whether each tenant has an account of its own, or all share one with permissions.
    pub kind: AccountKind,
    /// An account's name: place `{tenant}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Template>,
    /// Whether tenants may keep streams and buckets.
    pub jetstream: bool,
    /// What a stream of a tenant's has to be called: places `{tenant}`, `{stream}`.
    pub stream: Template,
    /// The platform's own stream of a tenant's results: place `{tenant}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_results: Option<Template>,
    /// Of what each tenant has a share only: less than 300 KiB in a message, 300 connections, a GiB of storage.
    pub limits: Vec<LimitName>,
}

/// Whether accounts are a wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// One for each tenant.
    PerTenant,
    /// One for all; permissions are the wall.
    Shared,
}

/// What a share may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitName {
    /// Bytes in a message.
    Payload,
    /// Connections.
    Connections,
    /// Storage of streams.
    Storage,
}

impl Default for WrittenConventions {
    fn default() -> Self {
        Self {
            certificate_name: Template::own("{component}.{partition}.{tenant}.serviceradar"),
            certificate_uri: None,
            grpc: GrpcConventions::default(),
            subjects: SubjectConventions::default(),
            accounts: AccountConventions::default(),
        }
    }
}

impl Default for GrpcConventions {
    fn default() -> Self {
        Self {
            tenant_metadata: None,
            checks_authority: false,
            demands_alpn: false,
            methods: MethodName::ALL.to_vec(),
        }
    }
}

impl Default for SubjectConventions {
    fn default() -> Self {
        Self {
            prefix: Template::own("{tenant}."),
            results: Template::own("{tenant}.agents.results.{nonce}"),
            listen: Template::own("{tenant}.agents.>"),
            inbox: Template::own("_INBOX"),
            platform_inbox: Template::own("_INBOX"),
            platform_own: None,
            jobs: None,
            poller_health: None,
            administrator_results: None,
            service: None,
            service_offered: None,
        }
    }
}

impl Default for AccountConventions {
    fn default() -> Self {
        Self {
            kind: AccountKind::PerTenant,
            name: None,
            jetstream: false,
            stream: Template::own("{stream}"),
            kept_results: None,
            limits: Vec::new(),
        }
    }
}

impl WrittenConventions {
    /// This project's own, all of them.
    pub fn ours() -> Self {
        let own = |text: &str| Some(Template::own(text));
        Self {
            certificate_uri: own("spiffe://serviceradar.local/{component}/{tenant}/{partition}"),
            grpc: GrpcConventions {
                tenant_metadata: Some("x-tenant-id".to_owned()),
                checks_authority: true,
                demands_alpn: true,
                ..GrpcConventions::default()
            },
            subjects: SubjectConventions {
                platform_own: own("matrix.{nonce}"),
                jobs: own("{tenant}.jobs.{agent}"),
                poller_health: own("{tenant}.events.poller.health"),
                administrator_results: own("admin.results.{tenant}"),
                service: own("svc.{name}"),
                service_offered: own("svc.*.{name}"),
                ..SubjectConventions::default()
            },
            accounts: AccountConventions {
                name: own("T_{tenant}"),
                jetstream: true,
                kept_results: own("RESULTS_{tenant}"),
                limits: vec![LimitName::Payload, LimitName::Connections, LimitName::Storage],
                ..AccountConventions::default()
            },
            ..Self::default()
        }
    }

    /// A field whose template lacks a place without which it would mean the same for everybody, and the place.
    pub(super) fn incomplete(&self) -> Option<(&'static str, &'static str)> {
        let SubjectConventions { prefix, results, listen, .. } = &self.subjects;
        let (subjects, accounts) = (&self.subjects, &self.accounts);
        let mut needed: Vec<(&'static str, Option<&Template>, &'static str)> = vec![
            ("certificate_name", Some(&self.certificate_name), "tenant"),
            ("subjects.prefix", Some(prefix), "tenant"),
            ("subjects.results", Some(results), "tenant"),
            ("subjects.results", Some(results), "nonce"),
            ("subjects.listen", Some(listen), "tenant"),
            ("subjects.platform_own", subjects.platform_own.as_ref(), "nonce"),
            ("subjects.jobs", subjects.jobs.as_ref(), "tenant"),
            ("subjects.poller_health", subjects.poller_health.as_ref(), "tenant"),
            ("subjects.administrator_results", subjects.administrator_results.as_ref(), "tenant"),
            ("subjects.service", subjects.service.as_ref(), "name"),
            ("subjects.service_offered", subjects.service_offered.as_ref(), "name"),
            ("accounts.stream", Some(&accounts.stream), "stream"),
            ("accounts.kept_results", accounts.kept_results.as_ref(), "tenant"),
        ];
        if accounts.kind == AccountKind::PerTenant {
            needed.push(("accounts.name", accounts.name.as_ref(), "tenant"));
        }
        let lacks = |template: Option<&Template>, place: &str| template.is_some_and(|text| !text.has(place));
        needed
            .into_iter()
            .find(|(_, text, place)| lacks(*text, place))
            .map(|(field, _, place)| (field, place))
    }
}
