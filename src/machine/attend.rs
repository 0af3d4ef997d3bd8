//! Standing by a process in a container: its signals, its terminal, its end.
//!
//! One loop over poll(2): signals sent to berthctl go on to the process, what is typed goes to its terminal and what
//! it writes comes back, and its exit status becomes ours.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

use super::terminal::RawTerminal;

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

/// Waits for a child of ours to end, and returns its exit status as a shell would: 128+N for signal N.
pub fn attend(pid: Pid, pidfd: &OwnedFd, terminal: Option<OwnedFd>, signals: &Signals) -> io::Result<i32> {
    attend_until(pidfd.as_fd(), &|signal| forward(pidfd, signal), terminal, None, signals)?;
    exit_status(pid)
}

/// Stands by until `over` can be read from or is closed; `forward` takes the signals sent to us. Nothing is read from
/// our input before the same is so of `listens`.
pub fn attend_until(
    over: BorrowedFd<'_>,
    forward: &dyn Fn(i32),
    terminal: Option<OwnedFd>,
    mut listens: Option<BorrowedFd<'_>>,
    signals: &Signals,
) -> io::Result<()> {
    let mut console = terminal.map(|terminal| Console::new(terminal, listens.is_none())).transpose()?;
    if let Some(console) = &console {
        console.resize();
    }
    loop {
        let mut watched = vec![
            PollFd::from_borrowed_fd(over, PollFlags::IN),
            PollFd::from_borrowed_fd(signals.0.as_fd(), PollFlags::IN),
        ];
        watched.extend(listens.map(|listens| PollFd::from_borrowed_fd(listens, PollFlags::IN)));
        let others = watched.len();
        if let Some(console) = &console {
            watched.extend(console.watched());
        }
        match poll(&mut watched, None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let ready: Vec<bool> = watched.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(watched);
        while let Some(signal) = signals.next()? {
            match (signal, &console) {
                (libc::SIGWINCH, Some(console)) => console.resize(),
                _ => forward(signal),
            }
        }
        if let Some(console) = &mut console {
            console.pump(&ready[others..])?;
        }
        if others > 2 && ready[2] {
            // Once is enough; without a terminal, too, it would be ready again and again.
            listens = None;
            if let Some(console) = &mut console {
                console.input_open = true;
            }
        }
        if ready[0] {
            return console.map_or(Ok(()), |mut console| console.drain());
        }
    }
}

fn forward(pidfd: &OwnedFd, signal: i32) {
    // It may just have ended.
    let _ = crate::sys::signal::send(pidfd.as_fd(), signal);
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

/// The controlling end of the process's terminal, between our standard input and output.
pub struct Console {
    terminal: OwnedFd,
    /// Typed, but not yet taken by the terminal.
    pending: Vec<u8>,
    input_open: bool,
    output_open: bool,
    /// Our own terminal, as long as what is typed there is for the process's.
    raw: Option<RawTerminal>,
}

impl Console {
    pub fn new(terminal: OwnedFd, input_open: bool) -> io::Result<Self> {
        let raw = RawTerminal::enter()?;
        // Never waits for a process that does not read; poll says when there is room.
        let _ = rustix::fs::fcntl_setfl(&terminal, rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::RDWR);
        Ok(Console { terminal, pending: Vec::new(), input_open, output_open: true, raw })
    }

    /// Our own terminal's size becomes the process's.
    pub fn resize(&self) {
        if let Ok(size) = rustix::termios::tcgetwinsize(rustix::stdio::stdout())
            .or_else(|_| rustix::termios::tcgetwinsize(rustix::stdio::stdin()))
        {
            let _ = rustix::termios::tcsetwinsize(&self.terminal, size);
        }
    }

    /// Its terminal first, then our input while there is room for what is typed. Nothing once no process has the
    /// terminal any more: poll would say so again and again for as long as the process goes on without.
    pub fn watched(&self) -> Vec<PollFd<'_>> {
        if !self.output_open {
            return Vec::new();
        }
        let mut events = PollFlags::IN;
        if !self.pending.is_empty() {
            events |= PollFlags::OUT;
        }
        let mut watched = vec![PollFd::new(&self.terminal, events)];
        if self.input_open && self.pending.is_empty() {
            watched.push(PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN));
        }
        watched
    }

    pub fn pump(&mut self, ready: &[bool]) -> io::Result<()> {
        if ready.get(1) == Some(&true) {
            let mut typed = [0; 4096];
            match rustix::io::read(rustix::stdio::stdin(), &mut typed) {
                // End of input is said in the terminal's own way: ^D.
                Ok(0) => {
                    self.input_open = false;
                    self.pending.push(4);
                }
                Ok(length) => self.pending.extend(&typed[..length]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => self.input_open = false,
            }
        }
        if ready.first() == Some(&true) && self.output_open {
            self.copy_output()?;
        }
        if !self.pending.is_empty() {
            match rustix::io::write(&self.terminal, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => self.pending.clear(),
            }
        }
        Ok(())
    }

    /// What is left to read after the process has ended.
    pub fn drain(&mut self) -> io::Result<()> {
        while self.output_open && self.copy_output()? {}
        Ok(())
    }

    /// Whether there was anything.
    fn copy_output(&mut self) -> io::Result<bool> {
        let mut written = [0; 16384];
        match rustix::io::read(&self.terminal, &mut written) {
            Ok(0) => self.output_open = false,
            Ok(length) => {
                write_all(rustix::stdio::stdout(), &written[..length])?;
                return Ok(true);
            }
            Err(Errno::INTR) => return Ok(true),
            Err(Errno::AGAIN) => {}
            // EIO: no process has the terminal open any more.
            Err(_) => self.output_open = false,
        }
        if !self.output_open {
            // From here on ^C is a signal again. Our end stays open: closing it would hang up on the process's session.
            self.raw = None;
        }
        Ok(false)
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    #[test]
    fn a_terminal_that_no_process_has_is_not_polled_any_more() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = openpt(flags).unwrap();
        unlockpt(&controller).unwrap();
        let terminal = ioctl_tiocgptpeer(&controller, flags).unwrap();
        let mut console = Console::new(controller, true).unwrap();
        assert!(!console.watched().is_empty());
        drop(terminal);
        console.pump(&[true]).unwrap();
        assert!(console.watched().is_empty());
    }
}
