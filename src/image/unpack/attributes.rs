//! Owner, mode, times and extended attributes of what was just made.

use std::os::fd::BorrowedFd;

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr,
    futimens, lsetxattr, utimensat,
};

use super::archive::Entry;
use super::error::{Call, Problem, printable};

/// What an entry says of its file, checked.
pub struct Attributes<'a> {
    uid: Uid,
    gid: Gid,
    mode: Mode,
    times: Timestamps,
    extended: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Attributes<'a> {
    pub fn of(entry: &'a Entry) -> Result<Self, Problem> {
        let mut extended = Vec::new();
        for (name, value) in &entry.attributes {
            if is_wanted(name)? {
                extended.push((&name[..], &value[..]));
            }
        }
        Ok(Attributes {
            uid: Uid::from_raw(id(entry.uid)?),
            gid: Gid::from_raw(id(entry.gid)?),
            mode: Mode::from_raw_mode(entry.mode),
            times: timestamps(entry.modified),
            extended,
        })
    }

    /// Owner first: changing it clears set-user-ID and capabilities.
    pub fn set(&self, file: BorrowedFd<'_>) -> Result<(), Problem> {
        fchown(file, Some(self.uid), Some(self.gid)).call("fchown")?;
        fchmod(file, self.mode).call("fchmod")?;
        for (name, value) in &self.extended {
            fsetxattr(file, *name, value, XattrFlags::empty()).call("fsetxattr")?;
        }
        Ok(())
    }

    pub fn set_times(&self, file: BorrowedFd<'_>) -> Result<(), Problem> {
        futimens(file, &self.times).call("futimens")
    }

    /// For what cannot be opened without consequences: links, devices, FIFOs.
    pub fn set_at(&self, parent: BorrowedFd<'_>, name: &[u8], is_link: bool) -> Result<(), Problem> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        chownat(parent, name, Some(self.uid), Some(self.gid), nofollow).call("fchownat")?;
        if !is_link {
            // Made a moment ago, in a directory nobody else can enter: it is no link.
            chmodat(parent, name, self.mode, AtFlags::empty()).call("fchmodat")?;
        }
        for (attribute, value) in &self.extended {
            let mut path = format!("/proc/self/fd/{}/", std::os::fd::AsRawFd::as_raw_fd(&parent)).into_bytes();
            path.extend_from_slice(name);
            lsetxattr(path, *attribute, value, XattrFlags::empty()).call("lsetxattr")?;
        }
        utimensat(parent, name, &self.times, nofollow).call("utimensat")
    }
}

pub fn timestamps((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
    }
}

/// All ones is “no change” to the kernel.
fn id(number: u64) -> Result<u32, Problem> {
    u32::try_from(number).ok().filter(|id| *id != u32::MAX).ok_or(Problem::Owner(number))
}

/// A layer carries data and file capabilities, not the host's labels nor what overlayfs tells itself.
fn is_wanted(name: &[u8]) -> Result<bool, Problem> {
    let refused = || Err(Problem::Attribute(printable(name)));
    match name {
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => Ok(true),
        // The label of the machine the image was built on.
        b"security.selinux" => Ok(false),
        _ if name.contains(&0) || name.starts_with(b"user.overlay.") => refused(),
        _ if name.starts_with(b"user.") => Ok(true),
        _ if [&b"security."[..], b"trusted.", b"system."].iter().any(|space| name.starts_with(space)) => refused(),
        // Another system's, such as com.apple.provenance; Linux has no place for it.
        _ => Ok(false),
    }
}
