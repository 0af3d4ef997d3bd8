//! Which descriptors have something to do (epoll(7)), by tokens that are never used twice: what is left in a batch of
//! events of one that has just been closed is nobody's.

use std::io::Result;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

pub type Token = u64;

pub struct Poller {
    epoll: OwnedFd,
    last: Token,
    events: Vec<Event>,
}

/// What is waited for. Errors and hang-ups are told of anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Nothing,
    Reading,
    Writing,
    Both,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Interest::Nothing => EventFlags::empty(),
            Interest::Reading => EventFlags::IN,
            Interest::Writing => EventFlags::OUT,
            Interest::Both => EventFlags::IN | EventFlags::OUT,
        }
    }
}

impl Poller {
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Poller { epoll, last: 0, events: Vec::with_capacity(64) })
    }

    /// Closing the descriptor takes it away again.
    pub fn add(&mut self, descriptor: impl AsFd, interest: Interest) -> Result<Token> {
        self.last += 1;
        epoll::add(&self.epoll, descriptor, EventData::new_u64(self.last), interest.flags())?;
        Ok(self.last)
    }

    pub fn change(&self, descriptor: impl AsFd, token: Token, interest: Interest) -> Result<()> {
        Ok(epoll::modify(&self.epoll, descriptor, EventData::new_u64(token), interest.flags())?)
    }

    /// Puts the tokens of those there that are ready. False once the time is over.
    pub fn wait(&mut self, timeout: Duration, ready: &mut Vec<Token>) -> Result<bool> {
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        self.events.clear();
        let in_time = match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(count) => count > 0,
            // By a debugger, or a stop and a continuation.
            Err(Errno::INTR) => true,
            Err(error) => return Err(error.into()),
        };
        ready.clear();
        ready.extend(self.events.iter().map(|event| event.data.u64()));
        Ok(in_time)
    }
}
