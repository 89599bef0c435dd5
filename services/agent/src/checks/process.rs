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
    let found = tokio::task::spawn_blocking(move || count(Path::new("/proc"), &wanted)).await;
    match found {
        Ok(Ok(0)) => Err(format!("no process {name} is running")),
        Ok(Ok(count)) => Ok(format!("{count} running")),
        Ok(Err(error)) => Err(format!("cannot read /proc: {error}")),
        Err(error) => Err(format!("the search for {name} ended early: {error}")),
    }
}

/// How many processes of that name there are; those that end meanwhile are none.
fn count(proc: &Path, wanted: &str) -> std::io::Result<usize> {
    let entries = std::fs::read_dir(proc)?.filter_map(Result::ok);
    let is_process =
        |name: &std::ffi::OsStr| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
    let processes = entries.filter(|entry| is_process(&entry.file_name()));
    Ok(processes.filter(|process| matches(&process.path(), wanted)).count())
}

fn matches(process: &Path, wanted: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(process.join("stat")) else { return false };
    let Some((comm, state)) = comm_and_state(&stat) else { return false };
    if state == 'Z' {
        return false;
    }
    if wanted.len() <= COMM_BYTES {
        return comm == wanted;
    }
    let command_line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let program = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
    Path::new(String::from_utf8_lossy(program).as_ref()).file_name().is_some_and(|name| name == wanted)
}

/// From `pid (comm) state …`, see proc(5); `comm` may itself have spaces and parentheses.
fn comm_and_state(stat: &str) -> Option<(&str, char)> {
    let (_, rest) = stat.split_once('(')?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    Some((comm, rest.chars().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read() {
        assert_eq!(comm_and_state("7 (a) b) S 1 2"), Some(("a) b", 'S')));
        assert_eq!(comm_and_state("7 (agent) Z 1"), Some(("agent", 'Z')));
        assert_eq!(comm_and_state("junk"), None);
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
        for (pid, state) in [("1", 'S'), ("2", 'Z')] {
            std::fs::create_dir(proc.path().join(pid)).unwrap();
            std::fs::write(proc.path().join(pid).join("stat"), format!("{pid} (agent) {state} 0")).unwrap();
        }
        assert_eq!(count(proc.path(), "agent").unwrap(), 1);
    }
}
