//! Trees that a stranger made, removed, measured and compared: any depth, any names, links not followed.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

mod compare;

pub use compare::difference;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Below this many levels a directory is moved up and treated afresh, so that neither the stack nor the number of
/// open files depends on the tree.
const LEVELS: usize = 32;

/// Empties a directory.
pub fn remove_content(directory: BorrowedFd<'_>) -> std::io::Result<()> {
    let mut moved = 0u64;
    loop {
        remove_below(directory, directory, 0, &mut moved)?;
        if Dir::read_from(directory)?.filter_map(Result::ok).all(|entry| is_dot(entry.file_name())) {
            return Ok(());
        }
    }
}

fn remove_below(top: BorrowedFd<'_>, directory: BorrowedFd<'_>, level: usize, moved: &mut u64) -> Result<(), Errno> {
    for name in names(directory)? {
        match unlinkat(directory, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            // Linux says EISDIR, POSIX EPERM.
            Err(Errno::ISDIR | Errno::PERM) if is_directory(directory, &name) => {}
            Err(errno) => return Err(errno),
        }
        if level >= LEVELS {
            *moved += 1;
            match renameat(directory, &name, top, format!(".deep-{moved}")) {
                // A name of the tree's own, or one left by a removal that was killed.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                other => other?,
            }
            continue;
        }
        let below = open_directory(directory, &name)?;
        remove_below(top, below.as_fd(), level + 1, moved)?;
        drop(below);
        match unlinkat(directory, &name, AtFlags::REMOVEDIR) {
            // Something in it could not be moved up yet.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Bytes on the disk of a file or of a directory and everything below, each file counted once. What cannot be looked
/// at counts nothing.
pub fn disk_usage(path: &Path) -> u64 {
    let Ok(stat) = rustix::fs::lstat(path) else { return 0 };
    let mut bytes = blocks(&stat);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory
        && let Ok(directory) = open_directory(rustix::fs::CWD, path)
    {
        let mut linked = HashSet::new();
        let _ = walk(directory, &mut |_, _, stat| {
            if stat.st_nlink == 1 || is_directory_mode(stat) || linked.insert(stat.st_ino) {
                bytes += blocks(stat);
            }
            Ok(())
        });
    }
    bytes
}

/// Calls `visit` with the directory, name and status of everything below `top`, in the order of the names, whatever the
/// depth: only one directory is open at a time.
pub fn walk(
    top: OwnedFd,
    visit: &mut dyn FnMut(BorrowedFd<'_>, &CString, &Stat) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut here = top;
    let mut levels = vec![sorted_names(here.as_fd())?];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.pop() else {
            levels.pop();
            if !levels.is_empty() {
                here = open_directory(here.as_fd(), c"..")?;
            }
            continue;
        };
        let stat = statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        visit(here.as_fd(), &name, &stat)?;
        if is_directory_mode(&stat) {
            here = open_directory(here.as_fd(), &name)?;
            levels.push(sorted_names(here.as_fd())?);
        }
    }
    Ok(())
}

/// The last one first.
fn sorted_names(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = names(directory)?;
    names.sort_by(|one, other| other.cmp(one));
    Ok(names)
}

fn blocks(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

fn is_directory_mode(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn names(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !is_dot(entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn is_dot(name: &std::ffi::CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn is_directory(parent: BorrowedFd<'_>, name: &CString) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| is_directory_mode(&stat))
}

fn open_directory(parent: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_deeper_than_any_path_may_be_long_is_removed() {
        let top = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        let mut here: OwnedFd = std::fs::File::open(top.path()).unwrap().into();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&here, "directory", Mode::from_raw_mode(0o700)).unwrap();
            rustix::fs::symlinkat(outside.path(), &here, "link").unwrap();
            here = openat(&here, "directory", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        remove_content(std::fs::File::open(top.path()).unwrap().as_fd()).unwrap();
        assert_eq!(std::fs::read_dir(top.path()).unwrap().count(), 0);
        assert!(outside.path().exists());
    }
}
