//! Files and trees into a running container and out of it: `berthctl copy-to` and `copy-from`.
//!
//! Two processes, one on the host and one that sees the container's files as the container's root does: the one reads and
//! says what there is, the other writes it down. So every owner is translated by the kernel, and a link or a mount of the
//! container's leads nowhere where its own root could not go. The writing side is always a child of ours that no signal
//! from the terminal reaches: when we end, it takes away what is not whole.

mod content;
mod entry;
mod error;
mod receive;
mod removal;
mod send;

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, WaitOptions, getrlimit, setrlimit, waitpid};

use super::channel::Channel;
use super::error::{AtStep, Context, StepError};
use super::leader::Leader;
use crate::Scope;
use crate::config::ContainerName;
use crate::sys::clone::{Clone, Cloned, clone, exit_now};
use entry::Entry;
use receive::{Destination, Receiver};
use send::Sender;

pub use error::CopyError;

/// A tree that is deeper was not made to be copied.
const MAX_DEPTH: usize = 400;

/// What a container's files may become on the host: none that lends its owner's rights to whoever runs it.
const ON_THE_HOST: u32 = 0o777;
const IN_THE_CONTAINER: u32 = 0o7777;

/// One end of a copy that is on the host.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    Path(&'a Path),
    /// Standard input or output.
    Stream,
}

/// This process's descriptors by number, seen from whatever mount namespace it is in.
struct Descriptors(OwnedFd);

impl Descriptors {
    fn open() -> Result<Descriptors, StepError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Descriptors(open("/proc/self/fd", flags, Mode::empty()).call(|| "open(/proc/self/fd)")?))
    }

    fn directory(&self) -> &OwnedFd {
        &self.0
    }
}

pub fn copy_to(
    scope: &Scope,
    name: &ContainerName,
    source: Place<'_>,
    target: &Path,
    force: bool,
) -> Result<(), CopyError> {
    let leader = Leader::find(scope, name)?;
    // Before anything is made, so that a mistake is told of by its name.
    let opened = match source {
        Place::Path(path) => Some((
            path,
            on_the_host(path, OFlags::PATH | OFlags::NOFOLLOW).call(|| format!("open({})", path.display()))?,
        )),
        Place::Stream => None,
    };
    let (channel, child) = receiving(|channel| {
        let descriptors = Descriptors::open()?;
        let root = leader.visit()?;
        let destination = Destination::find(target, |path, flags| root.open(path, flags))?;
        Receiver::new(channel, descriptors, force, IN_THE_CONTAINER).receive(destination)
    })?;
    let mut sender = Sender::new(&channel, Descriptors::open()?);
    let sent = match opened {
        Some((path, opened)) => sender.send(path, opened),
        None => sender.send_input(),
    };
    finish(channel, child, sent)
}

pub fn copy_from(
    scope: &Scope,
    name: &ContainerName,
    source: &Path,
    target: Place<'_>,
    force: bool,
) -> Result<(), CopyError> {
    let leader = Leader::find(scope, name)?;
    let Place::Path(target) = target else { return print(&leader, source) };
    let (channel, child) = receiving(|channel| {
        let destination = Destination::find(target, on_the_host)?;
        Receiver::new(channel, Descriptors::open()?, force, ON_THE_HOST).receive(destination)
    })?;
    let sent = Descriptors::open().map_err(CopyError::from).and_then(|descriptors| {
        let root = leader.visit()?;
        let opened = root.open(source, OFlags::PATH | OFlags::NOFOLLOW);
        let opened = opened.call(|| format!("open({})", source.display()))?;
        Sender::new(&channel, descriptors).send(source, opened)
    });
    finish(channel, child, sent)
}

/// One file, links followed inside the container.
fn print(leader: &Leader, source: &Path) -> Result<(), CopyError> {
    let descriptors = Descriptors::open()?;
    let root = leader.visit()?;
    let found = root.open(source, OFlags::PATH).call(|| format!("open({})", source.display()))?;
    let kind = FileType::from_raw_mode(fstat(&found).call(|| format!("stat({})", source.display()))?.st_mode);
    if kind != FileType::RegularFile {
        let path = source.display().to_string();
        return Err(CopyError::NotPrinted { path, kind: send::kind(kind) });
    }
    let content = send::reopen(&descriptors, &found, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY);
    let content = content.call(|| format!("open({})", source.display()))?;
    let mut out = std::io::stdout().lock();
    std::io::copy(&mut File::from(content), &mut out).and_then(|_| out.flush()).call(|| "write to standard output")?;
    Ok(())
}

fn on_the_host(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
}

/// A child that writes, and what it is told by.
fn receiving(receive: impl FnOnce(&Channel) -> Result<(), CopyError>) -> Result<(Channel, Pid), CopyError> {
    let limit = getrlimit(Resource::Nofile);
    // Some for each directory of the way down. That of who called us is enough for most.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let (ours, theirs) = Channel::pair().call(|| "socketpair")?;
    match clone(&Clone::default()).call(|| "clone3").at("copy")? {
        Cloned::Parent { child, .. } => Ok((ours, child)),
        Cloned::Child => {
            drop(ours);
            let received = crate::sys::signal::hold_every()
                .call(|| "sigprocmask")
                .map_err(CopyError::from)
                .and_then(|()| receive(&theirs));
            let said: Entry<OwnedFd> = match received {
                Ok(()) => Entry::Done,
                Err(error) => Entry::Failed(error.to_string()),
            };
            // Without a reader there is nobody to tell.
            let _ = said.send(&theirs);
            exit_now(0)
        }
    }
}

/// What the writing side made of it, once it is over.
fn finish(channel: Channel, child: Pid, sent: Result<(), CopyError>) -> Result<(), CopyError> {
    if let Err(error) = &sent {
        // Where it has failed itself it is gone, and its own words count.
        let _ = Entry::<OwnedFd>::Failed(error.to_string()).send(&channel);
    }
    let answer = match Entry::receive(&channel) {
        // Told first that it is gone with something unread (ECONNRESET), and then what it had said.
        Ok(None) => Entry::receive(&channel),
        other => other,
    };
    drop(channel);
    let _ = waitpid(Some(child), WaitOptions::empty());
    match (sent, answer) {
        (Err(CopyError::CutOff) | Ok(()), Ok(Some(Entry::Failed(text)))) => Err(CopyError::Receiver(text)),
        (Ok(()), Ok(Some(Entry::Done))) => Ok(()),
        (Ok(()), _) => Err(CopyError::CutOff),
        (Err(error), _) => Err(error),
    }
}
