//! Is a process of this name running: /proc is read.

use std::path::Path;

use super::{CheckError, shortened};

/// The kernel cuts the name of a process (`comm`) at this many bytes.
const COMM_BYTES: usize = 15;

/// The name of an executable, without a path.
pub(super) fn name(details: &str) -> Result<String, CheckError> {
    let allowed = |character: char| !character.is_control() && character != '/';
    if details.is_empty() || details.len() > 255 || !details.chars().all(allowed) {
        return Err(CheckError::Process(shortened(details)));
    }
    Ok(details.to_owned())
}

pub(super) async fn look(name: &str) -> Result<String, String> {
    let wanted = name.to_owned();
    // /proc is no disk, but a machine can have many thousand processes.
    let found = tokio::task::spawn_blocking(move || is_running(Path::new("/proc"), &wanted)).await;
    match found {
        Ok(Ok(true)) => Ok(format!("{name} is running")),
        Ok(Ok(false)) => Err(format!("no process {name} is running")),
        Ok(Err(error)) => Err(format!("cannot read /proc: {error}")),
        Err(error) => Err(format!("the search for {name} ended early: {error}")),
    }
}

/// Whether there is one of that name, which is where the search ends: every agent of a machine searches, and how many
/// there are in all is not one tenant's business. Those that end meanwhile are none.
fn is_running(proc: &Path, wanted: &str) -> std::io::Result<bool> {
    let entries = std::fs::read_dir(proc)?.filter_map(Result::ok);
    let is_process =
        |name: &std::ffi::OsStr| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
    let mut processes = entries.filter(|entry| is_process(&entry.file_name()));
    Ok(processes.any(|process| matches(&process.path(), wanted)))
}

fn matches(process: &Path, wanted: &str) -> bool {
    // The cheapest of a process's files decides for nearly all of them.
    let Ok(comm) = std::fs::read(process.join("comm")) else { return false };
    let cut = &wanted.as_bytes()[..wanted.len().min(COMM_BYTES)];
    if comm.strip_suffix(b"\n") != Some(cut) {
        return false;
    }
    let Ok(stat) = std::fs::read_to_string(process.join("stat")) else { return false };
    if state(&stat).is_none_or(|state| state == 'Z') {
        return false;
    }
    if wanted.len() <= COMM_BYTES {
        return true;
    }
    let command_line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let program = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
    Path::new(String::from_utf8_lossy(program).as_ref()).file_name().is_some_and(|name| name == wanted)
}

/// From `pid (comm) state …`, see proc(5); `comm` may itself have spaces and parentheses.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_state() {
        assert_eq!(state("7 (a) b) S 1 2"), Some('S'));
        assert_eq!(state("7 (agent) Z 1"), Some('Z'));
        assert_eq!(state("junk"), None);
    }

    #[tokio::test]
    async fn it_finds_this_very_process_and_no_other() {
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        let program = std::env::current_exe().unwrap();
        look(comm.trim_end()).await.unwrap();
        look(program.file_name().unwrap().to_str().unwrap()).await.unwrap();
        assert_eq!(look("no-such-process").await.unwrap_err(), "no process no-such-process is running");
    }

    #[test]
    fn a_process_that_is_dead_and_not_yet_buried_is_not_running() {
        let proc = tempfile::tempdir().unwrap();
        let add = |pid: &str, comm: &str, state: char| {
            let folder = proc.path().join(pid);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("comm"), format!("{comm}\n")).unwrap();
            std::fs::write(folder.join("stat"), format!("{pid} ({comm}) {state} 0")).unwrap();
            std::fs::write(folder.join("cmdline"), format!("/bin/{comm}-and-more\0--flag\0")).unwrap();
        };
        add("1", "agent", 'Z');
        assert!(!is_running(proc.path(), "agent").unwrap());
        add("2", "agent", 'S');
        assert!(is_running(proc.path(), "agent").unwrap());
        assert!(!is_running(proc.path(), "agent-").unwrap());
        add("3", "fifteen-letters", 'R');
        assert!(is_running(proc.path(), "fifteen-letters").unwrap());
        assert!(is_running(proc.path(), "fifteen-letters-and-more").unwrap());
        assert!(!is_running(proc.path(), "fifteen-letters-and-less").unwrap());
    }
}
