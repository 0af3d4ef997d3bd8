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

/// prlimit(2): sets a limit of `process`, by the `RLIMIT_…` number.
pub fn set_limit(process: Option<Pid>, resource: u32, soft: u64, hard: u64) -> Result<(), Errno> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let process = process.map_or(0, |pid| pid.as_raw_nonzero().get());
    // SAFETY: the new limit lives through the call and the old one is not asked for.
    check(unsafe {
        libc::syscall(libc::SYS_prlimit64, process, resource, &raw const limit, std::ptr::null_mut::<libc::rlimit64>())
    })
    .map(drop)
}

/// Sets this process's umask and returns nothing: umask(2) cannot fail.
pub fn set_umask(mask: u32) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
}
