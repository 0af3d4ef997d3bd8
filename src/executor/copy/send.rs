//! The side of a copy that reads: a walk through a tree, none of whose links is followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

use super::entry::{Attributes, Entry};
use super::error::CopyError;
use super::{Descriptors, MAX_DEPTH, content};
use crate::executor::channel::Channel;
use crate::executor::error::Context;

/// File systems in which the kernel shows itself (magic.h): their directories are copied empty.
const KERNEL: [i64; 7] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
];

pub struct Sender<'a> {
    channel: &'a Channel,
    descriptors: Descriptors,
    /// Where the walk is, for messages.
    path: PathBuf,
}

impl<'a> Sender<'a> {
    pub fn new(channel: &'a Channel, descriptors: Descriptors) -> Self {
        Sender { channel, descriptors, path: PathBuf::new() }
    }

    /// `source` was opened with `O_PATH` and without following a link at its end.
    pub fn send(&mut self, path: &Path, source: OwnedFd) -> Result<(), CopyError> {
        self.path = path.to_owned();
        self.node(source, path.file_name().unwrap_or_default(), 0)?;
        self.say(&Entry::End)
    }

    /// Standard input, as one file.
    pub fn send_input(&mut self) -> Result<(), CopyError> {
        // What the other side reads ends with us, however we end.
        let (content, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).call(|| "pipe2")?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let attributes = Attributes {
            mode: 0o644,
            uid: 0,
            gid: 0,
            modified: (now.as_secs() as i64, now.subsec_nanos()),
            identity: (0, 0),
        };
        self.say(&Entry::File { name: OsString::new(), attributes, content: &content })?;
        drop(content);
        std::io::copy(&mut std::io::stdin().lock(), &mut File::from(writer)).call(|| "copy standard input")?;
        self.say(&Entry::End)
    }

    fn say(&self, entry: &Entry<&OwnedFd>) -> Result<(), CopyError> {
        entry.send(self.channel).map_err(|errno| match errno {
            // It has said why.
            Errno::PIPE | Errno::CONNRESET => CopyError::CutOff,
            errno => CopyError::call(format!("send {}", self.path.display()), errno),
        })
    }

    fn node(&mut self, node: OwnedFd, name: &OsStr, depth: usize) -> Result<(), CopyError> {
        let stat = fstat(&node).call(|| format!("stat({})", self.path.display()))?;
        let (name, attributes) = (name.to_owned(), Attributes::of(&stat));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth > MAX_DEPTH => Err(CopyError::TooDeep(self.path.display().to_string())),
            FileType::Directory => {
                let opened = self.reopen(&node, OFlags::RDONLY | OFlags::DIRECTORY)?;
                drop(node);
                self.attributes(&opened)?;
                self.say(&Entry::Directory { name, attributes })?;
                self.directory(&opened, &stat, depth)?;
                self.say(&Entry::Up)
            }
            FileType::RegularFile => {
                let content = self.reopen(&node, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
                self.attributes(&content)?;
                self.say(&Entry::File { name, attributes, content: &content })
            }
            FileType::Symlink => {
                let target = readlinkat(&node, "", Vec::new()).call(|| format!("readlink({})", self.path.display()))?;
                self.say(&Entry::Link { name, attributes, target: OsString::from_vec(target.into_bytes()) })
            }
            other => Err(CopyError::Kind { path: self.path.display().to_string(), kind: kind(other) }),
        }
    }

    /// Said by this side, since the other may read the file but not these.
    fn attributes(&self, file: &OwnedFd) -> Result<(), CopyError> {
        let describe = || format!("read the extended attributes of {}", self.path.display());
        for (name, value) in content::attributes(file).call(describe)? {
            // In memory, for they may be longer than a message.
            let memory = rustix::fs::memfd_create("attribute", rustix::fs::MemfdFlags::CLOEXEC).call(describe)?;
            let mut file = File::from(memory);
            file.write_all(&value).and_then(|()| file.rewind()).call(describe)?;
            self.say(&Entry::Attribute { name, value: &file.into() })?;
        }
        Ok(())
    }

    fn directory(&mut self, opened: &OwnedFd, stat: &Stat, depth: usize) -> Result<(), CopyError> {
        for name in self.names(opened)? {
            self.path.push(&name);
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(opened, &name, flags, Mode::empty()) {
                // It has gone meanwhile.
                Err(Errno::NOENT) => {}
                other => {
                    let node = other.call(|| format!("open({})", self.path.display()))?;
                    self.within(node, &name, stat, depth + 1)?;
                }
            }
            self.path.pop();
        }
        Ok(())
    }

    /// What is mounted in the tree is copied with it, but for what the kernel shows there.
    fn within(&mut self, node: OwnedFd, name: &OsStr, above: &Stat, depth: usize) -> Result<(), CopyError> {
        let stat = fstat(&node).call(|| format!("stat({})", self.path.display()))?;
        #[allow(clippy::unnecessary_cast)] // Its width differs between C libraries and architectures.
        let is_kernel = || rustix::fs::fstatfs(&node).is_ok_and(|about| KERNEL.contains(&(about.f_type as i64)));
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_directory || stat.st_dev == above.st_dev || !is_kernel() {
            return self.node(node, name, depth);
        }
        self.say(&Entry::Directory { name: name.to_owned(), attributes: Attributes::of(&stat) })?;
        self.say(&Entry::Up)
    }

    fn names(&self, opened: &OwnedFd) -> Result<Vec<OsString>, CopyError> {
        let describe = || format!("readdir({})", self.path.display());
        let mut names = Vec::new();
        for entry in Dir::read_from(opened).call(describe)? {
            let name = OsStr::from_bytes(entry.call(describe)?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn reopen(&self, node: &OwnedFd, flags: OFlags) -> Result<OwnedFd, CopyError> {
        Ok(reopen(&self.descriptors, node, flags).call(|| format!("open({})", self.path.display()))?)
    }
}

/// The very file that was looked at, whatever its name leads to by now.
pub fn reopen(descriptors: &Descriptors, node: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(descriptors.directory(), node.as_raw_fd().to_string(), flags | OFlags::CLOEXEC, Mode::empty())
}

pub fn kind(kind: FileType) -> &'static str {
    match kind {
        FileType::BlockDevice | FileType::CharacterDevice => "device",
        FileType::Fifo => "pipe",
        FileType::Socket => "socket",
        FileType::Directory => "directory",
        FileType::Symlink => "link",
        _ => "file of no known kind",
    }
}
