//! `shell`: a login shell in a running container.

use std::io::IsTerminal;

use clap::Args;

use super::complete;
use super::exec::{join_and_attend, with_our_value};
use super::failure::Failure;
use super::plan::name;
use super::privilege::{is_root, machinectl_in_system};
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::Request;
use crate::machine::Descriptors;

/// bash where the container has it: the container's own shell is the only thing that can be relied on to look.
pub const LOGIN_SHELL: &str = "if command -v bash >/dev/null; then exec bash -l; else exec sh -l; fi";

/// Open a login shell in a running container
#[derive(Debug, Args)]
pub struct Shell {
    /// Set a variable; NAME alone takes ours
    #[arg(short = 'E', long, value_name = "NAME[=VALUE]")]
    setenv: Vec<String>,
    /// Open it as this user of the container
    #[arg(long, value_name = "USER[:GROUP]")]
    uid: Option<String>,
    /// Accepted for symmetry with machinectl: there is nothing to be silent about
    #[arg(short, long, hide = true)]
    quiet: bool,
    /// A container's name, or USER@NAME
    #[arg(add = complete::running())]
    name: String,
    /// A program to run in place of the shell
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

impl Shell {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let (user, name) = self.target(scope)?;
        if !is_root() {
            let user = self.uid.or(user).map(|user| format!("--uid={user}"));
            let variables = self.setenv.iter().map(|variable| format!("--setenv={variable}"));
            let options: Vec<String> = user.into_iter().chain(variables).collect();
            // machined takes an absolute path alone.
            let finder = (!self.program.is_empty()).then(|| "/usr/bin/env".to_owned());
            let words: Vec<String> = std::iter::once(name.machine()).chain(finder).chain(self.program).collect();
            return Err(machinectl_in_system(scope, &name, "shell", &options, &words));
        }
        let mut environment: Vec<String> =
            ["TERM", "COLORTERM", "NO_COLOR"].iter().map(|name| (*name).to_owned()).collect();
        environment.extend(self.setenv);
        let command = match self.program.is_empty() {
            true => ["sh", "-c", LOGIN_SHELL].map(str::to_owned).to_vec(),
            false => self.program,
        };
        let request = Request {
            command,
            user: self.uid.or(user).or_else(|| Some("0".to_owned())),
            environment: environment.iter().filter_map(|entry| with_our_value(entry)).collect(),
            working_directory: None,
            terminal: std::io::stdin().is_terminal(),
            interactive: true,
            descriptors: Descriptors::default(),
        };
        join_and_attend(scope, &name, request)
    }

    /// `root@web` is root in web unless there is such an instance of a template, which `--uid` can tell apart.
    fn target(&self, scope: &Scope) -> Result<(Option<String>, ContainerName), Failure> {
        // What is wrong with the command line is 125 here, as every failure of ours.
        let named = |text: &str| name(text).map_err(|failure| Failure { code: None, ..failure });
        let whole = named(&self.name);
        match (whole, self.name.rsplit_once('@')) {
            (Ok(name), _) if name.instance().is_none() || self.uid.is_some() => Ok((None, name)),
            (Ok(name), _) if crate::machine::Started::load(scope, &name).is_some() => Ok((None, name)),
            (_, Some((user, name))) => Ok((Some(user.to_owned()), named(name)?)),
            (Ok(name), None) => Ok((None, name)),
            (Err(failure), None) => Err(failure),
        }
    }
}
