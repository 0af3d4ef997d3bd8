//! The side of a copy that writes. Nothing is seen under its name before all of it is there: what is new is made beside
//! its place, and renamed when the reading side has said that this was all.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::content::Named;
use super::entry::{Attributes, Entry};
use super::error::CopyError;
use super::{Descriptors, content, removal};
use crate::executor::channel::Channel;
use crate::executor::error::Context;

/// Where the copy is to be.
pub struct Destination {
    /// It, where it is a directory already; else the directory it is to be in.
    directory: OwnedFd,
    name: Option<OsString>,
    /// It was written with a slash at its end.
    is_directory: bool,
    path: PathBuf,
}

/// A directory that is being filled.
struct Level {
    directory: Rc<OwnedFd>,
    /// Made by us, under a name that nobody knows; what it is to be like is said to it last.
    new: Option<(Attributes, Vec<Named>)>,
}

/// Something whole, beside its place.
struct Staged {
    directory: Rc<OwnedFd>,
    staged: OsString,
    name: OsString,
    path: PathBuf,
}

pub struct Receiver<'a> {
    channel: &'a Channel,
    descriptors: Descriptors,
    force: bool,
    /// The bits of modes that are kept.
    modes: u32,
    levels: Vec<Level>,
    staged: Vec<Staged>,
    linked: HashMap<(u64, u64), OwnedFd>,
    /// Said of what comes next.
    named: Vec<Named>,
    path: PathBuf,
}

impl Destination {
    /// `open` sees paths as the writing side does. A link at the end leads to where it leads there, a link below it
    /// nowhere.
    pub fn find(path: &Path, open: impl Fn(&Path, OFlags) -> Result<OwnedFd, Errno>) -> Result<Self, CopyError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let is_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let found = |directory, name, path: &Path| Destination { directory, name, is_directory, path: path.to_owned() };
        match open(path, flags) {
            Ok(directory) => return Ok(found(directory, None, path)),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(CopyError::call(format!("open({})", path.display()), errno)),
        }
        let name = path.file_name().ok_or_else(|| CopyError::NoName(path.display().to_string()))?;
        let above = path.parent().unwrap_or(Path::new("/"));
        let directory = open(above, flags).call(|| format!("open({})", above.display()))?;
        Ok(found(directory, Some(name.to_owned()), above))
    }
}

impl<'a> Receiver<'a> {
    pub fn new(channel: &'a Channel, descriptors: Descriptors, force: bool, modes: u32) -> Self {
        Receiver {
            channel,
            descriptors,
            force,
            modes,
            levels: Vec::new(),
            staged: Vec::new(),
            linked: HashMap::new(),
            named: Vec::new(),
            path: PathBuf::new(),
        }
    }

    /// All of it, or none: what was already in its place stays as it was.
    pub fn receive(&mut self, destination: Destination) -> Result<(), CopyError> {
        let done = self.receive_all(destination).and_then(|()| self.put_into_place());
        if done.is_err() {
            self.levels.clear();
            for staged in self.staged.drain(..) {
                removal::remove(&staged.directory, &staged.staged);
            }
        }
        done
    }

    fn receive_all(&mut self, destination: Destination) -> Result<(), CopyError> {
        let Destination { directory, mut name, is_directory, path } = destination;
        let merged = name.is_none();
        self.path = path;
        self.levels.push(Level { directory: Rc::new(directory), new: None });
        let mut first = true;
        loop {
            match Entry::receive(self.channel).call(|| "recvmsg")?.ok_or(CopyError::CutOff)? {
                Entry::Attribute { name, value } => {
                    let mut read = Vec::new();
                    File::from(value).read_to_end(&mut read).call(|| "read an extended attribute")?;
                    self.named.push((name, read));
                    continue;
                }
                Entry::Directory { .. } if first && merged => {
                    // What is there already stays as it is.
                    self.named.clear();
                    let directory = self.level()?.directory.clone();
                    self.levels.push(Level { directory, new: None });
                }
                Entry::File { name: own, .. } | Entry::Link { name: own, .. }
                    if first && (is_directory && !merged || name.is_none() && own.is_empty()) =>
                {
                    return Err(CopyError::NoName(self.path.join(name.unwrap_or_default()).display().to_string()));
                }
                Entry::Directory { name: own, attributes } => {
                    self.directory(name.take().unwrap_or(own), attributes)?;
                }
                Entry::File { name: own, attributes, content } => {
                    self.file(name.take().unwrap_or(own), &attributes, content)?;
                }
                Entry::Link { name: own, attributes, target } => {
                    self.link(name.take().unwrap_or(own), &attributes, &target)?;
                }
                Entry::Up => self.up()?,
                Entry::End => return Ok(()),
                Entry::Failed(_) | Entry::Done => return Err(CopyError::CutOff),
            }
            first = false;
        }
    }

    fn level(&self) -> Result<&Level, CopyError> {
        self.levels.last().ok_or(CopyError::CutOff)
    }

    fn directory(&mut self, name: OsString, attributes: Attributes) -> Result<(), CopyError> {
        let named = std::mem::take(&mut self.named);
        let Level { directory, new } = self.level()?;
        let (directory, is_new) = (directory.clone(), new.is_some());
        self.path.push(&name);
        let open = |name: &OsStr| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&directory, name, flags, Mode::empty())
        };
        if !is_new && kind_of(&directory, &name).is_some_and(|kind| kind == FileType::Directory) {
            let existing = open(&name).call(|| format!("open({})", self.path.display()))?;
            self.levels.push(Level { directory: Rc::new(existing), new: None });
            return Ok(());
        }
        let made = self.place(&name, FileType::Directory)?;
        let describe = || format!("mkdir({})", self.path.display());
        rustix::fs::mkdirat(&directory, &made, Mode::from_raw_mode(0o700)).call(describe)?;
        let new = open(&made).call(describe)?;
        self.levels.push(Level { directory: Rc::new(new), new: Some((attributes, named)) });
        Ok(())
    }

    fn up(&mut self) -> Result<(), CopyError> {
        let level = self.levels.pop().ok_or(CopyError::CutOff)?;
        if let Some((attributes, named)) = level.new {
            content::describe(level.directory.as_fd(), &named, &attributes, self.modes)
                .call(|| format!("set owner, mode and times of {}", self.path.display()))?;
        }
        self.path.pop();
        Ok(())
    }

    fn file(&mut self, name: OsString, attributes: &Attributes, from: OwnedFd) -> Result<(), CopyError> {
        let named = std::mem::take(&mut self.named);
        let directory = self.level()?.directory.clone();
        self.path.push(&name);
        let made = self.place(&name, FileType::RegularFile)?;
        if !self.linked_again(&directory, &made, attributes) {
            let describe = || format!("write {}", self.path.display());
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let to = rustix::fs::openat(&directory, &made, flags, Mode::from_raw_mode(0o600)).call(describe)?;
            let (mut from, mut to) = (File::from(from), File::from(to));
            content::copy(&mut from, &mut to).call(describe)?;
            content::describe(to.as_fd(), &named, attributes, self.modes)
                .call(|| format!("set owner, mode and times of {}", self.path.display()))?;
            if attributes.identity != (0, 0) {
                self.linked.insert(attributes.identity, to.into());
            }
        }
        self.path.pop();
        Ok(())
    }

    /// One more name of a file that was copied before; where that cannot be, it is copied once more.
    fn linked_again(&self, directory: &OwnedFd, name: &OsStr, attributes: &Attributes) -> bool {
        let Some(known) = self.linked.get(&attributes.identity) else { return false };
        let number = known.as_raw_fd().to_string();
        rustix::fs::linkat(self.descriptors.directory(), number, directory, name, AtFlags::SYMLINK_FOLLOW).is_ok()
    }

    fn link(&mut self, name: OsString, attributes: &Attributes, target: &OsStr) -> Result<(), CopyError> {
        let directory = self.level()?.directory.clone();
        self.path.push(&name);
        let made = self.place(&name, FileType::Symlink)?;
        let describe = || format!("symlink({})", self.path.display());
        rustix::fs::symlinkat(target, &directory, &made).call(describe)?;
        content::own(attributes, |uid, gid| {
            rustix::fs::chownat(&directory, &made, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        })
        .call(describe)?;
        rustix::fs::utimensat(&directory, &made, &content::times(attributes), AtFlags::SYMLINK_NOFOLLOW)
            .call(describe)?;
        self.path.pop();
        Ok(())
    }

    /// The name under which something is made: its own in a directory that nobody knows, else one beside it. It is noted
    /// before it is made, so that it is removed whatever becomes of it.
    fn place(&mut self, name: &OsStr, kind: FileType) -> Result<OsString, CopyError> {
        let Level { directory, new } = self.level()?;
        if new.is_some() {
            return Ok(name.to_owned());
        }
        let path = || self.path.display().to_string();
        match (kind_of(directory, name), kind) {
            (None, _) => {}
            (Some(FileType::Directory), _) => return Err(CopyError::IsDirectory(path())),
            (Some(_), FileType::Directory) => return Err(CopyError::NotDirectory(path())),
            (Some(_), _) if !self.force => return Err(CopyError::Exists(path())),
            (Some(_), _) => {}
        }
        let mut random = [0u8; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).call(|| "getrandom")?;
        let staged = OsString::from(format!(".#berth-copy-{:016x}", u64::from_ne_bytes(random)));
        self.staged.push(Staged {
            directory: directory.clone(),
            staged: staged.clone(),
            name: name.to_owned(),
            path: self.path.clone(),
        });
        Ok(staged)
    }

    fn put_into_place(&mut self) -> Result<(), CopyError> {
        // What was replaced cannot be had back; what was new is taken away again.
        let mut placed = Vec::new();
        while let Some(staged) = self.staged.pop() {
            match rename(&staged, self.force) {
                Ok(()) => placed.push(staged),
                Err(errno) => {
                    for placed in placed.iter().filter(|_| !self.force) {
                        removal::remove(&placed.directory, &placed.name);
                    }
                    let path = staged.path.display().to_string();
                    self.staged.push(staged);
                    return Err(match errno {
                        Errno::EXIST => CopyError::Exists(path),
                        errno => CopyError::call(format!("rename to {path}"), errno),
                    });
                }
            }
        }
        Ok(())
    }
}

fn rename(staged: &Staged, force: bool) -> Result<(), Errno> {
    let Staged { directory, staged, name, .. } = staged;
    let flags = if force { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
    match rustix::fs::renameat_with(directory, staged, directory, name, flags) {
        // A file system that does not know the flag.
        Err(Errno::INVAL) if kind_of(directory, name).is_none() => {
            rustix::fs::renameat(directory, staged, directory, name)
        }
        other => other,
    }
}

fn kind_of(directory: &OwnedFd, name: &OsStr) -> Option<FileType> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}
