//! How fast a certificate hierarchy is made, before any file is written:
//! `cargo run --release -p bulkhead-plan --example pki_speed -- [TENANTS] [LEAVES PER TENANT] [RUNS]`.
//! Prints one JSON object, `{"certificates": N, "seconds": [one for each run]}`, which `cargo xtask bench` reads.

use std::error::Error;
use std::time::Instant;

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
    let mut seconds = Vec::new();
    let mut certificates = 0;
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        let pki = pki::plan(
            &topology,
            &mut SystemKeys::new(),
            OffsetDateTime::now_utc(),
            &ExistingCertificates::none(),
        )?;
        seconds.push(start.elapsed().as_secs_f64());
        certificates = pki.authorities().count() + pki.leaves().count();
    }
    println!("{}", serde_json::json!({ "certificates": certificates, "seconds": seconds }));
    Ok(())
}
