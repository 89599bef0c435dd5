//! Events and log lines for people: status words in a column of their own, colours only where somebody sees them.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use bulkhead_identity::TenantSlug;

use crate::event::{Event, Events};
use crate::logs::{Level, LogLine};

/// How wide the column of status words is.
const COLUMN: usize = 12;
/// The colours of tenants; the platform is not among them.
const TENANT_COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::BrightGreen,
    AnsiColor::BrightRed,
];

/// Where output goes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colours are understood.
    pub colour: bool,
    /// Whether a line may be written over.
    pub live: bool,
}

impl Look {
    /// What standard error understands: a terminal, unless `NO_COLOR` (no-color.org) or `TERM=dumb` says otherwise.
    pub fn of_stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    /// What standard output understands.
    pub fn of_stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// Plain lines.
    pub fn plain() -> Self {
        Self { colour: false, live: false }
    }

    fn of(terminal: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: terminal && !dumb && !no_colour, live: terminal && !dumb }
    }
}

/// Events as lines on standard error: progress on a terminal, one line for each event elsewhere.
pub fn on_stderr() -> Events {
    rendered(Look::of_stderr(), std::io::stderr())
}

/// Events as lines in `output`.
pub fn rendered(look: Look, output: impl Write + Send + 'static) -> Events {
    let writer = Arc::new(Mutex::new(Writer { look, output, transient: false }));
    Events::new(move |event| writer.lock().unwrap_or_else(PoisonError::into_inner).write(&event))
}

struct Writer<W> {
    look: Look,
    output: W,
    /// Whether the last line may be written over.
    transient: bool,
}

/// One line of output: a word in the column, and the rest.
struct Line {
    word: &'static str,
    style: Style,
    text: String,
    /// Progress: on a terminal the next line takes its place, elsewhere it is left out.
    transient: bool,
}

impl<W: Write> Writer<W> {
    fn write(&mut self, event: &Event) {
        // A reader that went away (`… | head`) is no reason to stop.
        let _ = lines(event).into_iter().try_for_each(|line| self.line(&line));
    }

    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        if line.transient && !self.look.live {
            return Ok(());
        }
        if std::mem::take(&mut self.transient) {
            // Back to the first column, and the rest of the line away.
            write!(self.output, "\r\x1b[2K")?;
        }
        let word = painted(self.look, line.style, &format!("{:>COLUMN$}", line.word));
        write!(self.output, "{word} {}", line.text)?;
        self.transient = line.transient;
        if !line.transient {
            writeln!(self.output)?;
        }
        self.output.flush()
    }
}

fn painted(look: Look, style: Style, text: &str) -> String {
    if look.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

const fn bold(colour: AnsiColor) -> Style {
    colour.on_default().bold()
}

const GOOD: Style = bold(AnsiColor::Green);
const BUSY: Style = bold(AnsiColor::Cyan);
const BAD: Style = bold(AnsiColor::Red);
const ODD: Style = bold(AnsiColor::Yellow);

fn lasting(word: &'static str, style: Style, text: String) -> Line {
    Line { word, style, text, transient: false }
}

fn passing(word: &'static str, text: String) -> Line {
    let text = text.chars().take(66).collect();
    Line { word, style: BUSY, text, transient: true }
}

fn lines(event: &Event) -> Vec<Line> {
    let one = match event {
        Event::BackendChosen { backend, reason } => lasting("Backend", GOOD, format!("{backend}: {reason}")),
        Event::Swept { removed, stuck } => return swept(removed, stuck),
        Event::Building { line } => passing("Building", line.clone()),
        Event::Built { after } => lasting("Built", GOOD, format!("the services [{after:.1?}]")),
        Event::ImageReady { role, image } => {
            lasting("Image", GOOD, format!("{role}: {} ({})", image.reference, image.source))
        }
        Event::FilesReady { written, total, after } => lasting(
            "Files",
            GOOD,
            format!("{written} of {total} written, the others are current [{after:.1?}]"),
        ),
        Event::ServiceStarting { id } => passing("Starting", id.to_string()),
        Event::ServiceReady { id, address, after } => {
            lasting("Ready", GOOD, format!("{id} at {address} [{after:.1?}]"))
        }
        Event::ServiceDied(death) => lasting("Died", BAD, death.to_string()),
        Event::Ready { services, after } => lasting("Up", GOOD, format!("{services} services [{after:.2?}]")),
        Event::Stopping => passing("Stopping", "services and networks".to_owned()),
        Event::Stopped { after, stuck } => {
            let mut lines = vec![lasting("Down", GOOD, format!("[{after:.2?}]"))];
            lines.extend(stuck.iter().map(|stuck| lasting("Left", BAD, stuck.clone())));
            return lines;
        }
        Event::Notice { text } => lasting("Note", ODD, text.clone()),
    };
    vec![one]
}

fn swept(removed: &[String], stuck: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    if !removed.is_empty() {
        let text = format!("{} things that an earlier run left: {}", removed.len(), removed.join(", "));
        lines.push(lasting("Swept", ODD, text));
    }
    lines.extend(stuck.iter().map(|stuck| lasting("Left", ODD, stuck.clone())));
    lines
}

/// A log line with its tenant's colour. `tenants` are all of the environment's, so that colours do not depend on who
/// speaks first.
pub fn log_line(look: Look, tenants: &[TenantSlug], line: &LogLine) -> String {
    let position = line.tenant.as_ref().and_then(|tenant| tenants.iter().position(|known| known == tenant));
    let style = position
        .map_or(Style::new().bold(), |position| TENANT_COLOURS[position % TENANT_COLOURS.len()].on_default());
    let source = painted(look, style, &format!("{:>20}", line.service.dotted()));
    let level = match line.level {
        Level::Error => painted(look, BAD, "ERROR"),
        Level::Warning => painted(look, ODD, " WARN"),
        Level::Info => " INFO".to_owned(),
        Level::Debug => "DEBUG".to_owned(),
    };
    format!("{:>12} {source} {level} {}", line.clock(), line.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Death;
    use bulkhead_plan::ServiceId;
    use std::time::Duration;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(look: Look, events: Vec<Event>) -> String {
        let buffer = Buffer::default();
        let sink = rendered(look, buffer.clone());
        events.into_iter().for_each(|event| sink.emit(event));
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn start() -> Vec<Event> {
        let id = ServiceId::Nats;
        let address = "10.64.0.2:4222".to_owned();
        vec![
            Event::ServiceStarting { id: id.clone() },
            Event::ServiceReady { id, address, after: Duration::from_millis(150) },
        ]
    }

    #[test]
    fn elsewhere_than_on_a_terminal_there_is_a_plain_line_for_what_lasts() {
        assert_eq!(shown(Look::plain(), start()), "       Ready nats at 10.64.0.2:4222 [150.0ms]\n");
    }

    #[test]
    fn on_a_terminal_progress_is_written_over() {
        let look = Look { colour: false, live: true };
        let expected = "    Starting nats\r\x1b[2K       Ready nats at 10.64.0.2:4222 [150.0ms]\n";
        assert_eq!(shown(look, start()), expected);
    }

    #[test]
    fn a_death_shows_its_last_lines() {
        let last_lines = vec!["one".to_owned(), "two".to_owned()];
        let death = Death { id: ServiceId::Nats, how: "exit code 1".to_owned(), last_lines };
        let text = shown(Look::plain(), vec![Event::ServiceDied(death)]);
        assert_eq!(text, "        Died nats ended with exit code 1; its last lines:\n    one\n    two\n");
    }

    #[test]
    fn tenants_have_their_own_colours_and_the_platform_has_none() {
        let look = Look { colour: true, live: true };
        let tenants: Vec<TenantSlug> = vec!["acme".parse().unwrap(), "globex".parse().unwrap()];
        let line = |tenant: Option<TenantSlug>| {
            log_line(look, &tenants, &LogLine::read(ServiceId::Nats, tenant, "text"))
        };
        let (first, second) = (line(Some(tenants[0].clone())), line(Some(tenants[1].clone())));
        assert_ne!(first, second);
        assert!(!line(None).contains("\x1b[36m"), "{:?}", line(None));
    }
}
