//! Log lines on standard output: JSON or for people, each with the service and its tenant.
//!
//! A line about another tenant than the service's own (the poller has many) carries its own `tenant`
//! field, which then stands in place of the service's.

use std::fmt::{self, Write as _};
use std::io;

use serde::Deserialize;
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer as _, Registry};

use crate::audit;
use crate::config::LogSettings;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line, for machines; the default.
    #[default]
    Json,
    /// For people.
    Human,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "human" => Ok(Self::Human),
            other => Err(format!("\"{other}\" is not a log format: json or human")),
        }
    }
}

/// Which lines are written: `off`, `error`, `warn`, `info`, `debug` or `trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Level(LevelFilter);

impl Default for Level {
    fn default() -> Self {
        Self(LevelFilter::INFO)
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("\"{text}\" is not a log level: off, error, warn, info, debug or trace"))
    }
}

impl TryFrom<String> for Level {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Whose lines they are.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The service's common name.
    pub service: String,
    /// The tenant that it belongs to, or `platform`.
    pub tenant: String,
}

/// Sends the whole process's log lines to standard output. A second call changes nothing.
pub fn start(settings: &LogSettings, origin: Origin) {
    let subscriber = subscriber(settings, origin, io::stdout);
    // It fails only when a subscriber is already there, which then goes on.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The subscriber that [`start`] installs, writing to `writer`: tests read the very lines that a service
/// writes.
pub fn subscriber<W>(
    settings: &LogSettings,
    origin: Origin,
    writer: W,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { format: settings.format, origin })
        .with_writer(writer)
        .with_filter(filter(settings.level));
    Registry::default().with(lines)
}

/// Audit records pass whatever the level is. The NATS client and the HTTP/2 stack tell what we tell
/// ourselves, so only their errors are written.
fn filter(level: Level) -> Targets {
    Targets::new()
        .with_default(level.0)
        .with_target("async_nats", level.0.min(LevelFilter::ERROR))
        .with_target("h2", level.0.min(LevelFilter::ERROR))
        .with_target(audit::TARGET, LevelFilter::INFO)
}

struct Lines {
    format: Format,
    origin: Origin,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let timestamp = OffsetDateTime::now_utc().format(&Rfc3339).map_err(|_| fmt::Error)?;
        match self.format {
            Format::Json => self.json(&mut writer, event, &timestamp, fields),
            Format::Human => self.human(&mut writer, event, &timestamp, fields),
        }
    }
}

impl Lines {
    fn json(
        &self,
        writer: &mut Writer<'_>,
        event: &Event<'_>,
        timestamp: &str,
        fields: Fields,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut write = || -> Result<(), serde_json::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("timestamp", timestamp)?;
            map.serialize_entry("level", event.metadata().level().as_str())?;
            map.serialize_entry("target", event.metadata().target())?;
            map.serialize_entry("service", &self.origin.service)?;
            if !fields.has("tenant") {
                map.serialize_entry("tenant", &self.origin.tenant)?;
            }
            for (name, value) in &fields.0 {
                map.serialize_entry(name, value)?;
            }
            map.end()
        };
        write().map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", String::from_utf8_lossy(&line))
    }

    fn human(
        &self,
        writer: &mut Writer<'_>,
        event: &Event<'_>,
        timestamp: &str,
        fields: Fields,
    ) -> fmt::Result {
        let tenant = fields.text("tenant").unwrap_or(&self.origin.tenant);
        write!(
            writer,
            "{timestamp} {:<5} {tenant} {} ",
            event.metadata().level().as_str(),
            self.origin.service
        )?;
        if let Some(message) = fields.text("message") {
            write!(writer, "{}", OneLine(message))?;
        } else {
            writer.write_str(event.metadata().target())?;
        }
        for (name, value) in &fields.0 {
            match value {
                _ if *name == "message" || *name == "tenant" => {}
                Value::String(text) => write!(writer, " {name}={}", OneLine(text))?,
                other => write!(writer, " {name}={other}")?,
            }
        }
        writeln!(writer)
    }
}

/// Control characters are escaped: what a peer sent must not forge a second line or move a cursor.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| *field == name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| *field == name).and_then(|(_, value)| value.as_str())
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), Value::from(format!("{value:?}"))));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.0.push((field.name(), Value::from(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(format: Format, level: &str, act: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let settings = LogSettings { format, level: level.parse().unwrap() };
        let origin =
            Origin { service: "agent-001.p1.acme.serviceradar".to_owned(), tenant: "acme".to_owned() };
        let subscriber = subscriber(&settings, origin, move || writer.clone());
        tracing::subscriber::with_default(subscriber, act);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_json_line_carries_tenant_and_service() {
        let lines = lines(Format::Json, "info", || tracing::info!(port = 50_051, "listening"));
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["tenant"], "acme");
        assert_eq!(line["service"], "agent-001.p1.acme.serviceradar");
        assert_eq!(line["message"], "listening");
        assert_eq!(line["port"], 50_051);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_line_about_another_tenant_names_that_tenant_once() {
        let lines = lines(Format::Json, "info", || tracing::info!(tenant = "globex", "polled"));
        assert_eq!(lines[0].matches("\"tenant\"").count(), 1, "{}", lines[0]);
        assert!(lines[0].contains("\"tenant\":\"globex\""), "{}", lines[0]);
    }

    #[test]
    fn every_human_line_carries_the_tenant_and_cannot_be_forged() {
        let lines = lines(Format::Human, "info", || tracing::info!(from = "a\nINFO acme", "hello\u{1b}[2J"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(" acme agent-001.p1.acme.serviceradar "), "{}", lines[0]);
        assert!(!lines[0].contains('\u{1b}'), "{}", lines[0]);
    }

    #[test]
    fn audit_records_pass_every_level() {
        let lines = lines(Format::Json, "off", || {
            tracing::info!("not written");
            tracing::info!(target: audit::TARGET, "written");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("\"written\""));
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!("loud".parse::<Level>().is_err());
        assert!("debug".parse::<Level>().is_ok());
    }
}
