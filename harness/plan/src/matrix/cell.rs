//! One cell of the access matrix.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Operation, Vantage, Who};

/// Who does what to whom, from where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// What is done, and to whom.
    pub operation: Operation,
    /// Who does it.
    pub who: Who,
    /// From where.
    pub from: Vantage,
}

/// Where the wall stands that a cell is about, from the ground up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Packets.
    Network,
    /// Certificates.
    Tls,
    /// Calls.
    Grpc,
    /// Messages.
    Messages,
    /// Streams and buckets.
    Storage,
    /// The broker itself.
    Broker,
    /// What the platform does for its administrators and keeps of its tenants.
    Platform,
    /// Files.
    Disk,
}

impl Layer {
    /// All of them, from the ground up.
    pub const ALL: [Self; 8] = [
        Self::Network,
        Self::Tls,
        Self::Grpc,
        Self::Messages,
        Self::Storage,
        Self::Broker,
        Self::Platform,
        Self::Disk,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Grpc => "grpc",
            Self::Messages => "messages",
            Self::Storage => "storage",
            Self::Broker => "broker",
            Self::Platform => "platform",
            Self::Disk => "disk",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

impl Cell {
    /// The wall that it is about.
    pub fn layer(&self) -> Layer {
        match &self.operation {
            Operation::Reach { .. } | Operation::SideDoor { .. } => Layer::Network,
            Operation::Handshake { .. }
            | Operation::Resume { .. }
            | Operation::Knock { .. }
            | Operation::Impersonate { .. } => Layer::Tls,
            Operation::Call { .. } | Operation::AskForAnother { .. } | Operation::ReportForAnother { .. } => {
                Layer::Grpc
            }
            // Who is let in by the broker is decided by certificates as well.
            Operation::Connect => Layer::Tls,
            Operation::ConnectAs { .. } | Operation::Message { .. } => Layer::Messages,
            Operation::Storage { .. } => Layer::Storage,
            Operation::Broker { .. } => Layer::Broker,
            Operation::ReadResults { .. } | Operation::FileReport { .. } | Operation::FilePolled { .. } => {
                Layer::Platform
            }
            Operation::Find { .. } => Layer::Disk,
        }
    }

    /// A name that is the cell's alone and the same in every run of the same topology:
    /// `js.purge | agent-001.p1.globex.serviceradar | this machine | acme`.
    pub fn id(&self) -> String {
        let claims = match &self.operation {
            Operation::Call { metadata, authority, .. } => details(metadata, authority),
            Operation::Resume { earlier, .. } => format!(" after {earlier}"),
            _ => String::new(),
        };
        format!(
            "{} | {} | {} | {}{claims}",
            self.operation.code(),
            self.who,
            self.from,
            self.operation.object()
        )
    }
}

fn details(metadata: &crate::access::TenantMetadata, authority: &crate::access::RequestAuthority) -> String {
    let authority = match authority {
        crate::access::RequestAuthority::Target => String::new(),
        crate::access::RequestAuthority::Other(name) => format!(" as {name}"),
    };
    format!("{metadata}{authority}")
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}, from {}", self.who, self.operation, self.from)
    }
}
