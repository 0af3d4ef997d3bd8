//! Telling systemd whose process the unit's main process is (sd_notify(3)).
//!
//! The order matters: `MAINPID=` and `READY=1`, then a barrier, and only then may the payload run. A payload that
//! ends before systemd has read `MAINPID=` would be reported as a success whatever its exit status.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libsystemd::daemon::{NotifyState, notify, notify_with_fds};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Pid;

use super::error::{Context, StepError};

/// Keeps descriptors in the unit's store: systemd holds them until the unit ends, over restarts too.
pub fn store(name: &str, descriptor: BorrowedFd<'_>) -> Result<(), StepError> {
    let state = [NotifyState::Fdstore, NotifyState::Fdname(format!("berth-{name}"))];
    send(&state, &[descriptor.as_raw_fd()])
}

/// Takes a stored descriptor out again, before another of its name goes in.
pub fn discard(name: &str) -> Result<(), StepError> {
    send(&[NotifyState::FdstoreRemove, NotifyState::Fdname(format!("berth-{name}"))], &[])
}

/// One line for `systemctl status`. Best effort: the journal has the whole.
pub fn status(text: &str) {
    let line = text.lines().next().unwrap_or_default();
    let _ = notify(false, &[NotifyState::Status(line.to_owned())]);
}

/// Makes `payload` the unit's main process and waits until systemd has taken note of it.
pub fn main_process(payload: Pid, ready: bool) -> Result<(), StepError> {
    let mut state =
        vec![NotifyState::Other(format!("MAINPID={}", payload.as_raw_nonzero())), NotifyState::Status(String::new())];
    if ready {
        state.push(NotifyState::Ready);
    }
    send(&state, &[])?;
    barrier()
}

/// systemd closes the descriptor once it has read every earlier message (sd_notify_barrier(3)).
fn barrier() -> Result<(), StepError> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).call(|| "pipe2")?;
    send(&[NotifyState::Other("BARRIER=1".to_owned())], &[write.as_raw_fd()])?;
    drop(write);
    loop {
        match poll(&mut [PollFd::from_borrowed_fd(read.as_fd(), PollFlags::empty())], None) {
            Err(Errno::INTR) => {}
            other => return other.map(drop).call(|| "poll of the notification barrier"),
        }
    }
}

fn send(state: &[NotifyState], descriptors: &[i32]) -> Result<(), StepError> {
    match notify_with_fds(false, state, descriptors) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StepError::Missing("notification socket: NOTIFY_SOCKET is not set")),
        Err(error) => Err(StepError::Notify(error.to_string())),
    }
}
