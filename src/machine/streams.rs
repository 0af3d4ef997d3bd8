//! Pipes in place of our own terminal: what runs in a container is never given that, from which it could read what is typed
//! long after it was called. What is no terminal it is given as it is.

use std::io::{self, IsTerminal};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::attend::Relay;

/// Standard input, output and error, where they are other than ours.
pub type Descriptors = [Option<OwnedFd>; 3];

/// Our ends of the pipes.
#[derive(Default)]
pub struct Streams {
    input: Option<OwnedFd>,
    /// Typed, but not yet taken.
    pending: Vec<u8>,
    outputs: Vec<(OwnedFd, BorrowedFd<'static>)>,
}

impl Streams {
    /// And theirs. Standard input only where it is asked for.
    pub fn open(interactive: bool) -> io::Result<(Streams, Descriptors)> {
        let (mut streams, mut theirs) = (Streams::default(), Descriptors::default());
        if interactive && io::stdin().is_terminal() {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            fcntl_setfl(&write, OFlags::NONBLOCK)?;
            (streams.input, theirs[0]) = (Some(write), Some(read));
        }
        let terminals = [(1, io::stdout().is_terminal()), (2, io::stderr().is_terminal())];
        for (number, _) in terminals.into_iter().filter(|(_, is)| *is) {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            fcntl_setfl(&read, OFlags::NONBLOCK)?;
            streams.outputs.push((read, if number == 1 { rustix::stdio::stdout() } else { rustix::stdio::stderr() }));
            theirs[number] = Some(write);
        }
        Ok((streams, theirs))
    }

    fn copy_input(&mut self) {
        let mut typed = [0; 4096];
        match rustix::io::read(rustix::stdio::stdin(), &mut typed) {
            Ok(length @ 1..) => self.pending.extend(&typed[..length]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Its end, which is that of theirs, too.
            _ => self.input = None,
        }
    }

    fn send_pending(&mut self) {
        let Some(input) = &self.input else { return };
        match rustix::io::write(input, &self.pending) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Nobody reads it.
            Err(_) => self.input = None,
        }
    }
}

/// Whether it may have more.
fn copy(from: &OwnedFd, to: BorrowedFd<'_>) -> io::Result<bool> {
    let mut written = [0; 16384];
    match rustix::io::read(from, &mut written) {
        Ok(0) => Ok(false),
        Ok(length) => super::console::write_all(to, &written[..length]).map(|()| true),
        Err(Errno::INTR | Errno::AGAIN) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

impl Relay for Streams {
    fn watched(&self) -> Vec<PollFd<'_>> {
        let mut watched: Vec<PollFd<'_>> =
            self.outputs.iter().map(|(from, _)| PollFd::new(from, PollFlags::IN)).collect();
        match &self.input {
            Some(input) if !self.pending.is_empty() => watched.push(PollFd::new(input, PollFlags::OUT)),
            Some(_) => watched.push(PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN)),
            None => {}
        }
        watched
    }

    fn pump(&mut self, ready: &[bool]) -> io::Result<()> {
        if ready.get(self.outputs.len()) == Some(&true) {
            match self.pending.is_empty() {
                true => self.copy_input(),
                false => self.send_pending(),
            }
        }
        let mut number = 0;
        let mut result = Ok(());
        self.outputs.retain(|(from, to)| {
            number += 1;
            if ready.get(number - 1) != Some(&true) {
                return true;
            }
            copy(from, *to).unwrap_or_else(|error| {
                result = Err(error);
                false
            })
        });
        result
    }

    /// What it had written by its end; others may have the pipe still.
    fn drain(&mut self) -> io::Result<()> {
        for (from, to) in &self.outputs {
            while poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&rustix::event::Timespec::default())) == Ok(1)
                && copy(from, *to)?
            {}
        }
        Ok(())
    }
}
