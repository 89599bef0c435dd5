//! `cargo xtask describe`: the running platform as `--against` reads it.

use std::process::ExitCode;

use bulkhead_plan::foreign::PlatformDescription;

use crate::cli::DescribeArguments;
use crate::exit::Outcome;
use crate::{platform, say};

pub(crate) async fn run(arguments: &DescribeArguments) -> Outcome {
    let environment = platform::attach(&platform::name(&arguments.name)?).await?;
    let description = PlatformDescription::of_environment(environment.record());
    let description = match arguments.without_records {
        true => description.without_records(),
        false => description,
    };
    say::line("# What docs/against.md describes. Addresses are those of this run; keys stay in their files.");
    say::line(description.to_yaml().trim_end());
    Ok(ExitCode::SUCCESS)
}
