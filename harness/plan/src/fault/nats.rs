//! The broker's accounts, laid out as it is often done: the tenants in one, kept apart by permissions alone.
//!
//! Made from the rendered configuration, block by block, so that nothing else in it differs.

use std::fmt::Write as _;
use std::path::Path;

use bulkhead_identity::TenantSlug;

use super::edit::EditError;
use crate::file::{FileContents, PlannedFile};
use crate::matrix::Kept;
use crate::topology::Topology;

/// How the tenants share an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// Each user has the permissions that it has in an account of its own: its own prefix, inboxes, the whole JetStream API.
    Shared,
    /// Besides, the JetStream API is limited to streams that are named after the tenant.
    SharedWithOwnStreams,
    /// Besides, no stream can be made at all: what is there is pulled from.
    SharedPullOnly,
}

/// What may be asked of a stream by name (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>).
const OWN_STREAM_CALLS: [&str; 6] = [
    "STREAM.*.{}",
    "STREAM.MSG.*.{}",
    "DIRECT.GET.{}",
    "CONSUMER.*.{}",
    "CONSUMER.*.{}.*",
    "CONSUMER.MSG.NEXT.{}.*",
];

const FILE: &str = "services/nats/nats.conf";

impl Accounts {
    pub(super) fn apply(self, files: &mut [PlannedFile], topology: &Topology) -> Result<(), EditError> {
        let file = files.iter_mut().find(|file| file.path == Path::new(FILE));
        let file = file.ok_or_else(|| EditError::NoSuchFile(FILE.to_owned()))?;
        let text = file.contents.public_text().ok_or_else(|| EditError::NoText(FILE.to_owned()))?;
        file.contents = FileContents::Public(self.merged(text, topology)?.into_bytes());
        Ok(())
    }

    fn merged(self, text: &str, topology: &Topology) -> Result<String, EditError> {
        let (mut rest, mut exports, mut users) = (text.to_owned(), String::new(), String::new());
        let tenants = topology.tenants_by_slug();
        for tenant in &tenants {
            let slug = tenant.slug.as_str();
            let opening = format!("\n  T_{slug} {{\n");
            let block = between(&rest, &opening, "\n  }\n")?;
            exports.push_str(&between(&block, "    exports: [\n", "\n    ]")?);
            exports.push('\n');
            users.push_str(&self.users(&between(&block, "    users: [\n", "\n    ]")?, &tenant.slug)?);
            users.push('\n');
            rest = rest.replace(&format!("{opening}{block}\n  }}\n"), "");
            rest = rest.replace(&format!("account: T_{slug},"), "account: TENANTS,");
            rest = rest.replace(&format!("[T_{slug}]"), "[TENANTS]");
        }
        let end = rest.rfind("}\n").ok_or_else(|| missing("}"))?;
        let mut merged = rest[..end].to_owned();
        // Of several services that are imported to one subject there can be one only.
        let first = tenants.first().map(|tenant| tenant.slug.as_str()).unwrap_or_default();
        // Writing into a String cannot fail.
        let _ = write!(
            merged,
            "\n  TENANTS {{\n    jetstream {{ max_mem: {count}MB, max_file: {files}MB, max_bytes_required: true }}\n    exports: \
             [\n{exports}    ]\n    imports: [ {{ service: {{ account: PLATFORM, subject: \"svc.{first}.>\" }}, to: \
             \"svc.>\" }} ]\n    users: [\n{users}    ]\n  }}\n}}\n",
            count = tenants.len(),
            files = tenants.len() * 64,
        );
        Ok(merged)
    }

    fn users(self, users: &str, tenant: &TenantSlug) -> Result<String, EditError> {
        let whole = "\"$JS.API.>\"";
        if !users.contains(whole) {
            return Err(missing(whole));
        }
        // A permission cannot say how a name begins, so that each stream is listed.
        let own = Kept::of(super::RUN).all_of(tenant);
        let calls: &[&str] = match self {
            Self::Shared => return Ok(users.to_owned()),
            Self::SharedWithOwnStreams => &OWN_STREAM_CALLS,
            Self::SharedPullOnly => &["CONSUMER.MSG.NEXT.{}.*"],
        };
        let subjects = own.iter().flat_map(|stream| calls.iter().map(|call| call.replace("{}", stream)));
        let limited: Vec<String> = subjects.map(|subject| format!("\"$JS.API.{subject}\"")).collect();
        Ok(users.replace(whole, &limited.join(", ")))
    }
}

/// The text between two others, the nearest that follow each other.
fn between(text: &str, opening: &str, closing: &str) -> Result<String, EditError> {
    let (_, rest) = text.split_once(opening).ok_or_else(|| missing(opening))?;
    let (inside, _) = rest.split_once(closing).ok_or_else(|| missing(closing))?;
    Ok(inside.to_owned())
}

fn missing(text: &str) -> EditError {
    EditError::NoSuchText { file: FILE.to_owned(), text: text.to_owned() }
}
