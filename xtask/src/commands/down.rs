//! `cargo xtask down`: everything of an environment taken away, whoever started it and however that ended.

use std::process::ExitCode;

use bulkhead_runtime::{console, teardown};

use crate::cli::DownArguments;
use crate::exit::{self, Outcome};
use crate::{platform, say};

pub(crate) async fn run(arguments: &DownArguments) -> Outcome {
    let events = console::on_stderr();
    let root = platform::state_root();
    let (removed, result) = match arguments.all {
        true => teardown::down_all(&root, &events).await,
        false => (teardown::down(&root, &platform::name(&arguments.name)?, &events).await?, Ok(())),
    };
    for notice in &removed.notices {
        eprintln!("note: {notice}");
    }
    match removed.things.len() {
        0 if result.is_err() => {}
        0 => say::line("nothing was running"),
        count => say::line(format_args!("{count} things removed: {}", removed.things.join(", "))),
    }
    result?;
    Ok(ExitCode::from(exit::OK))
}
