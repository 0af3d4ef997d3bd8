//! Signals as a new process should find them: nothing blocked, nothing ignored.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::check;

/// Resets every disposition to the default and unblocks every signal.
pub fn reset_all() -> Result<(), Errno> {
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: the default disposition runs no code of ours. SIGKILL, SIGSTOP and libc's own refuse; ignored.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero sigset_t is the empty set on Linux, and sigemptyset makes it so anyway.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `none` is a valid sigset_t for both calls.
    check(
        unsafe {
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
        }
        .into(),
    )
    .map(drop)
}

/// A closed pipe ends a program that prints, as it does every other; Rust's runtime ignores SIGPIPE.
pub fn end_on_closed_pipe() {
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// pidfd_send_signal(2), for real-time signals too.
pub fn send(pidfd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    // SAFETY: a null siginfo means what kill(2) would send; no memory is passed.
    check(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, std::ptr::null::<libc::siginfo_t>(), 0)
    })
    .map(drop)
}
