//! Taking away a copy that did not become whole, in a directory where others may write.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::MAX_DEPTH;

/// As far as it goes: what somebody else put into it, or holds, may stay.
pub fn remove(directory: &OwnedFd, name: &OsStr) {
    below(directory, name, 0);
}

fn below(directory: &OwnedFd, name: &OsStr, depth: usize) {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) if depth <= MAX_DEPTH => {}
        _ => return,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(inner) = openat(directory, name, flags, Mode::empty()) else { return };
    let Ok(entries) = Dir::read_from(&inner) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name != c"." && name != c".." {
            below(&inner, OsStr::from_bytes(name.to_bytes()), depth + 1);
        }
    }
    let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
}
