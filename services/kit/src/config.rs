//! Configuration: YAML files with unknown keys refused, and the settings that every service has.
//!
//! Precedence is flag, then environment variable, then file: flags and variables are declared together
//! with `clap` in each service, and are applied to what [`read`] returned.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::log::{Format, Level};

/// A configuration file larger than this is not one of ours.
const MAXIMUM_FILE_BYTES: u64 = 1024 * 1024;

/// Why a configuration could not be used. Services leave with exit code 2 on it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {what} {path}: {source}")]
    Unreadable {
        /// What the file is for, e.g. "configuration file".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the YAML that the service expects; the message carries line and column.
    #[error("configuration file {path} is not valid: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and where in the file.
        message: String,
    },
    /// The file was read, and what it holds cannot be used.
    #[error("{what} {path} cannot be used: {problem}; {advice}")]
    Unusable {
        /// What the file is for, e.g. "private key".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do next.
        advice: String,
    },
}

/// Reads a YAML file into `T`, whose `Deserialize` is expected to deny unknown fields.
///
/// # Errors
/// [`ConfigError::Unreadable`] or [`ConfigError::Invalid`] (with line and column).
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = read_bounded("configuration file", path)?;
    let invalid = |message: String| ConfigError::Invalid { path: path.to_owned(), message };
    let text = std::str::from_utf8(&text).map_err(|error| invalid(error.to_string()))?;
    serde_saphyr::from_str(text).map_err(|error| invalid(error.to_string()))
}

/// Reads a whole small file; a directory, a device or something huge is an error and not a hang.
pub(crate) fn read_bounded(what: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { what, path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAXIMUM_FILE_BYTES {
        return Err(ConfigError::Unusable {
            what,
            path: path.to_owned(),
            problem: "it is not a file of at most 1 MiB".to_owned(),
            advice: "name the file itself".to_owned(),
        });
    }
    std::fs::read(path).map_err(unreadable)
}

/// `path` seen from the directory of the configuration file that names it; absolute paths stay.
#[must_use]
pub fn relative_to(configuration_file: &Path, path: &Path) -> PathBuf {
    configuration_file.parent().map_or_else(|| path.to_owned(), |directory| directory.join(path))
}

/// Where the service's own certificate and key are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityFiles {
    /// PEM: the leaf first, then the CA that issued it.
    pub certificate: PathBuf,
    /// PEM private key of the leaf, readable by the service's user only.
    pub key: PathBuf,
}

impl IdentityFiles {
    /// The same files, seen from where the configuration file is.
    #[must_use]
    pub fn relative_to(&self, configuration_file: &Path) -> Self {
        Self {
            certificate: relative_to(configuration_file, &self.certificate),
            key: relative_to(configuration_file, &self.key),
        }
    }
}

/// Where the certificates are that the service believes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFiles {
    /// PEM of the platform's root CA.
    pub root: PathBuf,
    /// PEM files of the tenant CAs; more than one while a CA is rotated.
    #[serde(default)]
    pub tenant: Vec<PathBuf>,
    /// PEM files of the platform's CA generations.
    pub platform: Vec<PathBuf>,
    /// PEM files of revocation lists: one of the root and one of each CA above, or none at all. They are read at start.
    #[serde(default)]
    pub revocation_lists: Vec<PathBuf>,
}

impl TrustFiles {
    /// The same files, seen from where the configuration file is.
    #[must_use]
    pub fn relative_to(&self, configuration_file: &Path) -> Self {
        let all =
            |paths: &[PathBuf]| paths.iter().map(|path| relative_to(configuration_file, path)).collect();
        Self {
            root: relative_to(configuration_file, &self.root),
            tenant: all(&self.tenant),
            platform: all(&self.platform),
            revocation_lists: all(&self.revocation_lists),
        }
    }
}

/// How to reach NATS, and how much to keep while it is away.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsSettings {
    /// `host:port` of the server; its certificate must be that of `nats.serviceradar` whatever the host.
    pub address: HostPort,
    /// Fixed pause between two attempts to connect, in milliseconds.
    #[serde(default = "default_retry_ms")]
    pub retry_ms: u64,
    /// How many messages are kept until the server has confirmed them.
    #[serde(default = "default_buffer_messages")]
    pub buffer_messages: usize,
}

impl NatsSettings {
    /// The pause between two attempts to connect: never less than 10 ms, which would be a busy loop.
    #[must_use]
    pub fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms.max(10))
    }
}

const fn default_retry_ms() -> u64 {
    100
}

const fn default_buffer_messages() -> usize {
    1000
}

/// How log lines look, and which are written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// JSON lines, or lines for people.
    pub format: Format,
    /// The least important lines that are still written; audit records always are.
    pub level: Level,
}

/// `host:port`: a name, an IPv4 address or a bracketed IPv6 address, and a port from 1 to 65535.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// The host without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Why a text is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not host:port (a name, an IPv4 address or [IPv6], and a port from 1 to 65535)")]
pub struct HostPortError(String);

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || HostPortError(text.chars().take(80).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port = port.parse::<u16>().ok().filter(|port| *port != 0);
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            Some(_) => return Err(error()),
            None => host,
        };
        let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_:".contains(character);
        let is_name = !host.is_empty() && host.len() <= 253 && host.chars().all(allowed);
        let is_bare_ipv6 = host.contains(':') && !text.starts_with('[');
        match port {
            Some(port) if is_name && !is_bare_ipv6 => Ok(Self { host: host.to_owned(), port }),
            _ => Err(error()),
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = HostPortError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[allow(dead_code)]
        nats: NatsSettings,
    }

    fn read_text(text: &str) -> Result<Example, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("example.yaml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = read_text("nats:\n  address: localhost:4222\n  retries: 3\n").unwrap_err();
        let message = error.to_string();
        assert!(message.contains("retries"), "{message}");
        assert!(message.contains("line 3"), "{message}");
        assert!(message.contains("example.yaml"), "{message}");
    }

    #[test]
    fn defaults_are_a_short_fixed_retry_and_a_bounded_buffer() {
        let nats = read_text("nats: { address: \"nats.serviceradar:4222\" }").unwrap().nats;
        assert_eq!(nats.retry(), Duration::from_millis(100));
        assert_eq!(nats.buffer_messages, 1000);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read::<Example>(Path::new("/nonexistent/agent.yaml")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/agent.yaml"), "{error}");
    }

    #[test]
    fn a_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read::<Example>(directory.path()), Err(ConfigError::Unusable { .. })));
    }

    #[test]
    fn addresses_are_parsed_once() {
        for text in ["nats.serviceradar:4222", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in
            ["", "host", "host:", ":1", "host:0", "host:65536", "::1:80", "[nope]:1", "a b:1", "h/x:1"]
        {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_are_seen_from_the_configuration_file() {
        let file = Path::new("/etc/bulkhead/agent.yaml");
        assert_eq!(relative_to(file, Path::new("tls/key.pem")), Path::new("/etc/bulkhead/tls/key.pem"));
        assert_eq!(relative_to(file, Path::new("/a/key.pem")), Path::new("/a/key.pem"));
    }
}
