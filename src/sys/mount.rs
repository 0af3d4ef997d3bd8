//! mount_setattr(2), kernel 5.12.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::check;

pub const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
pub const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
pub const NOATIME: u64 = libc::MOUNT_ATTR_NOATIME;
pub const NODIRATIME: u64 = libc::MOUNT_ATTR_NODIRATIME;
pub const RELATIME: u64 = libc::MOUNT_ATTR_RELATIME;
pub const STRICTATIME: u64 = libc::MOUNT_ATTR_STRICTATIME;
pub const ATIME_MASK: u64 = libc::MOUNT_ATTR__ATIME;
pub const NOSYMFOLLOW: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;
const IDMAP: u64 = libc::MOUNT_ATTR_IDMAP;

pub const PRIVATE: u64 = libc::MS_PRIVATE;
pub const SLAVE: u64 = libc::MS_SLAVE;
pub const SHARED: u64 = libc::MS_SHARED;

/// What to change of a mount.
#[derive(Default)]
pub struct Change<'a> {
    /// `MOUNT_ATTR_…` to set.
    pub set: u64,
    pub clear: u64,
    /// One of `PRIVATE`, `SLAVE`, `SHARED`, or 0 to leave it.
    pub propagation: u64,
    /// The user namespace whose map the mount takes; only before it is attached anywhere.
    pub idmap: Option<BorrowedFd<'a>>,
    pub recursive: bool,
}

/// Changes the mount that `mount` refers to: its root, by descriptor.
pub fn set_attributes(mount: BorrowedFd<'_>, change: &Change<'_>) -> Result<(), Errno> {
    let attributes = libc::mount_attr {
        attr_set: change.set | if change.idmap.is_some() { IDMAP } else { 0 },
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: change.idmap.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let recursive = if change.recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the empty path and the attributes live through the call, and the attributes' size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}
