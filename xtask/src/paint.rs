//! Colours for what commands print, where they are understood.

use anstyle::{AnsiColor, Style};
use bulkhead_runtime::console::Look;

/// Colours, where they are understood.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    pub(crate) fn for_stdout() -> Self {
        Self { colour: Look::of_stdout().colour }
    }

    pub(crate) fn for_stderr() -> Self {
        Self { colour: Look::of_stderr().colour }
    }

    pub(crate) fn title(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.styled(Style::new().bold().fg_color(Some(AnsiColor::Green.into())), text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.styled(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.styled(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
