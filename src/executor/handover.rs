//! Telling systemd whose process the unit's main process is (sd_notify(3)).
//!
//! The order matters: `MAINPID=` and `READY=1`, then a barrier, and only then may the payload run. A payload that
//! ends before systemd has read `MAINPID=` would be reported as a success whatever its exit status.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use libsystemd::daemon::{NotifyState, notify, notify_with_fds};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Pid;

use super::error::{Context, StepError};
use super::inherited::OURS;

/// One line for `systemctl status`. Best effort: the journal has the whole.
pub fn status(text: &str) {
    let line = text.lines().next().unwrap_or_default();
    let _ = notify(false, &[NotifyState::Status(line.to_owned())]);
}

/// The last words of a process: until systemd has read them it must not be gone, or they are nobody's.
pub fn last_status(text: &str) {
    status(text);
    // Without a systemd to speak to there is nothing to wait for.
    let _ = barrier();
}

/// The same, and so much more time for the start: it goes on.
pub fn go_on(text: &str, limit: Option<Duration>) {
    let mut state = vec![NotifyState::Status(text.to_owned())];
    state.extend(limit.map(|limit| NotifyState::Other(format!("EXTEND_TIMEOUT_USEC={}", limit.as_micros()))));
    let _ = notify(false, &state);
}

/// What a payload says, in our words. Being ready is waited for: whoever said it may be gone before systemd looks.
pub fn pass_on(status: Option<&str>, ready: bool, alive: bool) -> Result<(), StepError> {
    let mut state: Vec<NotifyState> = status.map(|status| NotifyState::Status(status.to_owned())).into_iter().collect();
    if ready {
        state.push(NotifyState::Ready);
    }
    if alive {
        state.push(NotifyState::Watchdog);
    }
    if state.is_empty() {
        return Ok(());
    }
    send(&state, &[])?;
    if ready { barrier() } else { Ok(()) }
}

/// Has systemd hold `locks` until the unit ends, in place of those of its last start.
pub struct Locks<'a> {
    pub locks: Vec<BorrowedFd<'a>>,
    /// By the names they were stored under.
    pub replace: Vec<String>,
}

/// Makes `payload` the unit's main process and waits until systemd has taken note of it. One message: each wakes up a
/// systemd that has other things to do.
pub fn main_process(payload: Pid, ready: bool, locks: &Locks) -> Result<(), StepError> {
    for name in &locks.replace {
        send(&[NotifyState::FdstoreRemove, NotifyState::Fdname(name.clone())], &[])?;
    }
    let name = NotifyState::Fdname(format!("{OURS}{:016x}", unguessable()));
    let main = NotifyState::Other(format!("MAINPID={}", payload.as_raw_nonzero()));
    let mut state = vec![NotifyState::Fdstore, name, main, NotifyState::Status(String::new())];
    if ready {
        state.push(NotifyState::Ready);
    }
    let descriptors: Vec<i32> = locks.locks.iter().map(AsRawFd::as_raw_fd).collect();
    send(&state, &descriptors)?;
    barrier()
}

/// The hash of nothing, by a key of this process' own that the kernel's random numbers made.
fn unguessable() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
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
