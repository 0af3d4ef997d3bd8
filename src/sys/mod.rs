//! The only unsafe code: system calls that neither nix nor rustix has, each behind a safe function.
//!
//! Everything here returns the kernel's own error number; what was being attempted is the caller's to say.

#![allow(unsafe_code)]

pub mod clone;
pub mod datagram;
pub mod descriptors;
pub mod interface;
pub mod mount;
pub mod privilege;
pub mod share;
pub mod signal;
pub mod terminal;
pub mod writeback;

use rustix::io::Errno;

/// The result of a raw system call, with errno taken where it failed.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(Errno::from_raw_os_error(errno));
    }
    Ok(result)
}
