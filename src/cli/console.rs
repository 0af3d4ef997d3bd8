//! `console`: at the terminal of a running container, for as long as one likes.

use std::io::{IsTerminal, Write};

use clap::Args;
use rustix::io::Errno;

use super::complete;
use super::failure::Failure;
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::sit_down;
use crate::machine::{Attended, Console, EndOfInput, Relay, Signalled, Signals, Started, attend_until};

/// Sit down at the terminal of a running container
///
/// A booted system has one, /dev/console, and a container with tty = true. What was written to it last is shown first. ^] typed
/// three times within a second leaves it; so does losing one's own terminal, or the end of standard input. The container
/// goes on. Several may sit there at a time; the one who came last, or has changed the size of their window, decides its size.
#[derive(Debug, Args)]
pub struct ConsoleVerb {
    /// Say nothing of coming and going
    #[arg(short, long)]
    quiet: bool,
    /// Accepted for symmetry with systemctl: nothing is paged
    #[arg(long, hide = true)]
    no_pager: bool,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
}

/// A terminal that is gone cannot be told.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl ConsoleVerb {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let name = &self.name;
        let signals = Signals::hold()?;
        if !Started::load(scope, name).is_some_and(|started| started.is_alive()) {
            return Err(Failure::new(format!("container {name} is not running")));
        }
        let socket = sit_down(&scope.container_states().join(name.as_str())).map_err(|errno| match errno {
            Errno::ACCESS | Errno::PERM => Failure::new(format!("the terminal of {name} is root's: use sudo")),
            Errno::NOENT | Errno::CONNREFUSED => {
                Failure::new(format!("{name} has no terminal: set tty = true, or use `berthctl shell {name}`"))
            }
            errno => Failure::new(format!("the terminal of {name}: {errno}")),
        })?;
        let says = !self.quiet && std::io::stdin().is_terminal();
        if says {
            eprintln!("At the terminal of {name}; ^] three times within a second leaves it.");
        }
        let mut console = Console::held(socket, EndOfInput::Leaves);
        let attended = attend_until(None, &|_| Signalled::Leave, Some(&mut console as &mut dyn Relay), &signals);
        // Our own terminal is to be as it was.
        drop(console);
        match attended? {
            Attended::Left if says => say(&format!("\nLeft {name}, which goes on.")),
            Attended::Over if says => say(&format!("\n{name} has ended.")),
            _ => {}
        }
        Ok(0)
    }
}
