//! `bulkhead-poller-seeded --config FILE`: the poller, which makes the mistake that its configuration names.

use std::process::ExitCode;

fn main() -> ExitCode {
    bulkhead_poller::program::main()
}
