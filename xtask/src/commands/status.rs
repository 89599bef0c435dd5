//! `cargo xtask status`: what is running, and what to do next.

use std::process::ExitCode;

use bulkhead_plan::ServiceId;
use bulkhead_plan::environment::EnvironmentRecord;
use bulkhead_runtime::backend::ServiceState;
use serde::Serialize;

use crate::cli::StatusArguments;
use crate::exit::{self, OrExit as _, Outcome};
use crate::{overview, platform, say};

/// `environment.json`, and what each service is doing now.
#[derive(Serialize)]
struct Status<'a> {
    environment: &'a EnvironmentRecord,
    states: Vec<State>,
}

#[derive(Serialize)]
struct State {
    service: ServiceId,
    state: String,
}

pub(crate) async fn run(arguments: &StatusArguments) -> Outcome {
    let environment = platform::attach(&platform::name(&arguments.name)?).await?;
    let states = environment.states().await;
    let all_run = states.iter().all(|(_, state)| *state == ServiceState::Running);
    if arguments.json {
        let states =
            states.into_iter().map(|(service, state)| State { service, state: state.to_string() }).collect();
        let status = Status { environment: environment.record(), states };
        say::line(serde_json::to_string_pretty(&status).or_not_started()?);
    } else {
        say::text(format_args!("{}{}", overview::states(&states), overview::ready(environment.record())));
    }
    Ok(ExitCode::from(if all_run { exit::OK } else { exit::NOT_STARTED }))
}
