//! A start in a scope: the caller, `berthctl run --scope`, has claimed the name, makes the scope around this process, and
//! becomes the payload's parent. The two talk over a channel that the caller hands down.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use super::channel::{Channel, Message};
use super::error::{AtStep, Context, Error, StepError};
use super::inherited::Inherited;
use super::range::Range;
use super::start::{Kind, prepare, seal_own_program, transient_sources};
use crate::Scope;
use crate::config::ContainerName;
use crate::sys::descriptors::adopt;

/// Starts the container as a child of our own parent, and leaves its locks with that one.
pub fn in_scope(scope: &Scope, name: &ContainerName, number: &str) -> Result<(), Error> {
    let step = "talk to the caller";
    // Before anything is heard of the caller: it is from here on that we may begin anew.
    let sources = transient_sources(scope, name)?;
    seal_own_program(&sources.parse()?, &None, &Inherited::default())?;
    let number = number.parse().map_err(|_| Error::Usage(format!("“{number}” is not the number of a descriptor")))?;
    let caller = Channel::over(adopt(number).ok_or(StepError::Missing("such descriptor")).at(step)?);
    match caller.receive().call(|| "recvmsg").at(step)? {
        Some(Message::SetUp) => {}
        _ => return Err(Error::Vanished),
    }
    let prepared = prepare(scope, name, &sources, None, Inherited::take(), Kind::Scope)?;
    let range = prepared.range.iter().flat_map(Range::locks);
    let locks: Vec<_> = range.chain(prepared.image_lock.iter().map(AsFd::as_fd)).map(|lock| (0, lock)).collect();
    caller.send_handles(&locks).call(|| "sendmsg").at(step)?;
    let running = Message::Running(prepared.newborn.pid.as_raw_nonzero().get());
    caller.send(&running).call(|| "sendmsg").at(step)?;
    prepared.newborn.channel.send(&Message::Run).call(|| "sendmsg").at("release the payload")?;
    if let Some(registration) = prepared.registration {
        registration.wait(&prepared.newborn.pidfd);
    }
    Ok(())
}

/// The caller's end.
pub struct Caller(Channel);

impl Caller {
    /// And the descriptor whose number is the executor's argument.
    pub fn pair() -> Result<(Caller, OwnedFd), Errno> {
        let (ours, theirs) = Channel::pair()?;
        Ok((Caller(ours), theirs.into()))
    }

    /// The executor is in its scope now.
    pub fn let_go(&self) -> Result<(), Errno> {
        self.0.send(&Message::SetUp)
    }

    /// The payload, our child, and the locks to hold until it has ended; `None` where there is to be none.
    pub fn until_running(&self) -> Result<Option<(Pid, Vec<OwnedFd>)>, Errno> {
        let mut locks = Vec::new();
        loop {
            match self.0.receive()? {
                Some(Message::Handles(handles)) => locks.extend(handles.into_iter().map(|(_, lock)| lock)),
                Some(Message::Running(number)) => return Ok(Pid::from_raw(number).map(|pid| (pid, locks))),
                _ => return Ok(None),
            }
        }
    }
}
