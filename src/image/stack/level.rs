//! One tree of a stack.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fgetxattr, fstat, openat, openat2, statat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::super::StoreError;
use super::super::error::At;
use super::super::unpack::is_opaque;
use super::found::Found;
use super::shown;

/// What overlayfs calls a whiteout that is a file, in a directory marked as having such.
const WHITEOUT: &str = "user.overlay.whiteout";
const OPAQUE: &str = "user.overlay.opaque";

/// Neither a link nor a mount on the way to a directory is one of the tree's own.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

pub struct Level {
    path: PathBuf,
    root: OwnedFd,
}

/// What a level has at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Missing,
    Directory { opaque: bool },
    Whiteout,
    Other,
}

impl Level {
    /// Without what is mounted inside the tree: a container does not see that either.
    pub fn open(path: &Path) -> Result<Level, StoreError> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let root = open_tree(CWD, path, flags).at("open", path)?;
        Ok(Level { path: path.to_owned(), root })
    }

    pub fn is_opaque(&self) -> Result<bool, StoreError> {
        Ok(self.directory(b"")?.is_some_and(|root| is_opaque(root.as_fd())))
    }

    pub fn directory(&self, path: &[u8]) -> Result<Option<OwnedFd>, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = if path.is_empty() { b"." } else { path };
        loop {
            match openat2(&self.root, name, flags, Mode::empty(), INSIDE) {
                Err(Errno::AGAIN) => {}
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                other => return other.map(Some).at("open", &shown(&self.path, path)),
            }
        }
    }

    pub fn names(&self, directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(directory).at("read", &self.path)? {
            let entry = entry.at("read", &self.path)?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name => names.push(name.to_vec()),
            }
        }
        Ok(names)
    }

    pub fn identity(&self, directory: BorrowedFd<'_>) -> Result<(u64, u64), StoreError> {
        let stat = fstat(directory).at("look at", &self.path)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    pub fn kind(&self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<Kind, StoreError> {
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(Kind::Missing),
            other => other.at("look at", &shown(&self.path, name))?,
        };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if stat.st_rdev == 0 => Kind::Whiteout,
            FileType::RegularFile if stat.st_size == 0 && has_marked_whiteouts(parent) => {
                match self.found(name, parent, name)? {
                    Some(found) if found.attribute(WHITEOUT).is_some() => Kind::Whiteout,
                    _ => Kind::Other,
                }
            }
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match openat(parent, name, flags, Mode::empty()) {
                    Ok(directory) => Kind::Directory { opaque: is_opaque(directory.as_fd()) },
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Kind::Missing,
                    Err(errno) => return Err(errno).at("open", &shown(&self.path, name)),
                }
            }
            _ => Kind::Other,
        })
    }

    /// What is at a name, held by a descriptor that neither opens nor follows it.
    pub fn found(&self, path: &[u8], parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Found>, StoreError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let shown = || shown(&self.path, path);
        let handle = match openat(parent, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => other.at("open", &shown())?,
        };
        let stat = fstat(&handle).at("look at", &shown())?;
        Ok(Some(Found { path: path.to_vec(), stat, handle, place: shown() }))
    }
}

fn has_marked_whiteouts(directory: BorrowedFd<'_>) -> bool {
    let mut value = [0u8; 1];
    fgetxattr(directory, OPAQUE, &mut value).is_ok_and(|_| value == *b"x")
}
