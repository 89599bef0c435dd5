//! How fast a certificate hierarchy is made, before any file is written:
//! `cargo run --release -p bulkhead-plan --example pki_speed -- [TENANTS] [LEAVES PER TENANT] [RUNS]`.

use std::error::Error;
use std::time::{Duration, Instant};

use bulkhead_plan::pki::{self, ExistingCertificates, SystemKeys};
use bulkhead_plan::{EnvironmentSpec, Topology};
use time::OffsetDateTime;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |position: usize, default: usize| match std::env::args().nth(position) {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (tenants, leaves, runs) = (argument(1, 1000)?, argument(2, 3)?, argument(3, 5)?);
    let spec = EnvironmentSpec::with_tenants("speed".parse()?, tenants, leaves)?;
    let topology = Topology::new(&spec)?;
    let mut times = Vec::new();
    let mut certificates = 0;
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        let pki = pki::plan(
            &topology,
            &mut SystemKeys::new(),
            OffsetDateTime::now_utc(),
            &ExistingCertificates::none(),
        )?;
        times.push(start.elapsed());
        certificates = pki.authorities().count() + pki.leaves().count();
    }
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or(Duration::ZERO);
    let per_second = certificates as f64 / median.as_secs_f64();
    println!(
        "{tenants} tenants x {} certificates: {certificates} in {median:.2?} (median of {runs}), {per_second:.0} a second",
        leaves + 1
    );
    println!("all runs: {times:.2?}");
    Ok(())
}
