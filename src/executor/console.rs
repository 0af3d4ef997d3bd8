//! The container's terminal: the one on our standard input, or a new one that `berth-console@.service` holds from here on
//! (`holder`), so that it is there while nobody sits at it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, isatty, tcsetwinsize};

use super::channel::{Channel, Message};
use super::error::{Context, StepError};
use super::start::Kind;
use crate::plan::{Plan, Step};

/// `berth-console.socket`.
const HOLDER: &str = "/run/berth/console";

/// Set where standard input is the seat of somebody who is there from the beginning: rows and columns of its terminal.
pub const SEATED: &str = "BERTH_SEATED";

/// In the container's state directory: where those who want to sit at its terminal ask.
const ASK: &str = "console";

/// Until somebody sits at it.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// What its holder is sent, by the numbers of the descriptors.
pub const CONTROLLER: usize = 0;
pub const TERMINAL: usize = 1;
pub const ASKED: usize = 2;
pub const LEADER: usize = 3;
/// Somebody who sits at it from the beginning.
pub const SEAT: usize = 4;

pub struct Console {
    pub terminal: OwnedFd,
    new: Option<New>,
}

/// What a terminal that was made for the container has besides.
struct New {
    controller: OwnedFd,
    asked: OwnedFd,
    holder: Channel,
    seat: Option<OwnedFd>,
}

impl Console {
    /// `None` where the plan wants none. A booted system does without where nobody holds it.
    pub fn open(plan: &Plan, state: &Path, kind: Kind) -> Result<Option<Console>, StepError> {
        if !plan.steps.contains(&Step::Console) {
            return Ok(None);
        }
        let booted = plan.booted.is_some();
        let input = rustix::stdio::stdin();
        if !booted && isatty(input) {
            // systemd makes a terminal on standard input that of our session; the payload's session is to have it.
            crate::sys::terminal::give_up(input).call(|| "ioctl(TIOCNOTTY)")?;
            let terminal = input.try_clone_to_owned().call(|| "dup of the terminal")?;
            return Ok(Some(Console { terminal, new: None }));
        }
        if kind == Kind::Bare {
            return if booted { Ok(None) } else { Err(StepError::NoTerminal) };
        }
        match holder() {
            Err(Errno::NOENT | Errno::CONNREFUSED) if booted => Ok(None),
            Err(errno) => Err(StepError::NoHolder(errno)),
            Ok(holder) => Console::make(state, holder).map(Some),
        }
    }

    fn make(state: &Path, holder: Channel) -> Result<Console, StepError> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = openpt(flags).call(|| "open(/dev/ptmx)")?;
        unlockpt(&controller).call(|| "ioctl(TIOCSPTLCK)")?;
        let terminal = ioctl_tiocgptpeer(&controller, flags).call(|| "ioctl(TIOCGPTPEER)")?;
        let seated = std::env::var(SEATED).ok();
        let size = seated.as_deref().and_then(size).unwrap_or(SIZE);
        tcsetwinsize(&controller, size).call(|| "ioctl(TIOCSWINSZ)")?;
        let seat = seated.map(|_| rustix::stdio::stdin().try_clone_to_owned());
        let seat = seat.transpose().call(|| "dup of standard input")?;
        Ok(Console { terminal, new: Some(New { controller, asked: asked(state)?, holder, seat }) })
    }

    /// Gives it to its holder, which has it until the leader's end. What nobody will have seen is logged.
    pub fn entrust(&self, leader: &OwnedFd, plan: &Plan) -> Result<(), StepError> {
        let Some(New { controller, asked, holder, seat }) = &self.new else { return Ok(()) };
        let mut all = vec![
            (CONTROLLER, controller.as_fd()),
            (TERMINAL, self.terminal.as_fd()),
            (ASKED, asked.as_fd()),
            (LEADER, leader.as_fd()),
        ];
        all.extend(seat.as_ref().map(|seat| (SEAT, seat.as_fd())));
        let describe = || "sendmsg to berth-console@.service";
        // A system has a log of its own.
        if seat.is_none() && plan.booted.is_none() {
            let log = Message::Log { name: plan.name.machine(), unit: super::own_unit().unwrap_or_default() };
            holder.send(&log).call(describe)?;
        }
        holder.send_handles(&all).call(describe)
    }
}

/// What [`SEATED`] says.
fn size(seated: &str) -> Option<Winsize> {
    let (rows, columns) = seated.split_once(' ')?;
    Some(Winsize { ws_row: rows.parse().ok()?, ws_col: columns.parse().ok()?, ..SIZE })
}

fn holder() -> Result<Channel, Errno> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new(HOLDER)?)?;
    Ok(Channel::over(socket))
}

/// Only root may connect to it.
fn asked(state: &Path) -> Result<OwnedFd, StepError> {
    let describe = || format!("bind({}/{ASK})", state.display());
    let socket = stream().call(|| "socket")?;
    match std::fs::remove_file(state.join(ASK)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).call(describe),
        _ => {}
    }
    let (address, _directory) = address(state).call(describe)?;
    bind(&socket, &address).call(describe)?;
    rustix::fs::chmod(state.join(ASK), Mode::from_raw_mode(0o600)).call(describe)?;
    listen(&socket, 16).call(describe)?;
    Ok(socket)
}

/// A seat at the terminal of the container with that state directory: what `machine::Console` sits down on.
pub fn sit_down(state: &Path) -> Result<OwnedFd, Errno> {
    let socket = stream()?;
    let (address, _directory) = address(state)?;
    connect(&socket, &address)?;
    Ok(socket)
}

fn stream() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// By way of the open directory: the whole path may be longer than an address.
fn address(state: &Path) -> Result<(SocketAddrUnix, OwnedFd), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(state, flags, Mode::empty())?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{ASK}", directory.as_raw_fd()))?;
    Ok((address, directory))
}
