//! Who reaches whom on the network, and which doors are open that nobody planned.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use bulkhead_identity::PeerName;
use bulkhead_plan::ServiceId;
use bulkhead_plan::access::{Operation, Outcome, SideDoor, Vantage};
use bulkhead_plan::environment::BackendKind;
use bulkhead_plan::matrix::Cell;
use bulkhead_probe::post::{Answered, Order};
use bulkhead_probe::{Observation, Sight};
use bulkhead_runtime::engine::Engine;
use bulkhead_runtime::probe::verdict::{Judged, between};
use bulkhead_runtime::vantage::service_of;
use futures::future::join_all;
use futures::stream::{self, StreamExt};

use crate::site::{NATS, Site};

/// A wall drops packets, so that an attempt at one lasts this long.
const CONNECT_LIMIT_MS: u64 = 700;
/// How many attempts wait for an answer at once: they cost nothing but time.
const CONCURRENCY: usize = 128;

/// Attempts them between two rounds of controls: each target answers on its own network.
pub(crate) async fn attempt(site: &Site, cells: &[Cell]) {
    if cells.is_empty() {
        return;
    }
    let before = controls(site, cells).await;
    let identity = broker_identity(site).await;
    let attempts = cells.iter().map(async |cell| {
        let judged = match &cell.operation {
            Operation::SideDoor { service, door } => side_door(site, cell, service, *door, &identity).await,
            _ => reach(site, cell).await,
        };
        (cell, judged)
    });
    let found: Vec<(&Cell, Judged)> = stream::iter(attempts).buffer_unordered(CONCURRENCY).collect().await;
    let after = controls(site, cells).await;
    for (cell, judged) in found {
        let target = cell.operation.service().map(|name| name.to_string()).unwrap_or_default();
        let control = |round: &BTreeMap<String, Result<String, String>>| {
            round.get(&target).cloned().unwrap_or_else(|| Err("no control was made".to_owned()))
        };
        let (before, after) = (control(&before), control(&after));
        site.file(cell, confirmed(before, judged, after));
    }
}

/// A target that is not there is out of everybody's reach: its silence is a wall only between two answers to somebody on
/// its own network.
fn confirmed(before: Result<String, String>, judged: Judged, after: Result<String, String>) -> Judged {
    between(before, judged, after)
}

/// Every target's own door, from its own network.
async fn controls(site: &Site, cells: &[Cell]) -> BTreeMap<String, Result<String, String>> {
    let mut targets: Vec<PeerName> = cells.iter().filter_map(|cell| cell.operation.service()).collect();
    targets.sort();
    targets.dedup();
    let rounds = targets.iter().map(async |target| (target.to_string(), control(site, target).await));
    join_all(rounds).await.into_iter().collect()
}

async fn control(site: &Site, target: &PeerName) -> Result<String, String> {
    let from = match site.probe(&site.model().home_of(target)) {
        Ok(_) => site.model().home_of(target),
        Err(_) => Vantage::Host,
    };
    let seen = connect(site, &from, target).await?;
    match seen.sight {
        Sight::Answered(_) => Ok(format!("from {from}: {seen}")),
        _ => Err(format!("from {from}: {seen}")),
    }
}

async fn connect(site: &Site, from: &Vantage, target: &PeerName) -> Result<Observation<Answered>, String> {
    let address = site.address(from, target)?;
    let order = Order::Reach { address, deadline_ms: CONNECT_LIMIT_MS };
    site.probe(from)?.attempt(order).await.map_err(|lost| lost.to_string())
}

async fn reach(site: &Site, cell: &Cell) -> Judged {
    let Operation::Reach { target } = &cell.operation else {
        return Judged::inconclusive("not an attempt at reaching anybody");
    };
    match connect(site, &cell.from, target).await {
        Ok(seen) => judge_reach(&seen),
        Err(why) => Judged::inconclusive(why),
    }
}

fn judge_reach(seen: &Observation<Answered>) -> Judged {
    let outcome = match &seen.sight {
        Sight::Answered(_) => Outcome::Allowed,
        Sight::Unreachable(_) => Outcome::Unreachable,
        other => Outcome::Inconclusive(other.to_string()),
    };
    Judged::new(outcome, vec![seen.to_string()])
}

/// What tells this environment's broker from any other that listens on a customary port of this machine.
async fn broker_identity(site: &Site) -> Result<String, String> {
    let mut why = "there is no agent to ask the broker".to_owned();
    for (who, from) in site.rightful_peers_of(&NATS) {
        let (seen, _session) = site.log_in(&who, &from).await?;
        match &seen.sight {
            Sight::Answered(Answered::Greeting(info)) => {
                let id = info["server_id"].as_str().ok_or("the broker does not say who it is")?;
                return Ok(id.to_owned());
            }
            _ => why = format!("the broker does not say who it is: {seen}"),
        }
    }
    Err(why)
}

/// Knocks at a door that is not to be there. A stranger's door on the same machine is none of this environment's.
async fn side_door(
    site: &Site,
    cell: &Cell,
    service: &PeerName,
    door: SideDoor,
    identity: &Result<String, String>,
) -> Judged {
    let doors = match addresses(site, &cell.from, service, door).await {
        Ok(doors) => doors,
        Err(why) => return Judged::inconclusive(why),
    };
    let identity = match identity {
        Ok(identity) => identity,
        Err(why) => return Judged::inconclusive(why.clone()),
    };
    let probe = match site.probe(&cell.from) {
        Ok(probe) => probe,
        Err(why) => return Judged::inconclusive(why),
    };
    let own_ports = match own_ports(site, service) {
        Ok(ports) => ports,
        Err(why) => return Judged::inconclusive(why),
    };
    let (mut outcome, mut evidence) = (Outcome::Unreachable, Vec::new());
    for address in doors {
        let is_own = own_ports.iter().any(|port| address.ends_with(&format!(":{port}")));
        let words = "GET /varz HTTP/1.1\r\nHost: nats\r\nConnection: close\r\n\r\n".to_owned();
        let order = Order::Ask { address, words, deadline_ms: CONNECT_LIMIT_MS };
        let seen = match probe.attempt(order).await {
            Ok(seen) => seen,
            Err(lost) => return Judged::inconclusive(lost.to_string()),
        };
        let (opened, told) = match &seen.sight {
            Sight::Unreachable(_) => (Outcome::Unreachable, seen.to_string()),
            // On a network of containers the address is the service's own: whoever answers there is the service.
            Sight::Answered(Answered::Bytes(bytes)) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let ours = has_its_own_address(site) || is_own || text.contains(identity.as_str());
                let told = format!("{seen}: {text:.200}");
                let outcome = match ours {
                    true => Outcome::Allowed,
                    // Another broker, or a program of this machine beside our own processes.
                    false if site.record().is_ok() || text.contains("\"server_id\"") => Outcome::Unreachable,
                    false => Outcome::Inconclusive(format!("somebody answers there, and may be it: {told}")),
                };
                (outcome, told)
            }
            _ if is_own || has_its_own_address(site) => (Outcome::Allowed, seen.to_string()),
            // Nothing that our own process listens on; so this is another program of the machine.
            _ if site.record().is_ok() => (Outcome::Unreachable, format!("somebody else's: {seen}")),
            // A door that speaks TLS, or another protocol, does not say whose it is.
            _ => (
                Outcome::Inconclusive(format!("somebody answers there, and may be it: {seen}")),
                seen.to_string(),
            ),
        };
        evidence.push(told);
        if opened != Outcome::Unreachable && outcome != Outcome::Allowed {
            outcome = opened;
        }
    }
    if evidence.is_empty() {
        evidence.push(format!("{service} listens on its own port alone"));
    }
    Judged::new(outcome, evidence)
}

/// In containers every service has an address of its own: whoever answers there is the service.
fn has_its_own_address(site: &Site) -> bool {
    site.record().is_ok_and(|record| record.backend != BackendKind::Process)
}

/// Where the door would be: on its customary port; or wherever else the service's process listens.
async fn addresses(
    site: &Site,
    from: &Vantage,
    service: &PeerName,
    door: SideDoor,
) -> Result<Vec<String>, String> {
    if door == SideDoor::Published {
        return published(site, service).await;
    }
    let own = site.address(from, service)?;
    let (host, own_port) = own.rsplit_once(':').ok_or_else(|| format!("{own} is no address"))?;
    let address = |port: u16| format!("{host}:{port}");
    match door.port() {
        Some(port) => Ok(vec![address(port)]),
        None => {
            let others = own_ports(site, service)?.into_iter().filter(|port| port.to_string() != own_port);
            Ok(others.map(address).collect())
        }
    }
}

/// What the service's own process listens on, where it is one of this machine's and is known.
fn own_ports(site: &Site, service: &PeerName) -> Result<Vec<u16>, String> {
    match site.record() {
        Ok(record) if record.backend == BackendKind::Process => {
            let id = service_of(record, service).ok_or_else(|| format!("{service} is no service"))?;
            listening_ports(site, &id)
        }
        _ => Ok(Vec::new()),
    }
}

/// The ports of this machine that lead to a service's container from anywhere.
async fn published(site: &Site, service: &PeerName) -> Result<Vec<String>, String> {
    let record = site.record()?;
    let id = service_of(record, service).ok_or_else(|| format!("{service} is no service"))?;
    let known = record.services.iter().find(|service| service.id == id);
    let container = &known.ok_or_else(|| format!("{id} is no service here"))?.handle;
    let engine = Engine::connect().await.map_err(|error| error.to_string())?;
    let ports = engine.published(container).await?;
    Ok(ports.iter().map(ToString::to_string).collect())
}

/// The TCP ports that a process of this machine listens on, as the kernel tells.
fn listening_ports(site: &Site, id: &ServiceId) -> Result<Vec<u16>, String> {
    let known = site.record()?.services.iter().find(|service| service.id == *id);
    let pid = &known.ok_or_else(|| format!("{id} is no service here"))?.handle;
    let failed = |what: &str, error: std::io::Error| format!("{what} of process {pid}: {error}");
    let mut sockets = Vec::new();
    let files =
        std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(|error| failed("the open files", error))?;
    for file in files.flatten() {
        if let Ok(target) = std::fs::read_link(file.path())
            && let Some(inode) = target.to_str().and_then(|text| text.strip_prefix("socket:["))
        {
            sockets.push(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let unreadable = |error| failed("the sockets", error);
        let table = File::open(format!("/proc/{pid}/net/{table}")).map_err(unreadable)?;
        for line in BufReader::new(table).lines().skip(1) {
            let line = line.map_err(unreadable)?;
            // Listening sockets come first (proc_net_tcp.rst), and the kernel writes each line only when it is read: thousands
            // of connections that were closed a moment ago come after them.
            if !is_listening(&line) {
                break;
            }
            ports.extend(port_of(&line, &sockets));
        }
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// Whether a line of `/proc/net/tcp` (proc(5)) is a listening socket's (state 0A).
fn is_listening(line: &str) -> bool {
    line.split_whitespace().nth(3) == Some("0A")
}

/// The local port of a line of `/proc/net/tcp`, when its socket is one of these.
fn port_of(line: &str, sockets: &[String]) -> Option<u16> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, inode) = (fields.get(1)?, fields.get(9)?);
    let is_one = sockets.iter().any(|socket| socket == inode);
    if is_one { u16::from_str_radix(local.rsplit(':').next()?, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_of_the_process_count() {
        let line = |state: &str, inode: &str| {
            format!(
                "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 \
                 {inode} 1 0000000000000000 100 0 0 10 0"
            )
        };
        let sockets = ["4711".to_owned()];
        assert!(is_listening(&line("0A", "4711")));
        assert!(!is_listening(&line("01", "4711")) && !is_listening(""));
        assert_eq!(port_of(&line("0A", "4711"), &sockets), Some(8080));
        assert_eq!(port_of(&line("0A", "4712"), &sockets), None);
        assert_eq!(port_of("", &sockets), None);
    }
}
