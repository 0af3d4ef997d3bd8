//! netdevice(7): the flags of a network interface.

use std::os::fd::RawFd;

use rustix::io::Errno;

use super::check;

/// Sets `IFF_UP`, in the network namespace of `socket`.
pub fn set_up(socket: RawFd, name: &str) -> Result<(), Errno> {
    // SAFETY: an all-zero ifreq is valid: a name of no length and no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(Errno::INVAL);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: both requests read and write one ifreq, which lives through the calls.
    unsafe {
        check(libc::ioctl(socket, libc::SIOCGIFFLAGS as _, &raw mut request).into())?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        check(libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request).into()).map(drop)
    }
}
