//! `bulkhead-agent-seeded --config FILE`: the agent, which makes the mistake that its configuration names.

use std::process::ExitCode;

fn main() -> ExitCode {
    bulkhead_agent::program::main()
}
