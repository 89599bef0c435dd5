//! NATS subjects of tenants: `<slug>.<channel>`, and back.

use std::fmt;
use std::str::FromStr;

use crate::label::TenantSlug;
use crate::name_error::{NameError, NameFault};
use crate::names::AgentId;
use crate::string_form::string_form;

/// The longest channel, in bytes.
pub const CHANNEL_LENGTH_MAX: usize = 128;

/// What follows the tenant in a subject: one or more tokens joined by dots, `agents.status`.
///
/// A token is lower-case ASCII letters, digits, `-` and `_`, and starts with a letter or a digit: no
/// wildcard, no space and no empty token can be smuggled into a subject through a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(String);

impl Channel {
    /// The text of the channel.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Channel {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

fn check_token(token: &str) -> Result<(), NameFault> {
    let Some(first) = token.chars().next() else {
        return Err(NameFault::Empty);
    };
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-' || *c == '_';
    if let Some(character) = token.chars().find(|c| !allowed(c)) {
        return Err(NameFault::Character(character));
    }
    if first == '-' || first == '_' {
        return Err(NameFault::Character(first));
    }
    Ok(())
}

impl FromStr for Channel {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |fault| NameError::new("channel", text, fault);
        if text.len() > CHANNEL_LENGTH_MAX {
            return Err(error(NameFault::TooLong { length: text.len(), limit: CHANNEL_LENGTH_MAX }));
        }
        text.split('.').try_for_each(check_token).map_err(error)?;
        Ok(Self(text.to_owned()))
    }
}

string_form!(Channel);

/// A subject that belongs to one tenant: `<slug>.<channel>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Whose it is.
    pub tenant: TenantSlug,
    /// What is said there.
    pub channel: Channel,
}

impl Subject {
    /// The subject of a channel of a tenant.
    pub fn new(tenant: &TenantSlug, channel: Channel) -> Self {
        Self { tenant: tenant.clone(), channel }
    }

    /// Heartbeats of the tenant's agents: `<slug>.agents.status`.
    pub fn agents_status(tenant: &TenantSlug) -> Self {
        Self::fixed(tenant, "agents.status".to_owned())
    }

    /// Check results of one agent: `<slug>.agents.results.<agent-id>`.
    pub fn agents_results(tenant: &TenantSlug, agent: &AgentId) -> Self {
        Self::fixed(tenant, format!("agents.results.{agent}"))
    }

    /// Jobs for one agent, answered with their result: `<slug>.jobs.<agent-id>`.
    pub fn jobs(tenant: &TenantSlug, agent: &AgentId) -> Self {
        Self::fixed(tenant, format!("jobs.{agent}"))
    }

    /// The poller is at work for the tenant: `<slug>.pollers.heartbeat`.
    pub fn pollers_heartbeat(tenant: &TenantSlug) -> Self {
        Self::fixed(tenant, "pollers.heartbeat".to_owned())
    }

    /// What the poller collected from the tenant's agents: `<slug>.pollers.results`.
    pub fn poller_results(tenant: &TenantSlug) -> Self {
        Self::fixed(tenant, "pollers.results".to_owned())
    }

    /// Changes in the reachability of the tenant's agents: `<slug>.events.poller.health`.
    pub fn poller_health(tenant: &TenantSlug) -> Self {
        Self::fixed(tenant, "events.poller.health".to_owned())
    }

    /// For channels whose tokens are literals or labels: every label is a token.
    fn fixed(tenant: &TenantSlug, channel: String) -> Self {
        Self::new(tenant, Channel(channel))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.tenant, self.channel)
    }
}

impl FromStr for Subject {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "tenant's subject";
        let Some((tenant, channel)) = text.split_once('.') else {
            let fault = NameFault::Form("<tenant slug>.<channel>");
            return Err(NameError::new(WHAT, text, fault));
        };
        let whole = |error: NameError| NameError::new(WHAT, text, error.fault);
        Ok(Self { tenant: tenant.parse().map_err(whole)?, channel: channel.parse().map_err(whole)? })
    }
}

string_form!(Subject);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_s_subjects_are_as_agreed() {
        let acme: TenantSlug = "acme".parse().unwrap();
        let agent: AgentId = "agent-001.p1".parse().unwrap();
        let subjects = [
            (Subject::agents_status(&acme), "acme.agents.status"),
            (Subject::agents_results(&acme, &agent), "acme.agents.results.agent-001.p1"),
            (Subject::jobs(&acme, &agent), "acme.jobs.agent-001.p1"),
            (Subject::pollers_heartbeat(&acme), "acme.pollers.heartbeat"),
            (Subject::poller_results(&acme), "acme.pollers.results"),
            (Subject::poller_health(&acme), "acme.events.poller.health"),
        ];
        for (subject, text) in subjects {
            assert_eq!(subject.to_string(), text);
            assert_eq!(text.parse::<Subject>().unwrap(), subject);
        }
    }

    #[test]
    fn a_slug_that_is_another_s_prefix_stays_apart() {
        let subject: Subject = "acme2.agents.status".parse().unwrap();
        assert_eq!(subject.tenant.as_str(), "acme2");
    }

    #[test]
    fn wildcards_spaces_and_empty_tokens_are_no_subjects() {
        for bad in [
            "",
            "acme",
            "acme.",
            "acme.>",
            "acme.*.status",
            "*.agents.status",
            ">",
            "acme..status",
            "acme.agents status",
            "acme.agents.status.",
            ".agents.status",
            "$SYS.agents",
            "_INBOX.a.b",
            "acme.$JS.API",
            "admin.results.acme",
            "acme.agents.Status",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?} was accepted");
        }
    }
}
