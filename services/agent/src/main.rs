//! `bulkhead-agent --config FILE`: a tenant's agent.

use std::process::ExitCode;

fn main() -> ExitCode {
    bulkhead_agent::program::main()
}
