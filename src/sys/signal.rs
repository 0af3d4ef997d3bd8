//! Signals as a new process should find them: nothing blocked, nothing ignored.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use super::check;

/// The kernel's sigset_t with every signal in it: libc's leaves out those it keeps for itself.
static EVERY: u64 = u64::MAX;

/// Resets every disposition to the default and unblocks every signal.
pub fn reset_all() -> Result<(), Errno> {
    // The kernel's own call, since libc's refuses the signals that libc uses; zero is the default disposition.
    let default = [0u64; 4];
    for number in 1..=64 {
        // SAFETY: the kernel reads a `struct kernel_sigaction`, at most 32 bytes; the default disposition runs no code
        // of ours. SIGKILL and SIGSTOP refuse; ignored.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
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

/// Blocks every signal there is, those of the C library too, so that each waits to be taken by [`next`].
pub fn hold_every() -> Result<(), Errno> {
    // SAFETY: the set is as large as stated and the old one is not asked for.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const EVERY,
            std::ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    })
    .map(drop)
}

/// Waits for the next of the signals held by [`hold_every`] and takes it.
pub fn next() -> Result<i32, Errno> {
    // SAFETY: the set is as large as stated; neither its details nor a time-out are asked for.
    let number = check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const EVERY,
            std::ptr::null_mut::<libc::siginfo_t>(),
            std::ptr::null::<libc::timespec>(),
            size_of::<u64>(),
        )
    })?;
    Ok(number as i32)
}

/// kill(2) of one process, for real-time signals too.
pub fn send_to(process: Pid, number: i32) -> Result<(), Errno> {
    // SAFETY: passes two integers.
    check(unsafe { libc::kill(process.as_raw_nonzero().get(), number) }.into()).map(drop)
}
