//! Making processes: clone3(2), for what fork(2) cannot say.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use super::check;

/// linux/sched.h; libc's constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of linux/sched.h, up to `cgroup` (kernel 5.7).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// How a new process relates to the caller.
#[derive(Default)]
pub struct Clone<'a> {
    /// `CLONE_NEW…` flags.
    pub namespaces: u64,
    /// The new process is the caller's sibling, and its parent learns of its end (`CLONE_PARENT`).
    pub sibling: bool,
    /// The cgroup v2 directory it is born in (`CLONE_INTO_CGROUP`).
    pub cgroup: Option<BorrowedFd<'a>>,
}

pub enum Cloned {
    Child,
    Parent { child: Pid, pidfd: OwnedFd },
}

/// Forks, as fork(2) does, with the relations asked for.
///
/// The caller must be single-threaded: the child continues with a copy of this process in which only the calling
/// thread exists. Every binary of berth is.
pub fn clone(how: &Clone<'_>) -> Result<Cloned, Errno> {
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs {
        flags: how.namespaces | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if how.sibling {
        // The exit signal is then the caller's own, and naming one is an error (clone(2)).
        args.flags |= libc::CLONE_PARENT as u64;
        args.exit_signal = 0;
    }
    if let Some(cgroup) = how.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the arguments live through the call and their size is given; no stack is passed and CLONE_VM is not
    // set, so the child returns here on a copy of this stack, as from fork(2).
    let child = check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) })?;
    match Pid::from_raw(child as i32) {
        None => Ok(Cloned::Child),
        // SAFETY: CLONE_PIDFD made the kernel store a new descriptor there, which nobody else owns.
        Some(child) => Ok(Cloned::Parent { child, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// fork(2): `None` in the child. For a process behind a filter, which refuses clone3.
///
/// The caller must be single-threaded, as for [`clone`].
pub fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: the only thread continues in the child, with nothing locked by another.
    let child = check(unsafe { libc::fork() }.into())?;
    Ok(Pid::from_raw(child as i32))
}

/// setns(2) on a pidfd: enters the namespaces of that process named by `CLONE_NEW…` flags, all or none.
pub fn enter(pidfd: BorrowedFd<'_>, namespaces: u64) -> Result<(), Errno> {
    // SAFETY: takes two integers; a single-threaded caller is the kernel's own demand, refused with EINVAL.
    check(unsafe { libc::syscall(libc::SYS_setns, pidfd.as_raw_fd(), namespaces as libc::c_int) }).map(drop)
}

/// unshare(2) of namespaces by their `CLONE_NEW…` flags.
pub fn unshare(namespaces: u64) -> Result<(), Errno> {
    // SAFETY: takes one integer; no CLONE_FILES or CLONE_FS is used by callers that share either.
    check(unsafe { libc::syscall(libc::SYS_unshare, namespaces as libc::c_int) }).map(drop)
}

/// Ends this process at once, without destructors or exit handlers: for a forked child.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit never returns and touches no memory of ours.
    unsafe { libc::_exit(code) }
}
