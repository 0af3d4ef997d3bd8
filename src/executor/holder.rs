//! `berth-console@.service`: who holds a container's terminal while it runs, one small process each. It keeps what was
//! written last, and sends it, with all that follows, to everyone who sits down; what they type goes to the terminal
//! without us, and one that goes away takes nothing along.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, accept_with, recv, send,
    sendmsg, shutdown,
};

use super::channel::{Channel, Message};
use super::console::{ASKED, CONTROLLER, LEADER, SEAT, TERMINAL};
use super::error::{AtStep, Context, Error, StepError};
use super::holder_log::Log;
use crate::sys::descriptors::adopt;

/// How much of what was written last is kept for those who sit down later.
const KEPT: usize = 16 << 10;

/// What may wait for somebody who does not read, before the container's processes have to wait, too.
const WAITING: usize = 256 << 10;

/// How long they wait for one who takes nothing at all.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn hold() -> Result<(), Error> {
    let step = "take over the terminal";
    let executor =
        Channel::over(adopt(3).ok_or(StepError::Missing("connection: this is for systemd to start")).at(step)?);
    let mut log = None;
    let handles = loop {
        match executor.receive().call(|| "recvmsg").at(step)? {
            Some(Message::Log { name, unit }) => log = Log::open(&name, &unit).ok(),
            Some(Message::Handles(handles)) => break handles,
            _ => return Ok(()),
        }
    };
    drop(executor);
    let mut known: [Option<OwnedFd>; SEAT + 1] = Default::default();
    for (number, handle) in handles {
        if let Some(place) = known.get_mut(number) {
            *place = Some(handle);
        }
    }
    let mut take = |number: usize| known[number].take();
    let (Some(controller), Some(terminal), Some(asked), Some(leader)) =
        (take(CONTROLLER), take(TERMINAL), take(ASKED), take(LEADER))
    else {
        return Err(StepError::Missing("descriptor of the terminal")).at(step);
    };
    fcntl_setfl(&controller, OFlags::RDWR | OFlags::NONBLOCK).call(|| "fcntl(F_SETFL)").at(step)?;
    let mut holder = Holder {
        controller,
        _terminal: terminal,
        asked,
        log,
        recent: VecDeque::with_capacity(KEPT),
        seats: Vec::new(),
    };
    if let Some(seat) = take(SEAT) {
        holder.seat(seat);
    }
    holder.until_over(&leader).call(|| "poll").at("hold the terminal")
}

struct Holder {
    controller: OwnedFd,
    /// While somebody has it open it does not hang up, and drops nothing.
    _terminal: OwnedFd,
    asked: OwnedFd,
    log: Option<Log>,
    recent: VecDeque<u8>,
    seats: Vec<Seat>,
}

struct Seat {
    socket: OwnedFd,
    /// Still to be sent.
    waiting: VecDeque<u8>,
    /// Since when nothing of it could be.
    since: Instant,
}

impl Holder {
    fn until_over(&mut self, leader: &OwnedFd) -> Result<(), Errno> {
        let mut over = false;
        loop {
            if over && self.seats.iter().all(|seat| seat.waiting.is_empty()) {
                // systemd may have the other end of one, too, and would keep it open.
                for seat in &self.seats {
                    let _ = shutdown(&seat.socket, Shutdown::Write);
                }
                return Ok(());
            }
            let (readable, ended) = self.wait(if over { None } else { Some(leader.as_fd()) })?;
            if readable[0] {
                self.accept();
            }
            if readable[1] || ended {
                self.copy();
            }
            if ended {
                // Nobody writes any more.
                while self.copy() {}
                over = true;
            }
            let mut place = 2;
            self.seats.retain_mut(|seat| {
                place += 1;
                // One that sat down just now has not been looked at.
                let close = readable.get(place - 1) == Some(&true) && seat.is_gone();
                !close && seat.send_waiting()
            });
        }
    }

    /// What can be read from, the seats last, and whether the leader has ended.
    fn wait(&self, leader: Option<BorrowedFd<'_>>) -> Result<(Vec<bool>, bool), Errno> {
        let full = self.seats.iter().any(|seat| seat.waiting.len() > WAITING);
        let of_terminal = if full || leader.is_none() { PollFlags::empty() } else { PollFlags::IN };
        let mut watched = vec![PollFd::new(&self.asked, PollFlags::IN), PollFd::new(&self.controller, of_terminal)];
        watched.extend(self.seats.iter().map(|seat| {
            let sends = if seat.waiting.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            PollFd::new(&seat.socket, PollFlags::IN | sends)
        }));
        watched.extend(leader.map(|leader| PollFd::from_borrowed_fd(leader, PollFlags::IN)));
        let last = watched.len() - 1;
        let blocked = self.seats.iter().filter(|seat| !seat.waiting.is_empty());
        let limit = blocked.map(|seat| PATIENCE.saturating_sub(seat.since.elapsed()) + Duration::from_millis(1)).min();
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut watched, limit.as_ref()) {
            Err(Errno::INTR) => return Ok((vec![false; watched.len()], false)),
            other => other?,
        };
        let is_readable = |fd: &PollFd<'_>| fd.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let ended = leader.is_some() && is_readable(&watched[last]);
        Ok((watched.iter().map(is_readable).collect(), ended))
    }

    fn accept(&mut self) {
        // It may have gone away again.
        if let Ok(socket) = accept_with(&self.asked, SocketFlags::CLOEXEC) {
            self.seat(socket);
        }
    }

    /// With what was written last, from the beginning of a line where there was more.
    fn seat(&mut self, socket: OwnedFd) {
        let cut = if self.recent.len() < KEPT { 0 } else { line(&self.recent) };
        let waiting: VecDeque<u8> = self.recent.range(cut..).copied().collect();
        let length = (waiting.len() as u32).to_ne_bytes();
        let _ = fcntl_setfl(&socket, OFlags::RDWR | OFlags::NONBLOCK);
        let handles = [self.controller.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let greeted = control.push(SendAncillaryMessage::ScmRights(&handles))
            && sendmsg(&socket, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL) == Ok(length.len());
        if greeted {
            self.seats.push(Seat { socket, waiting, since: Instant::now() });
        }
    }

    /// Whether there was anything.
    fn copy(&mut self) -> bool {
        let mut written = [0; 16384];
        let written = match rustix::io::read(&self.controller, &mut written) {
            Ok(length @ 1..) => &written[..length],
            Err(Errno::INTR) => return true,
            _ => return false,
        };
        if let Some(log) = &mut self.log {
            log.write(written);
        }
        self.recent.extend(written);
        let older = self.recent.len().saturating_sub(KEPT);
        self.recent.drain(..older);
        for seat in &mut self.seats {
            if seat.waiting.is_empty() {
                seat.since = Instant::now();
            }
            seat.waiting.extend(written);
        }
        true
    }
}

impl Seat {
    fn is_gone(&self) -> bool {
        matches!(recv(&self.socket, &mut [0u8; 64], RecvFlags::DONTWAIT), Ok((_, 0)) | Err(Errno::CONNRESET))
    }

    /// Whether it is still somebody's.
    fn send_waiting(&mut self) -> bool {
        while !self.waiting.is_empty() {
            match send(&self.socket, self.waiting.as_slices().0, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(length) => {
                    self.waiting.drain(..length);
                    self.since = Instant::now();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return self.since.elapsed() < PATIENCE,
                Err(_) => return false,
            }
        }
        true
    }
}

/// Where the first whole line begins.
fn line(text: &VecDeque<u8>) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
