//! Two `dev` under one name: one has it, and the other is told who.

use std::io::{BufRead, BufReader};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, NO_ENGINE, NOT_STARTED, Name, OK, command, xtask};

fn arguments<'a>(name: &'a Name, further: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["dev", "--backend", "process", "--tenants", "1", "--name", name.as_str()];
    line.extend(further);
    line
}

/// Taken down by a signal, as Ctrl-C does, whatever came out.
struct Foreground(Child);

impl Foreground {
    /// Returns when everything is ready.
    fn start(name: &Name) -> Self {
        let mut child = command(&arguments(name, &[]), &[NO_ENGINE]).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        // Reads on, so that the logs do not fill the pipe.
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.starts_with("following the logs") {
                    let _ = ready.send(());
                }
            }
        });
        let foreground = Self(child);
        is_ready.recv().unwrap();
        foreground
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).unwrap();
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::INT);
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        self.interrupt();
        let _ = self.0.wait();
    }
}

#[test]
fn beside_one_in_the_foreground() {
    let name = Name::new();
    let mut first = Foreground::start(&name);
    let pid = format!("(pid {})", first.0.id());
    let words = ["another process", &pid, "left behind: nothing", "use another --name"];
    let second = xtask(&arguments(&name, &["--detach"]), &[NO_ENGINE]);
    second.assert_refused("the second dev", NOT_STARTED, &words);
    let ended = xtask(&["status", "--name", name.as_str()], &[NO_ENGINE]);
    assert_eq!(ended.code, Some(OK), "the first one's platform is as it was: {ended:#?}");
    first.interrupt();
    assert!(first.0.wait().unwrap().success());
    name.assert_nothing_runs("the first dev");
}

#[test]
fn in_the_same_moment() {
    let name = Name::new();
    let line = arguments(&name, &["--detach"]);
    let both = [(); 2].map(|()| command(&line, &[NO_ENGINE]).spawn().unwrap());
    let ended = both.map(|child| Ended::of(child.wait_with_output().unwrap()));
    let [one, other] =
        if ended[0].code == Some(OK) { [&ended[0], &ended[1]] } else { [&ended[1], &ended[0]] };
    assert_eq!(one.code, Some(OK), "neither came up: {ended:#?}");
    assert_eq!(other.code, Some(NOT_STARTED), "{ended:#?}");
    // Whether the first was still at work or just done.
    let told = ["another process", "already up"].iter().any(|words| other.errors.contains(words));
    assert!(told && other.errors.contains("left behind: nothing"), "{ended:#?}");
    assert_eq!(name.processes().len(), 3, "nats, the poller and one agent: {:?}", name.processes());
    let ended = xtask(&["status", "--name", name.as_str()], &[NO_ENGINE]);
    assert_eq!(ended.code, Some(OK), "{ended:#?}");
}
