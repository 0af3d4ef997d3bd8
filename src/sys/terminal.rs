//! The controlling terminal of a session leader.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::check;

/// Gives it up, so that another session can have it; nothing happens where it is not ours. The hang-up signal that
/// comes with it, for the foreground processes of the session, must not end ourselves.
pub fn give_up(terminal: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: neither disposition runs code of ours, and the ioctl takes no argument.
    let result = unsafe {
        let before = libc::signal(libc::SIGHUP, libc::SIG_IGN);
        let result = libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY);
        let result = check(result.into());
        libc::signal(libc::SIGHUP, before);
        result
    };
    match result {
        Err(Errno::NOTTY) => Ok(()),
        other => other.map(drop),
    }
}
