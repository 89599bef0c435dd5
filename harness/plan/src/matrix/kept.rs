//! What a run of the matrix calls the streams that it keeps at the broker.
//!
//! Each run has a name, which is in all of them: what a run that was cut short has left behind is told by it. A fault whose
//! permissions list the streams that a tenant may have lists these.

use bulkhead_identity::TenantSlug;

/// How long the name of a run is that nobody else has: hexadecimal digits.
const RUN_LENGTH: usize = 16;

/// The names of one run's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    run: String,
}

/// A stream that copies, for one attempt; in one account one at a time does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// What is said on another's subject.
    Captured,
    /// Another's stream, by a mirror.
    Mirrored,
    /// One's own stream, by a mirror: the control.
    MirroredOwn,
    /// Another's stream, by a source.
    Sourced,
    /// One's own stream, by a source: the control.
    SourcedOwn,
    /// What is said on one's own subject, to be published on another's.
    Republished,
}

impl Copied {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Captured,
        Self::Mirrored,
        Self::MirroredOwn,
        Self::Sourced,
        Self::SourcedOwn,
        Self::Republished,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Captured => "CAPTURED",
            Self::Mirrored => "MIRRORED",
            Self::MirroredOwn => "MIRRORED_OWN",
            Self::Sourced => "SOURCED",
            Self::SourcedOwn => "SOURCED_OWN",
            Self::Republished => "REPUBLISHED",
        }
    }
}

impl Kept {
    /// Those of a run.
    pub fn of(run: impl Into<String>) -> Self {
        Self { run: run.into() }
    }

    /// The run's name.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// A tenant's notes.
    pub fn notes(&self, tenant: &TenantSlug) -> String {
        format!("MX_{}_{tenant}", self.run)
    }

    /// A tenant's bucket, of values and of objects.
    pub fn bucket(&self, tenant: &TenantSlug) -> String {
        format!("MX{}_{tenant}", self.run)
    }

    /// The stream behind a tenant's bucket of values.
    pub fn values(&self, tenant: &TenantSlug) -> String {
        format!("KV_{}", self.bucket(tenant))
    }

    /// The stream behind a tenant's bucket of objects.
    pub fn objects(&self, tenant: &TenantSlug) -> String {
        format!("OBJ_{}", self.bucket(tenant))
    }

    /// A tenant's stream that nobody does anything to but copy it.
    pub fn origin(&self, tenant: &TenantSlug) -> String {
        format!("ORG_{}_{tenant}", self.run)
    }

    /// A stream that every tenant has under this very name.
    pub fn namesake(&self) -> String {
        format!("SAME_{}", self.run)
    }

    /// A stream that copies, in a tenant's account or in the platform's.
    pub fn copy(&self, holder: Option<&TenantSlug>, copied: Copied) -> String {
        let holder = holder.map_or("platform", TenantSlug::as_str);
        format!("COPY_{}_{holder}_{}", self.run, copied.word())
    }

    /// Whether a stream is called as those of another run are: one that was cut short has left it behind.
    pub fn is_left_behind(&self, name: &str) -> bool {
        let of_a_run = ["MX_", "KV_MX", "OBJ_MX", "ORG_", "SAME_", "COPY_"].iter().any(|prefix| {
            let run = name.strip_prefix(prefix).map(|rest| rest.split('_').next().unwrap_or_default());
            run.is_some_and(|run| run.len() == RUN_LENGTH && run.bytes().all(|byte| byte.is_ascii_hexdigit()))
        });
        of_a_run && !name.contains(&self.run)
    }

    /// Every stream that a tenant of this run may come to have.
    pub fn all_of(&self, tenant: &TenantSlug) -> Vec<String> {
        let mut names = vec![
            self.notes(tenant),
            self.values(tenant),
            self.objects(tenant),
            self.origin(tenant),
            self.namesake(),
        ];
        names.extend(Copied::ALL.map(|copied| self.copy(Some(tenant), copied)));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_runs_left_behind_is_told_from_what_is_a_tenant_s_own() {
        let (this, other) = (Kept::of("0123456789abcdef"), Kept::of("fedcba9876543210"));
        let tenant: TenantSlug = "acme".parse().unwrap();
        for name in other.all_of(&tenant) {
            assert!(this.is_left_behind(&name) && !other.is_left_behind(&name), "{name}");
        }
        for name in ["KV_settings", "ORG_acme", "SAME_0123456789abcde", "MX_", "orders"] {
            assert!(!this.is_left_behind(name), "{name}");
        }
    }
}
