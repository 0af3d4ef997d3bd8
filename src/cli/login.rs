//! `login`: the prompt of a booted system on a new terminal of its own, or a login shell where there is none.

use std::io::IsTerminal;

use clap::Args;

use super::complete;
use super::exec::{join_as, with_our_value};
use super::failure::Failure;
use super::privilege::{is_root, machinectl_in_system};
use super::shell::LOGIN_SHELL;
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::Request;
use crate::machine::{Descriptors, Started};

/// The container's own getty, as container-getty@.service of systemd has it; busybox's takes other words.
const GETTY: &str =
    "if command -v agetty >/dev/null; then exec agetty --noclear --keep-baud - 115200,38400,9600 \"$TERM\"
elif command -v getty >/dev/null; then exec getty 0 - \"$TERM\"
else exec login; fi";

/// Log in to a running container
///
/// A booted system asks for a user name and a password, as machinectl login does; of any other container it is a login shell.
/// ^] typed three times within a second ends it.
#[derive(Debug, Args)]
pub struct Login {
    /// Accepted for symmetry with machinectl: there is nothing to be silent about
    #[arg(short, long, hide = true)]
    quiet: bool,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
}

impl Login {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        if !is_root() {
            return Err(machinectl_in_system(scope, &self.name, "login", &[], &[self.name.machine()]));
        }
        let booted = Started::load(scope, &self.name).is_some_and(|started| started.machine_id.is_some());
        let script = if booted { GETTY } else { LOGIN_SHELL };
        let request = Request {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            user: Some("0".to_owned()),
            environment: std::iter::once("TERM=vt220".to_owned()).chain(with_our_value("TERM")).collect(),
            working_directory: None,
            terminal: booted || std::io::stdin().is_terminal(),
            interactive: true,
            descriptors: Descriptors::default(),
        };
        join_as(scope, &self.name, request, booted)
    }
}
