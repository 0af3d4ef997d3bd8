//! `copy-to` and `copy-from`: files and trees into running containers and out of them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use super::privilege::{is_root, machinectl};
use crate::Scope;
use crate::config::ContainerName;
use crate::executor::{self, Place};

/// Copy a file or a tree into a running container
///
/// Owners stay the same numbers, translated by the container's user namespace; numbers it does not have become nobody's
/// (65534). Links are copied as links, holes as holes, hard links within a tree as such, and extended attributes of the
/// kind “user.”. A tree that holds a device, a pipe or a socket is refused. Where DESTINATION is a directory, a file goes
/// into it under its own name, and a tree is merged into it. Nothing is seen under its name before all of it has been
/// copied, and nothing is left of a copy that failed.
#[derive(Debug, Args)]
pub struct CopyTo {
    /// Replace files that are there already
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
    /// On the host; “-” is standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    source: PathBuf,
    /// In the container; the same path where none is given
    destination: Option<PathBuf>,
}

/// Copy a file or a tree out of a running container
///
/// As copy-to does it, the other way. Files that lend their owner's rights to whoever runs them (setuid, setgid) lend
/// them no longer, since their owner is now one of the host's.
#[derive(Debug, Args)]
pub struct CopyFrom {
    /// Replace files that are there already
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
    /// In the container
    source: PathBuf,
    /// On the host, the same path where none is given; “-” is standard output
    #[arg(value_hint = ValueHint::AnyPath)]
    destination: Option<PathBuf>,
}

impl CopyTo {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        if !is_root() {
            return Err(by_machined("copy-to", &self.name, self.force, &self.source, self.destination.as_deref()));
        }
        let source = place(&self.source);
        let target = match (&self.destination, source) {
            (Some(target), _) => in_the_container(target),
            (None, Place::Path(path)) => std::path::absolute(path)?,
            (None, Place::Stream) => return Err(no_destination()),
        };
        executor::copy_to(scope, &self.name, source, &target, self.force)
            .map_err(|error| failure(&self.name, &error))?;
        Ok(0)
    }
}

impl CopyFrom {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        if !is_root() {
            return Err(by_machined("copy-from", &self.name, self.force, &self.source, self.destination.as_deref()));
        }
        let source = in_the_container(&self.source);
        let target = place(self.destination.as_ref().unwrap_or(&source));
        executor::copy_from(scope, &self.name, &source, target, self.force)
            .map_err(|error| failure(&self.name, &error))?;
        Ok(0)
    }
}

/// Its own copying, which asks polkit, and reads and writes the host's files as root.
fn by_machined(verb: &str, name: &ContainerName, force: bool, from: &Path, to: Option<&Path>) -> Failure {
    if [Some(from), to].contains(&Some(Path::new("-"))) {
        return Failure::new(format!("only root may do this with “-”: use `sudo berthctl {verb} …`"));
    }
    let paths = [Some(from), to].into_iter().flatten().map(|path| path.display().to_string());
    let words: Vec<String> = std::iter::once(name.machine()).chain(paths).collect();
    let options: Vec<String> = force.then(|| "--force".to_owned()).into_iter().collect();
    machinectl(verb, &options, &words)
}

fn place(path: &Path) -> Place<'_> {
    if path == Path::new("-") { Place::Stream } else { Place::Path(path) }
}

/// From its root, whatever directory its payload works in.
fn in_the_container(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

fn no_destination() -> Failure {
    Failure::with_code(super::failure::USAGE, "what comes from standard input needs a DESTINATION")
}

/// One that does not run has files too, but none that anybody sees: say what helps.
fn failure(name: &ContainerName, error: &executor::CopyError) -> Failure {
    let hint = format!("; its files are there while it runs: `berthctl start {name}`");
    Failure::new(format!("{error}{}", if error.is_not_running() { &hint } else { "" }))
}
