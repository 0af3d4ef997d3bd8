//! Which descriptors a process has when it becomes the payload.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::check;

/// Marks every descriptor from `first` on close-on-exec (close_range(2), kernel 5.11).
pub fn close_on_exec_from(first: RawFd) -> Result<(), Errno> {
    // SAFETY: only sets a flag on descriptors; nothing is closed before execve.
    check(unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_uint)
    })
    .map(drop)
}

/// Closes every descriptor from `first` on.
///
/// Whoever owns one of them must never use or drop it.
pub fn close_from(first: RawFd) -> Result<(), Errno> {
    // SAFETY: the doc's demand; no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// Puts `from` at the number `to`, which stays open over execve. Whatever was there is closed.
pub fn place(from: BorrowedFd<'_>, to: RawFd) -> Result<(), Errno> {
    if from.as_raw_fd() == to {
        // SAFETY: clears the close-on-exec flag of a descriptor borrowed by the caller.
        return check(unsafe { libc::fcntl(to, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: the caller gives up the number `to`; owners of it must not be used afterwards, and the only callers
    // are on their way into execve.
    check(unsafe { libc::dup2(from.as_raw_fd(), to) }.into()).map(drop)
}

/// Takes over a descriptor that this process was started with, such as one of `LISTEN_FDS`.
///
/// Call once a number: two owners would close each other's.
pub fn adopt(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD only asks whether the number is open.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, was inherited and is adopted once, as the doc demands.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(fd)
}

/// execveat(2) of the open file itself. Returns only with the reason it failed.
pub fn execute(file: BorrowedFd<'_>, argv: &[&CStr], environment: &[&CStr]) -> Errno {
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: both arrays end with a null pointer and their strings outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    check(result).err().unwrap_or(Errno::IO)
}

fn pointers(strings: &[&CStr]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// execve(2). Returns only with the reason it failed.
pub fn execute_path(path: &CStr, argv: &[&CStr], environment: &[&CStr]) -> Errno {
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: both arrays end with a null pointer and their strings outlive the call.
    let result = unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    check(result.into()).err().unwrap_or(Errno::IO)
}

/// execvpe(3): execve(2) of a program looked for in this process's PATH. Returns only with the reason it failed.
pub fn execute_found(argv: &[&CStr], environment: &[&CStr]) -> Errno {
    let Some(program) = argv.first() else { return Errno::INVAL };
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: both arrays end with a null pointer and their strings outlive the call.
    let result = unsafe { libc::execvpe(program.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    check(result.into()).err().unwrap_or(Errno::IO)
}
