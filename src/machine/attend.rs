//! Standing by a process in a container: its signals, its terminal, its end.
//!
//! One loop over poll(2): signals sent to berthctl go on to the process, what is typed goes to its terminal and what
//! it writes comes back (`console`), and its exit status becomes ours.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

/// Signals that are the process's business, not berthctl's.
const FORWARDED: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// Blocks the forwarded signals and holds them for [`attend`]. Make it before the process exists, so that none is
/// lost; a new process unblocks its own.
pub struct Signals(SignalFd);

impl Signals {
    pub fn hold() -> io::Result<Self> {
        let mut set = SigSet::empty();
        FORWARDED.iter().for_each(|signal| set.add(*signal));
        set.thread_block()?;
        Ok(Signals(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    fn next(&self) -> io::Result<Option<i32>> {
        Ok(self.0.read_signal()?.map(|info| info.ssi_signo as i32))
    }
}

/// How standing by came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attended {
    /// With what was stood by.
    Over,
    /// The user has left, or was made to.
    Left,
}

/// What is to be done after a signal that was sent to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    Stay,
    Leave,
}

/// What goes between us and the process, beside signals.
pub trait Relay {
    /// What is to be waited for.
    fn watched(&self) -> Vec<PollFd<'_>>;
    /// Carries what is there; `ready` is as what was watched.
    fn pump(&mut self, ready: &[bool]) -> io::Result<()>;
    /// What is left after the process has ended.
    fn drain(&mut self) -> io::Result<()>;
    /// For how long there may be nothing to watch.
    fn patience(&self) -> Option<Timespec> {
        None
    }
    /// Our own terminal has another size. Whether that is all that is to be done.
    fn resize(&self) -> bool {
        false
    }
    /// Whether the user has left.
    fn has_left(&self) -> bool {
        false
    }
    /// Whether nothing will come any more.
    fn is_over(&self) -> bool {
        false
    }
}

/// Waits for a child of ours to end, and returns its exit status as a shell would: 128+N for signal N. Where the user leaves
/// its terminal, that hangs up and the status is 0.
pub fn attend(pid: Pid, pidfd: &OwnedFd, relay: Option<&mut dyn Relay>, signals: &Signals) -> io::Result<i32> {
    let forward = |signal| {
        // It may just have ended.
        let _ = crate::sys::signal::send(pidfd.as_fd(), signal);
        Signalled::Stay
    };
    match attend_until(Some(pidfd.as_fd()), &forward, relay, signals)? {
        Attended::Over => exit_status(pid),
        Attended::Left => Ok(0),
    }
}

/// Stands by until `over` can be read from or is closed, or without it until nobody writes to the terminal any more;
/// `signalled` takes the signals sent to us.
pub fn attend_until(
    over: Option<BorrowedFd<'_>>,
    signalled: &dyn Fn(i32) -> Signalled,
    mut relay: Option<&mut dyn Relay>,
    signals: &Signals,
) -> io::Result<Attended> {
    loop {
        let mut watched = vec![PollFd::from_borrowed_fd(signals.0.as_fd(), PollFlags::IN)];
        watched.extend(over.map(|over| PollFd::from_borrowed_fd(over, PollFlags::IN)));
        let others = watched.len();
        if let Some(relay) = &relay {
            watched.extend(relay.watched());
        }
        let patience = relay.as_ref().and_then(|relay| relay.patience());
        match poll(&mut watched, patience.as_ref()) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let ready: Vec<bool> = watched.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(watched);
        while let Some(signal) = signals.next()? {
            match (signal, &relay) {
                (libc::SIGWINCH, Some(relay)) if relay.resize() => {}
                _ if signalled(signal) == Signalled::Leave => return Ok(Attended::Left),
                _ => {}
            }
        }
        if let Some(relay) = &mut relay {
            relay.pump(&ready[others..])?;
        }
        let left = relay.as_ref().is_some_and(|relay| relay.has_left());
        let silent = relay.as_ref().is_none_or(|relay| relay.is_over());
        match over {
            _ if left => return Ok(Attended::Left),
            Some(_) if ready[1] => {
                relay.map_or(Ok(()), |relay| relay.drain())?;
                return Ok(Attended::Over);
            }
            None if silent => return Ok(Attended::Over),
            _ => {}
        }
    }
}

fn exit_status(pid: Pid) -> io::Result<i32> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(None) => {}
            Ok(Some((_, status))) => {
                let code = status.exit_status();
                return Ok(code.or_else(|| Some(128 + status.terminating_signal()?)).unwrap_or(125));
            }
        }
    }
}
