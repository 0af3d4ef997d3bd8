//! Directories of the layer being written, found as the container would find them: links inside it are followed
//! inside it, never out of it (openat2(2), `RESOLVE_IN_ROOT`).

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags, fchmod, fsetxattr, mkdirat, openat, openat2,
    readlinkat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::error::{Call, Problem, printable};

/// As many links as the kernel itself follows in one look-up (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// Archives list a directory's files together, its subdirectories in between.
const REMEMBERED: usize = 8;

/// Directories nobody describes get what most have; a later entry may say otherwise.
pub const UNDESCRIBED: Mode = Mode::from_raw_mode(0o755);

/// With overlayfs's `userxattr`, which every mount of a layer has (see the executor's overlay).
const OPAQUE: &str = "user.overlay.opaque";

pub struct Places {
    root: Rc<OwnedFd>,
    /// Where replaced directories go, to be removed with everything else.
    trash: OwnedFd,
    trashed: u64,
    recent: VecDeque<(Vec<u8>, Rc<OwnedFd>)>,
}

impl Places {
    pub fn new(root: OwnedFd, trash: OwnedFd) -> Self {
        Places { root: Rc::new(root), trash, trashed: 0, recent: VecDeque::new() }
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory at `path`, made with its parents where nothing is.
    pub fn directory(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, Problem> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        if let Some((_, known)) = self.recent.iter().find(|(known, _)| known == path) {
            return Ok(known.clone());
        }
        let found = match self.open(as_path(path), OFlags::empty()) {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR) => self.make(path)?,
            Err(errno) => return Err(errno).call("openat2"),
        };
        Ok(self.remember(path, found))
    }

    /// As [`Places::directory`], but nothing is made.
    pub fn existing(&self, path: &[u8]) -> Result<Rc<OwnedFd>, Errno> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        self.open(as_path(path), OFlags::empty()).map(Rc::new)
    }

    pub fn remember(&mut self, path: &[u8], directory: OwnedFd) -> Rc<OwnedFd> {
        let directory = Rc::new(directory);
        self.recent.retain(|(known, _)| known != path);
        self.recent.truncate(REMEMBERED - 1);
        self.recent.push_front((path.to_vec(), directory.clone()));
        directory
    }

    /// Takes away what is there, so that something else can take its place. Tells what it was.
    pub fn clear(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Standing>, Problem> {
        let Some(standing) = standing(parent, name)? else { return Ok(None) };
        // Any path remembered may have led through it.
        self.recent.clear();
        if standing == Standing::Directory {
            self.trashed += 1;
            renameat(parent, name, &self.trash, format!("replaced-{}", self.trashed)).call("renameat")?;
        } else {
            unlinkat(parent, name, AtFlags::empty()).call("unlinkat")?;
        }
        Ok(Some(standing))
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    }

    /// Walks component by component, following links inside the root, making what is missing.
    fn make(&mut self, path: &[u8]) -> Result<OwnedFd, Problem> {
        let mut links = 0;
        let mut todo = reversed(path);
        let mut done = PathBuf::from("/");
        while let Some(name) = todo.pop() {
            if name == b".." {
                done.pop();
                continue;
            }
            let parent = self.open(&done, OFlags::empty()).call("openat2")?;
            match standing(parent.as_fd(), &name)? {
                Some(Standing::Directory) => {}
                Some(Standing::Link) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP).call("openat2");
                    }
                    let target = readlinkat(&parent, &*name, Vec::new()).call("readlinkat")?.into_bytes();
                    if target.first() == Some(&b'/') {
                        done = PathBuf::from("/");
                    }
                    todo.extend(reversed(&target));
                    continue;
                }
                Some(Standing::Whiteout) => {
                    self.clear(parent.as_fd(), &name)?;
                    set_opaque(make_directory(parent.as_fd(), &name)?.as_fd())?;
                }
                Some(Standing::Other) => return Err(Problem::NotADirectory(printable(&name))),
                None => drop(make_directory(parent.as_fd(), &name)?),
            }
            done.push(as_path(&name));
        }
        self.open(&done, OFlags::empty()).call("openat2")
    }
}

/// What is at a name, a link not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Directory,
    Link,
    Whiteout,
    Other,
}

pub fn standing(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Standing>, Problem> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(kind(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).call("fstatat"),
    }
}

fn kind(stat: &Stat) -> Standing {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Standing::Directory,
        FileType::Symlink => Standing::Link,
        FileType::CharacterDevice if stat.st_rdev == 0 => Standing::Whiteout,
        _ => Standing::Other,
    }
}

/// A new directory, opened, whatever the caller's umask.
pub fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Problem> {
    mkdirat(parent, name, UNDESCRIBED).call("mkdirat")?;
    let made = open_directory(parent, name)?;
    fchmod(&made, UNDESCRIBED).call("fchmod")?;
    // A set-group-ID parent would have handed down its group.
    rustix::fs::fchown(&made, Some(rustix::process::geteuid()), Some(rustix::process::getegid())).call("fchown")?;
    Ok(made)
}

pub fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Problem> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty()).call("openat")
}

/// Hides what lower layers have in this directory.
pub fn set_opaque(directory: BorrowedFd<'_>) -> Result<(), Problem> {
    fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty()).call("fsetxattr(user.overlay.opaque)")
}

pub fn is_opaque(directory: BorrowedFd<'_>) -> bool {
    let mut value = [0u8; 1];
    rustix::fs::fgetxattr(directory, OPAQUE, &mut value).is_ok_and(|_| value == *b"y")
}

fn reversed(path: &[u8]) -> Vec<Vec<u8>> {
    let components = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    components.map(<[u8]>::to_vec).rev().collect()
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}
