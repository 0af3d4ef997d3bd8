//! What a process may do: seccomp(2), the session keyring, resource limits of another process.

use rustix::io::Errno;
use rustix::process::Pid;

use super::check;

/// `struct sock_filter` of linux/filter.h.
const INSTRUCTION_SIZE: usize = size_of::<libc::sock_filter>();

/// Installs a compiled filter for this process; needs no-new-privileges or CAP_SYS_ADMIN.
///
/// `program` is a sequence of `struct sock_filter`, native byte order.
pub fn install_filter(program: &[u8]) -> Result<(), Errno> {
    if program.is_empty() || !program.len().is_multiple_of(INSTRUCTION_SIZE) {
        return Err(Errno::INVAL);
    }
    let instructions: Vec<libc::sock_filter> = program
        .as_chunks::<INSTRUCTION_SIZE>()
        .0
        .iter()
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let length = u16::try_from(instructions.len()).map_err(|_| Errno::TOOBIG)?;
    let filter = libc::sock_fprog { len: length, filter: instructions.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions from memory that lives through the call, and checks them.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) }).map(drop)
}

/// Leaves the caller's session keyring for a new one (keyctl(2), `KEYCTL_JOIN_SESSION_KEYRING`).
pub fn new_session_keyring() -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) })
        .map(drop)
}

/// asm-generic/resource.h
const RLIM_NLIMITS: u32 = 16;

/// A resource limit: the `RLIMIT_…` number, the soft and the hard limit.
pub type Limit = (u32, u64, u64);

/// prlimit(2): sets limits of `process`, or of this one.
pub fn set_limits(process: Option<Pid>, limits: &[Limit]) -> Result<(), Errno> {
    limits.iter().try_for_each(|(resource, soft, hard)| {
        let limit = libc::rlimit64 { rlim_cur: *soft, rlim_max: *hard };
        prlimit(process, *resource, &raw const limit, std::ptr::null_mut())
    })
}

/// Another process's limits for this one, as far as its own hard ones let them.
pub fn take_limits(theirs: &[Limit]) -> Result<(), Errno> {
    for ((resource, soft, hard), (_, _, own)) in theirs.iter().zip(limits(None)?) {
        match set_limits(None, &[(*resource, *soft, *hard)]) {
            Err(Errno::PERM) => set_limits(None, &[(*resource, own.min(*soft), own.min(*hard))])?,
            other => other?,
        }
    }
    Ok(())
}

/// prlimit(2): every limit of `process`, or of this one.
pub fn limits(process: Option<Pid>) -> Result<Vec<Limit>, Errno> {
    let get = |resource| {
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        prlimit(process, resource, std::ptr::null(), &raw mut limit)?;
        Ok((resource, limit.rlim_cur, limit.rlim_max))
    };
    (0..RLIM_NLIMITS).map(get).collect()
}

/// Each pointer is null or to a limit that lives through the call.
fn prlimit(
    process: Option<Pid>,
    resource: u32,
    new: *const libc::rlimit64,
    old: *mut libc::rlimit64,
) -> Result<(), Errno> {
    let process = process.map_or(0, |pid| pid.as_raw_nonzero().get());
    // SAFETY: the callers' pointers, above, are null or to limits of theirs.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, process, resource, new, old) }).map(drop)
}

/// Sets this process's umask and returns nothing: umask(2) cannot fail.
pub fn set_umask(mask: u32) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
}
