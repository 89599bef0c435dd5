//! `bulkhead-poller --config FILE`: the platform's poller.

use std::process::ExitCode;

fn main() -> ExitCode {
    bulkhead_poller::program::main()
}
