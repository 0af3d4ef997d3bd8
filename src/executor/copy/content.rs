//! The bytes of one file, and what is said of it, into another.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::entry::Attributes;

/// Whoever has no number on the side that writes (user_namespaces(7)).
const NOBODY: u32 = 65534;

/// Attributes that mean the same on both sides: no labels, no capabilities, no lists with numbers of users.
const COPIED: &[u8] = b"user.";

/// As much as the kernel takes for one of them, or for all their names (xattr(7)).
const MOST: usize = 65_536;

/// The whole content, its holes as holes where the file system tells of them.
pub fn copy(from: &mut File, to: &mut File) -> std::io::Result<()> {
    let length = from.metadata()?.len();
    // Of a pipe, and of files that the kernel makes up as they are read.
    if length == 0 || rustix::fs::seek(&*from, rustix::fs::SeekFrom::Hole(0)).is_err() {
        return std::io::copy(from, to).map(drop);
    }
    let mut at = 0;
    loop {
        let data = match rustix::fs::seek(&*from, rustix::fs::SeekFrom::Data(at)) {
            // Nothing but a hole from here on.
            Err(Errno::NXIO) => break,
            other => other?,
        };
        at = rustix::fs::seek(&*from, rustix::fs::SeekFrom::Hole(data))?;
        from.seek(SeekFrom::Start(data))?;
        to.seek(SeekFrom::Start(data))?;
        std::io::copy(&mut std::io::Read::take(&mut *from, at - data), to)?;
    }
    let end = rustix::fs::seek(&*from, rustix::fs::SeekFrom::End(0))?;
    if to.metadata()?.len() < end { to.set_len(end) } else { Ok(()) }
}

/// Owner, mode, times and `user.*` of an open file; `kept` are the bits of the mode that are.
pub fn describe(file: BorrowedFd<'_>, named: &[Named], attributes: &Attributes, kept: u32) -> Result<(), Errno> {
    own(attributes, |uid, gid| rustix::fs::fchown(file, Some(uid), Some(gid)))?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(attributes.mode & kept))?;
    for (name, value) in named {
        match rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()) {
            // A file system without them.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            other => return other,
        }
    }
    rustix::fs::futimens(file, &times(attributes))
}

/// Gives a file its owner, who is nobody where it is none of those the user namespace has.
pub fn own(attributes: &Attributes, chown: impl Fn(Uid, Gid) -> Result<(), Errno>) -> Result<(), Errno> {
    let nobody = (NOBODY, NOBODY);
    for (uid, gid) in [(attributes.uid, attributes.gid), (attributes.uid, NOBODY), (NOBODY, attributes.gid), nobody] {
        match chown(Uid::from_raw(uid), Gid::from_raw(gid)) {
            Err(Errno::INVAL) => {}
            other => return other,
        }
    }
    // Not even nobody is one of them: it stays its maker's.
    Ok(())
}

pub fn times(attributes: &Attributes) -> Timestamps {
    let (tv_sec, tv_nsec) = (attributes.modified.0, attributes.modified.1.into());
    let modified = Timespec { tv_sec, tv_nsec };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT }, last_modification: modified }
}

/// A name and what is said by it, of each attribute that is copied.
pub type Named = (OsString, Vec<u8>);

pub fn attributes(file: impl AsFd) -> Result<Vec<Named>, Errno> {
    let mut names = vec![0u8; MOST];
    let length = match rustix::fs::flistxattr(&file, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        other => other?,
    };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(COPIED));
    let read = |name: &[u8]| {
        let mut value = vec![0u8; MOST];
        let length = rustix::fs::fgetxattr(&file, name, &mut value[..])?;
        value.truncate(length);
        Ok((OsString::from_vec(name.to_vec()), value))
    };
    names.map(read).collect()
}
