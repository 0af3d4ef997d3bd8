//! `exec`: one more process in a running container.

use std::path::PathBuf;

use clap::Args;

use super::complete;
use super::failure::Failure;
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::{Request, join};
use crate::machine::{Console, Descriptors, Relay, Signals, Started, Streams, attend, is_frozen};

/// Run a command in a running container
#[derive(Debug, Args)]
pub struct Exec {
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set a variable; NAME alone takes ours
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Run as this user of the container
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Run in this directory of the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<PathBuf>,
    #[arg(add = complete::running())]
    name: ContainerName,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Exec {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        // What is written to a terminal is for ours.
        let terminal = self.tty.then(|| "TERM".to_owned());
        let request = Request {
            command: self.command,
            user: self.user,
            environment: terminal.iter().chain(&self.env).filter_map(|entry| with_our_value(entry)).collect(),
            working_directory: self.workdir,
            terminal: self.tty,
            interactive: self.interactive,
            descriptors: Descriptors::default(),
        };
        join_and_attend(scope, &self.name, request)
    }
}

/// `NAME` becomes `NAME=value` with the value of our own environment; nothing where it has none.
pub fn with_our_value(entry: &str) -> Option<String> {
    if entry.contains('=') {
        return Some(entry.to_owned());
    }
    std::env::var(entry).ok().map(|value| format!("{entry}={value}"))
}

pub fn join_and_attend(scope: &Scope, name: &ContainerName, request: Request) -> Result<i32, Failure> {
    join_as(scope, name, request, false)
}

/// `logs_in`: on its terminal somebody is to log in.
pub fn join_as(scope: &Scope, name: &ContainerName, mut request: Request, logs_in: bool) -> Result<i32, Failure> {
    if Started::load(scope, name).is_some_and(|started| is_frozen(&started.cgroup)) {
        // What is born there would be frozen too, and we with it.
        return Err(Failure::new(format!("{name} is paused; let it run on with `berthctl resume {name}` first")));
    }
    let signals = Signals::hold()?;
    let mut streams = Streams::default();
    if !request.terminal {
        (streams, request.descriptors) = Streams::open(request.interactive)?;
    }
    let joined = join(scope, name, &request).map_err(|error| match error.exit_code() {
        code @ (126 | 127) => Failure::with_code(code, error.to_string()),
        _ => Failure::new(error.to_string()),
    })?;
    // Theirs, of which the end is to be seen.
    drop(request);
    let mut console = joined.terminal.map(if logs_in { Console::of_login } else { Console::own }).transpose()?;
    let relay: &mut dyn Relay = match &mut console {
        Some(console) => console,
        None => &mut streams,
    };
    Ok(attend(joined.pid, &joined.pidfd, Some(relay), &signals)?)
}
