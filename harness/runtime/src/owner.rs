//! Who owns what an environment left on the machine: a process that can be told apart from every later one.
//!
//! A pid alone is not enough: it is reused. An owner is a pid, the moment that process started, and the place
//! where both mean something (one boot of one machine, in one pid namespace).

use std::fmt;
use std::str::FromStr;

/// A process, told apart from every other that had or will have its pid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    host: String,
    pid: u32,
    started: String,
}

/// What can be said about an owner from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The very process is running.
    Alive,
    /// It ended, or its pid belongs to a younger process.
    Dead,
    /// It ran on another machine, boot or pid namespace: nothing can be concluded.
    Unknown,
}

impl Owner {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self::of_pid(pid).unwrap_or_else(|| Self { host: host_id(), pid, started: "unknown".to_owned() })
    }

    /// The process that has this pid now, if one is running.
    pub fn of_pid(pid: u32) -> Option<Self> {
        let started = start_moment(pid)?;
        Some(Self { host: host_id(), pid, started })
    }

    /// The process id, meaningful on the owner's host only.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the process still runs.
    pub fn liveness(&self) -> Liveness {
        if self.host != host_id() {
            return Liveness::Unknown;
        }
        match start_moment(self.pid) {
            Some(started) if started == self.started => Liveness::Alive,
            _ => Liveness::Dead,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.host, self.pid, self.started)
    }
}

/// The text is not an owner as [`Owner`] prints one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an owner of the form host:pid:start")]
pub struct OwnerParseError(String);

impl FromStr for Owner {
    type Err = OwnerParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let [host, pid, started] = parts.as_slice() else {
            return Err(OwnerParseError(text.to_owned()));
        };
        let pid = pid.parse().map_err(|_| OwnerParseError(text.to_owned()))?;
        Ok(Self { host: (*host).to_owned(), pid, started: (*started).to_owned() })
    }
}

/// The boot and pid namespace on Linux (a container that shares the engine's socket has pids of its own);
/// the machine's name elsewhere.
fn host_id() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => {
            let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(12).collect();
            let namespace: String =
                namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
            format!("{boot}-{namespace}")
        }
        _ => rustix::system::uname().nodename().to_string_lossy().replace(':', "_"),
    }
}

#[cfg(target_os = "linux")]
fn start_moment(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // A zombie has ended; it only waits for its parent.
    let running = !matches!(fields.first(), Some(&"Z" | &"X"));
    running.then(|| fields.get(19).map(|ticks| (*ticks).to_owned())).flatten()
}

#[cfg(not(target_os = "linux"))]
fn start_moment(pid: u32) -> Option<String> {
    let output =
        std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join("_");
    (!text.is_empty()).then(|| text.replace(':', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_round_trips() {
        let owner = Owner::current();
        assert_eq!(owner.liveness(), Liveness::Alive);
        assert_eq!(owner.to_string().parse::<Owner>().unwrap(), owner);
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let reused = Owner { started: "1".to_owned(), ..Owner::current() };
        assert_eq!(reused.liveness(), Liveness::Dead);
    }

    #[test]
    fn an_ended_process_is_dead_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner::of_pid(child.id());
        child.wait().unwrap();
        assert!(owner.is_none_or(|owner| owner.liveness() == Liveness::Dead));
    }

    #[test]
    fn another_host_cannot_be_judged() {
        let elsewhere = Owner { host: "elsewhere-1".to_owned(), ..Owner::current() };
        assert_eq!(elsewhere.liveness(), Liveness::Unknown);
    }

    #[test]
    fn refuses_what_it_did_not_print() {
        for text in ["", "1:2", "host:pid:start", "a:1:2:3"] {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
    }
}
