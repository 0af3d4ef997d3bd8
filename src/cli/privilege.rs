//! Who may do what. What systemd and machined do for us is asked of them in the caller's name, and they ask polkit; what
//! berthctl does itself it does as root, for which there is no action of polkit's.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::failure::Failure;
use crate::Scope;
use crate::config::{ContainerName, Sources};

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fails for everybody else, with what helps.
pub fn root(verb: &str) -> Result<(), Failure> {
    if is_root() {
        return Ok(());
    }
    Err(Failure::new(format!("only root may do this: use `sudo berthctl {verb} …`")))
}

/// machined's verb of the same name in place of ours, for who is not root: it asks polkit whether they may
/// (org.freedesktop.machine1.shell, .login and .manage-machines). Returns only where there is no such way, or it failed.
pub fn machinectl(verb: &str, options: &[String], words: &[String]) -> Failure {
    let mut command = Command::new("machinectl");
    command.arg(verb).args(options).arg("--").args(words);
    Failure::new(format!("machinectl: {}", command.exec()))
}

/// As [`machinectl`], for what needs a system in the container that starts it there.
pub fn machinectl_in_system(
    scope: &Scope,
    name: &ContainerName,
    verb: &str,
    options: &[String],
    words: &[String],
) -> Failure {
    let described = Sources::load(scope, name).ok().and_then(|sources| sources.parse().ok());
    match described {
        Some(container) if !container.boot => Failure::new(format!(
            "only root may do this: machined lets others into booted systems alone, which {name} is not; use `sudo \
             berthctl {verb} {name}`"
        )),
        _ => machinectl(verb, options, words),
    }
}

/// Asks on our terminal for the password that polkit wants, while it is there, as systemctl does (pkttyagent(1)).
pub struct Agent(Option<Child>);

impl Agent {
    pub fn start() -> Agent {
        use std::io::IsTerminal;
        if is_root() || !std::io::stdin().is_terminal() {
            return Agent(None);
        }
        Agent(Agent::spawn().ok())
    }

    fn spawn() -> std::io::Result<Child> {
        let (ready, notify) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut command = Command::new("pkttyagent");
        // It says on standard output that it is ready, by closing it.
        command.args(["--notify-fd=1", "--fallback"]).stdout(Stdio::from(notify));
        let child = command.spawn()?;
        drop(command);
        let _ = rustix::io::read(&ready, &mut [0; 1]);
        Ok(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It puts the terminal back as it was.
            let pid = rustix::process::Pid::from_child(child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = child.wait();
        }
    }
}
