//! A terminal in a container, between our standard input and output: one whose controlling end is ours, or one that
//! `berth-console@.service` holds, which sends a copy of that end and of all that is written.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::termios::{Winsize, tcgetwinsize};

use super::attend::Relay;
use super::terminal::RawTerminal;

/// `^]`, as machinectl(1) and systemd-nspawn(1) have it: so many of them, typed within a second, leave the terminal.
const ESCAPE: u8 = 0x1d;
const ESCAPES: u32 = 3;
const WITHIN: Duration = Duration::from_secs(1);

/// How long the holder of a terminal is given for its last words.
const LAST_WORDS: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// How soon a terminal that was hung up is looked at again: poll would say all the time that it is.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What the end of our input means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfInput {
    /// It is said in the terminal's own way: ^D.
    Typed,
    /// We leave, once what was written before we came is shown.
    Leaves,
}

pub struct Console {
    /// What is typed goes there; `None` until its holder has sent it.
    terminal: Option<OwnedFd>,
    /// What is written comes from there.
    output: OwnedFd,
    held: bool,
    /// How much of what is still to come was written before we came.
    earlier: usize,
    /// Typed, but not yet taken by the terminal.
    pending: Vec<u8>,
    end_of_input: EndOfInput,
    input_open: bool,
    output_open: bool,
    /// Whether a hang-up means nothing: login(1) hangs up on whoever may have had the terminal before.
    outlives_hangup: bool,
    hung_up: bool,
    /// Our own terminal, as long as what is typed there is for the container's.
    raw: Option<RawTerminal>,
    escapes: Escapes,
    left: bool,
}

impl Console {
    /// Of a terminal whose controlling end is ours.
    pub fn own(terminal: OwnedFd) -> io::Result<Self> {
        let output = terminal.try_clone()?;
        let mut console = Console::new(output, EndOfInput::Typed);
        console.begin(terminal)?;
        Ok(console)
    }

    /// The same, of one on which somebody logs in.
    pub fn of_login(terminal: OwnedFd) -> io::Result<Self> {
        Ok(Console { outlives_hangup: true, ..Console::own(terminal)? })
    }

    /// Of one that somebody else holds, who is at the other end of this socket.
    pub fn held(socket: OwnedFd, end_of_input: EndOfInput) -> Self {
        let _ = fcntl_setfl(&socket, OFlags::NONBLOCK | OFlags::RDWR);
        Console { held: true, ..Console::new(socket, end_of_input) }
    }

    fn new(output: OwnedFd, end_of_input: EndOfInput) -> Self {
        Console {
            terminal: None,
            output,
            held: false,
            earlier: 0,
            pending: Vec::new(),
            end_of_input,
            input_open: true,
            output_open: true,
            outlives_hangup: false,
            hung_up: false,
            raw: None,
            escapes: Escapes::default(),
            left: false,
        }
    }

    fn begin(&mut self, terminal: OwnedFd) -> io::Result<()> {
        self.raw = RawTerminal::enter()?;
        // Never waits for a process that does not read; poll says when there is room.
        for descriptor in [&terminal, &self.output] {
            let _ = fcntl_setfl(descriptor, OFlags::NONBLOCK | OFlags::RDWR);
        }
        self.terminal = Some(terminal);
        self.resize();
        Ok(())
    }

    /// Whether somebody has sent us its terminal.
    pub fn was_held(&self) -> bool {
        self.terminal.is_some()
    }

    fn copy_input(&mut self) {
        let mut typed = [0; 4096];
        match rustix::io::read(rustix::stdio::stdin(), &mut typed) {
            Ok(0) => {
                self.input_open = false;
                if self.end_of_input == EndOfInput::Typed {
                    self.pending.push(4);
                }
            }
            Ok(length) => {
                let typed = &typed[..length];
                let until = self.escapes.end(typed, Instant::now());
                self.left |= until.is_some();
                self.pending.extend(&typed[..until.unwrap_or(length)]);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // A terminal that has gone away.
            Err(_) => self.input_open = false,
        }
    }

    /// Whether there was anything.
    fn copy_output(&mut self) -> io::Result<bool> {
        if self.held && self.terminal.is_none() {
            return self.be_greeted();
        }
        let mut written = [0; 16384];
        self.hung_up = false;
        match rustix::io::read(&self.output, &mut written) {
            Ok(0) => self.output_open = false,
            Ok(length) => {
                if write_all(rustix::stdio::stdout(), &written[..length]).is_err() {
                    // Nobody sees it any more: our terminal is gone, or who reads the pipe.
                    (self.left, self.output_open) = (true, false);
                    return Ok(false);
                }
                self.earlier = self.earlier.saturating_sub(length);
                return Ok(true);
            }
            Err(Errno::INTR) => return Ok(true),
            Err(Errno::AGAIN) => {}
            Err(Errno::IO) if self.outlives_hangup => self.hung_up = true,
            // EIO: no process has the terminal open any more.
            Err(_) => self.output_open = false,
        }
        if !self.output_open {
            // From here on ^C is a signal again. Our end stays open: closing it would hang up on the process's session.
            self.raw = None;
        }
        Ok(false)
    }

    fn be_greeted(&mut self) -> io::Result<bool> {
        match greeting(&self.output) {
            Ok(Some((terminal, earlier))) => {
                self.earlier = earlier;
                self.begin(terminal)?;
                Ok(true)
            }
            Ok(None) => {
                self.output_open = false;
                Ok(false)
            }
            Err(Errno::INTR) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Relay for Console {
    /// What it writes first, then its terminal while that is to take what was typed, and our input otherwise. Nothing
    /// once no process has the terminal any more: poll would say so again and again for as long as the process goes on
    /// without.
    fn watched(&self) -> Vec<PollFd<'_>> {
        if !self.output_open || self.hung_up {
            return Vec::new();
        }
        let mut watched = vec![PollFd::new(&self.output, PollFlags::IN)];
        match &self.terminal {
            Some(terminal) if !self.pending.is_empty() => watched.push(PollFd::new(terminal, PollFlags::OUT)),
            Some(_) if self.input_open => {
                watched.push(PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN));
            }
            _ => {}
        }
        watched
    }

    fn patience(&self) -> Option<Timespec> {
        self.hung_up.then_some(AGAIN)
    }

    fn pump(&mut self, ready: &[bool]) -> io::Result<()> {
        if ready.get(1) == Some(&true) && self.pending.is_empty() {
            self.copy_input();
        }
        if (ready.first() == Some(&true) || self.hung_up) && self.output_open {
            self.copy_output()?;
        }
        if let (Some(terminal), false) = (&self.terminal, self.pending.is_empty()) {
            match rustix::io::write(terminal, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => self.pending.clear(),
            }
        }
        if !self.input_open && self.end_of_input == EndOfInput::Leaves && self.earlier == 0 && self.pending.is_empty() {
            self.left = true;
        }
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        self.outlives_hangup = false;
        while self.output_open {
            let more = self.copy_output()?;
            if !more && !self.held {
                break;
            }
            // Its holder ends once it has sent everything.
            if !more
                && self.output_open
                && poll(&mut [PollFd::new(&self.output, PollFlags::IN)], Some(&LAST_WORDS)) == Ok(0)
            {
                break;
            }
        }
        Ok(())
    }

    /// Our own terminal's size becomes the container's.
    fn resize(&self) -> bool {
        let Some(terminal) = &self.terminal else { return true };
        if let Ok(size) = our_size() {
            let _ = rustix::termios::tcsetwinsize(terminal, size);
        }
        true
    }

    fn has_left(&self) -> bool {
        self.left
    }

    fn is_over(&self) -> bool {
        !self.output_open
    }
}

/// The controlling end, and how much was written before; `None` where the holder is gone, or is none.
fn greeting(socket: &OwnedFd) -> Result<Option<(OwnedFd, usize)>, Errno> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let terminal = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut handles) => handles.next(),
        _ => None,
    });
    Ok(terminal
        .filter(|_| received.bytes == length.len())
        .map(|terminal| (terminal, u32::from_ne_bytes(length) as usize)))
}

/// How many `^]` were typed one after the other, and since when.
#[derive(Default)]
struct Escapes {
    count: u32,
    since: Option<Instant>,
}

impl Escapes {
    /// Where in what was typed now they begin, if the last of them is there. Those that came earlier were typed as any other
    /// key: they may have been meant for the program.
    fn end(&mut self, typed: &[u8], now: Instant) -> Option<usize> {
        let mut begin = 0;
        for (place, byte) in typed.iter().enumerate() {
            if *byte != ESCAPE {
                self.count = 0;
                continue;
            }
            if self.count == 0 || self.since.is_none_or(|since| now.duration_since(since) > WITHIN) {
                (self.count, self.since) = (0, Some(now));
                begin = place;
            }
            self.count += 1;
            if self.count == ESCAPES {
                return Some(begin);
            }
        }
        None
    }
}

/// Of the terminal we are on.
pub fn our_size() -> rustix::io::Result<Winsize> {
    tcgetwinsize(rustix::stdio::stdout()).or_else(|_| tcgetwinsize(rustix::stdio::stdin()))
}

pub fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT)], None)?;
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
        let mut console = Console::own(controller).unwrap();
        assert!(!console.watched().is_empty());
        drop(terminal);
        console.pump(&[true]).unwrap();
        assert!(console.watched().is_empty());
    }

    #[test]
    fn three_escapes_within_a_second_end_it_wherever_they_are_cut_apart() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut escapes = Escapes::default();
        assert_eq!(escapes.end(b"ab\x1d\x1d\x1dc", at(0)), Some(2));
        let mut escapes = Escapes::default();
        assert_eq!(escapes.end(b"\x1d", at(0)), None);
        assert_eq!(escapes.end(b"\x1d", at(400)), None);
        assert_eq!(escapes.end(b"\x1d", at(900)), Some(0));
        let mut slow = Escapes::default();
        assert_eq!(slow.end(b"\x1d\x1d", at(0)), None);
        assert_eq!(slow.end(b"\x1d", at(1100)), None);
        assert_eq!(slow.end(b"\x1dx\x1d", at(1200)), None);
        assert_eq!(slow.end(b"\x1d\x1d", at(1300)), Some(0));
    }
}
