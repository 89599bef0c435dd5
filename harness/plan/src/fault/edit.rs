//! Changes to the files that were planned for an environment, before any of them is written.
//!
//! A change names texts that the renderer writes. When the renderer writes them no longer, the change fails: a mistake
//! that could not be made must not count as one that nobody noticed.

use std::path::Path;

use crate::environment::BackendKind;
use crate::file::{FileContents, PlannedFile};
use crate::topology::Topology;

/// One change. In paths and texts, `{tenant}` stands for each tenant in turn, `{other}` for the one after it, `{agent}` for each
/// of its agents; `{first}`, `{first agent}` and `{first component}` for the first tenant and its first agent; `{port 8222}` for that port in a container, and for one that the system chooses on this machine, where
/// somebody else may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEdit {
    /// Another text in place of one that is there, wherever it stands in the file.
    Replace {
        /// Which file.
        file: &'static str,
        /// The text that is there.
        text: &'static str,
        /// The text that is there afterwards.
        with: &'static str,
    },
    /// A further text at the end of a file.
    Append {
        /// Which file.
        file: &'static str,
        /// The text.
        text: &'static str,
    },
    /// A copy of a file, with its mode.
    Copy {
        /// Of which file.
        from: &'static str,
        /// Where.
        to: &'static str,
    },
    /// The contents of a file at the end of another one.
    AppendFile {
        /// Of which file.
        from: &'static str,
        /// To which one.
        to: &'static str,
    },
    /// Other permission bits.
    Mode {
        /// Which file.
        file: &'static str,
        /// The bits.
        mode: u32,
    },
}

/// A change that cannot be made to what is rendered today.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file is not planned.
    #[error("no file {0} is planned")]
    NoSuchFile(String),
    /// The text is not in the file.
    #[error("{file} has no text {text:?}")]
    NoSuchText {
        /// Which file.
        file: String,
        /// The text that was looked for.
        text: String,
    },
    /// The file holds a secret, or is no text.
    #[error("{0} is not a text that may be changed")]
    NoText(String),
    /// There is nobody that it could be made for: one tenant has no other.
    #[error("there are too few tenants for {0}")]
    TooFewTenants(&'static str),
}

impl FileEdit {
    /// Makes the change.
    ///
    /// # Errors
    /// When a file or a text is not there.
    pub fn apply(
        &self,
        files: &mut Vec<PlannedFile>,
        topology: &Topology,
        backend: BackendKind,
    ) -> Result<(), EditError> {
        for words in words(topology, self.texts())? {
            let fill = |text: &str| filled(text, &words, backend);
            match self {
                Self::Replace { file, text, with } => {
                    let (file, text, with) = (fill(file), fill(text), fill(with));
                    let contents = text_of(files, &file)?;
                    if !contents.contains(&text) {
                        return Err(EditError::NoSuchText { file, text });
                    }
                    let changed = contents.replace(&text, &with);
                    planned(files, &file)?.contents = FileContents::Public(changed.into_bytes());
                }
                Self::Append { file, text } => {
                    let file = fill(file);
                    let changed = format!("{}{}", text_of(files, &file)?, fill(text));
                    planned(files, &file)?.contents = FileContents::Public(changed.into_bytes());
                }
                Self::Copy { from, to } => {
                    let copied = planned(files, &fill(from))?.clone();
                    files.push(PlannedFile { path: fill(to).into(), ..copied });
                }
                Self::AppendFile { from, to } => {
                    let (added, to) = (text_of(files, &fill(from))?.to_owned(), fill(to));
                    let changed = format!("{}{added}", text_of(files, &to)?);
                    planned(files, &to)?.contents = FileContents::Public(changed.into_bytes());
                }
                Self::Mode { file, mode } => planned(files, &fill(file))?.mode = *mode,
            }
        }
        Ok(())
    }

    fn texts(&self) -> [&'static str; 3] {
        match self {
            Self::Replace { file, text, with } => [file, text, with],
            Self::Append { file, text } => [file, text, ""],
            Self::Copy { from, to } | Self::AppendFile { from, to } => [from, to, ""],
            Self::Mode { file, .. } => [file, "", ""],
        }
    }
}

fn planned<'a>(files: &'a mut [PlannedFile], path: &str) -> Result<&'a mut PlannedFile, EditError> {
    let found = files.iter_mut().find(|file| file.path == Path::new(path));
    found.ok_or_else(|| EditError::NoSuchFile(path.to_owned()))
}

fn text_of<'a>(files: &'a mut [PlannedFile], path: &str) -> Result<&'a str, EditError> {
    planned(files, path)?.contents.public_text().ok_or_else(|| EditError::NoText(path.to_owned()))
}

/// What the words in braces stand for.
type Words = Vec<(&'static str, String)>;

/// One filling for each time that the change is made: once, or for each tenant, or for each agent.
fn words(topology: &Topology, texts: [&'static str; 3]) -> Result<Vec<Words>, EditError> {
    let asks = |word: &str| texts.iter().any(|text| text.contains(word));
    let tenants = topology.tenants_by_slug();
    let mut first = Vec::new();
    if let Some(tenant) = tenants.first() {
        first.push(("{first}", tenant.slug.to_string()));
        if let Some(agent) = tenant.agents.first() {
            first.push(("{first agent}", agent.to_string()));
            first.push(("{first component}", agent.component.to_string()));
        }
    }
    if !asks("{tenant}") && !asks("{other}") && !asks("{agent}") {
        return Ok(vec![first]);
    }
    if asks("{other}") && tenants.len() < 2 {
        return Err(EditError::TooFewTenants(texts[0]));
    }
    let mut fillings = Vec::new();
    for (place, tenant) in tenants.iter().enumerate() {
        let other = &tenants[(place + 1) % tenants.len()].slug;
        let mut base = first.clone();
        let previous = &tenants[(place + tenants.len() - 1) % tenants.len()].slug;
        base.extend([
            ("{tenant}", tenant.slug.to_string()),
            ("{other}", other.to_string()),
            ("{previous}", previous.to_string()),
        ]);
        let agents = tenant.agents.iter().take(if asks("{agent}") { usize::MAX } else { 1 });
        fillings.extend(agents.map(|agent| {
            let mut words = base.clone();
            words.push(("{agent}", agent.to_string()));
            words
        }));
    }
    Ok(fillings)
}

fn filled(text: &str, words: &Words, backend: BackendKind) -> String {
    let mut filled = text.to_owned();
    for (word, meaning) in words {
        filled = filled.replace(word, meaning);
    }
    while let Some((before, rest)) = filled.split_once("{port ") {
        let Some((port, after)) = rest.split_once('}') else { break };
        // NATS takes -1 for a port that the system chooses.
        let port = if backend == BackendKind::Process { "-1" } else { port };
        filled = format!("{before}{port}{after}");
    }
    filled
}
