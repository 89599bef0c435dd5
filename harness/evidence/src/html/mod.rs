//! `report.html`: one file that a person can read who has never seen the tool, and that asks for nothing from anywhere.
//!
//! Everything essential is there without JavaScript. A policy in the page's head permits its own style and its own script,
//! by their hashes, and nothing else: should a text that others wrote ever become markup, it does nothing still.

mod cells;
mod more;
mod picture;
mod standards;
mod verdict;

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_plan::access::{Conclusion, Expectation};
use bulkhead_plan::matrix::{Column, Layer};
use sha2::{Digest as _, Sha256};

use crate::Report;
use crate::text::Escaped;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Renders it.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = page(&mut text, report);
    text
}

fn page(out: &mut String, report: &Report) -> fmt::Result {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let name = Escaped(&report.platform.name);
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<meta name=\"color-scheme\" content=\"light dark\">")?;
    writeln!(out, "<meta name=\"robots\" content=\"noindex\">")?;
    writeln!(out, "<title>Tenant isolation of {name}: {}</title>", verdict::short(report))?;
    writeln!(out, "<style>{STYLE}</style>\n</head>\n<body>")?;
    writeln!(
        out,
        "<header class=\"top\"><p>Bulkhead <span>evidence of tenant isolation</span></p></header>\n<main>"
    )?;
    verdict::write(out, report)?;
    picture::write(out, report)?;
    cells::write(out, report)?;
    more::faults(out, report)?;
    more::scenarios(out, report)?;
    more::not_covered(out, report)?;
    standards::write(out, report)?;
    more::how_to_verify(out, report)?;
    writeln!(out, "</main>\n<footer>{}</footer>", Escaped(&format!("Made by {}.", report.run.tool)))?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// How a cell is shown: its style's name, its sign, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Closed,
    Open,
    Unclear,
    Broken,
    Violated,
}

impl Look {
    /// The worst first.
    const ALL: [Self; 5] = [Self::Violated, Self::Broken, Self::Unclear, Self::Open, Self::Closed];

    fn of(conclusion: Conclusion, expected: &Expectation) -> Self {
        match (conclusion, expected) {
            (Conclusion::Violated, _) => Self::Violated,
            (Conclusion::Broken, _) => Self::Broken,
            (Conclusion::Inconclusive, _) => Self::Unclear,
            (Conclusion::Passed, Expectation::Allowed) => Self::Open,
            (Conclusion::Passed, _) => Self::Closed,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Unclear => "unclear",
            Self::Broken => "broken",
            Self::Violated => "violated",
        }
    }

    /// The same as on the terminal.
    const fn sign(self) -> &'static str {
        match self {
            Self::Closed => "·",
            Self::Open => "+",
            Self::Unclear => "?",
            Self::Broken => "×",
            Self::Violated => "!",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Closed => "refused, as it must be",
            Self::Open => "possible, as it must be",
            Self::Unclear => "not judged",
            Self::Broken => "refused, and must be possible",
            Self::Violated => "possible, and must not be",
        }
    }
}

/// What a layer is about, for people.
const fn title_of(layer: Layer) -> &'static str {
    match layer {
        Layer::Network => "Network: who reaches whom",
        Layer::Tls => "Certificates: who is let in at the door",
        Layer::Grpc => "Calls: who may call which method",
        Layer::Messages => "Messages: who hears and says what",
        Layer::Storage => "Streams and buckets: who reads and changes what is kept",
        Layer::Broker => "The message broker itself",
        Layer::Platform => "Administration and records",
        Layer::Disk => "Files: who holds which key",
    }
}

/// Who acts, for people.
const fn who_is(caller: Column) -> &'static str {
    match caller {
        Column::Own => "the tenant's own services",
        Column::Other => "another tenant's services",
        Column::Poller => "the platform's poller",
        Column::Admin => "the platform's administrator",
        Column::Broker => "the message broker's own certificate",
        Column::Hostile => "a forged certificate",
        Column::Nobody => "somebody without a certificate",
    }
}

/// What is to be known of a kind of caller beside its name.
const fn note_on(caller: Column) -> &'static str {
    match caller {
        Column::Hostile => {
            ", with one thing wrong; those with nothing wrong for that use are the controls, and let in"
        }
        _ => "",
    }
}

/// Where the cells of one field of the picture are.
fn anchor(row: usize, caller: Column) -> String {
    format!("r{row}-{}", caller.heading())
}
