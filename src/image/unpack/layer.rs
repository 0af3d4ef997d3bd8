//! One entry after the other, onto the disk.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom, fchmod, linkat, makedev, mknodat, openat, symlinkat};
use rustix::io::Errno;
use tar::EntryType;

use super::archive::{Archive, Entry};
use super::attributes::{Attributes, timestamps};
use super::error::{Call, Problem, printable};
use super::name::{Meaning, Name};
use super::places::{Places, Standing, UNDESCRIBED, is_opaque, make_directory, open_directory, set_opaque, standing};
use super::times::Times;
use super::{Destination, UnpackError};
use crate::sys::writeback::Early;

/// Until its own mode is set, after everything else.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);

pub struct Writer {
    places: Places,
    times: Times,
}

impl Writer {
    /// A root no entry describes is an ordinary directory, not the private one the caller made.
    pub fn new(destination: Destination) -> Result<Self, UnpackError> {
        fchmod(&destination.layer, UNDESCRIBED).map_err(|errno| UnpackError::Root(errno.into()))?;
        Ok(Writer { places: Places::new(destination.layer, destination.trash), times: Times::new(destination.notes) })
    }

    pub fn write<R: std::io::BufRead>(&mut self, entry: &Entry, content: &mut Archive<R>) -> Result<(), UnpackError> {
        self.write_entry(entry, content).map_err(|failure| match failure {
            Failure::Entry(problem) => UnpackError::Entry { name: printable(&entry.name), problem },
            Failure::Archive(error) => error,
        })
    }

    fn write_entry<R: std::io::BufRead>(&mut self, entry: &Entry, content: &mut Archive<R>) -> Result<(), Failure> {
        let name = Name::new(&entry.name).map_err(Problem::from)?;
        match name.meaning().map_err(Problem::from)? {
            Meaning::Plain => {}
            Meaning::Whiteout(gone) => return Ok(self.whiteout(name.parent(), gone)?),
            Meaning::Opaque => return Ok(set_opaque(self.places.directory(name.parent())?.as_fd())?),
            Meaning::Ignored => return Ok(()),
        }
        let attributes = Attributes::of(entry)?;
        let is_file = matches!(entry.kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse);
        // Before POSIX a directory was a file whose name ends in a slash.
        let old_directory = entry.kind == EntryType::Regular && entry.name.ends_with(b"/");
        if entry.kind == EntryType::Directory || old_directory {
            return Ok(self.directory(&name, entry, &attributes)?);
        }
        if name.is_root() {
            return Err(Problem::Root.into());
        }
        if is_file {
            return self.file(&name, entry, &attributes, content);
        }
        Ok(self.special(&name, entry, &attributes)?)
    }

    /// Sets the directories' times, now that nothing in them changes any more.
    pub fn finish(self) -> Result<(), UnpackError> {
        let Writer { places, times } = self;
        times
            .replay(|path, modified| {
                // It may have been replaced by something else since, which then has its own time.
                if let Ok(directory) = places.existing(path) {
                    let _ = rustix::fs::futimens(&*directory, &timestamps(modified));
                }
            })
            .map_err(UnpackError::Times)
    }

    fn directory(&mut self, name: &Name, entry: &Entry, attributes: &Attributes<'_>) -> Result<(), Problem> {
        if name.is_root() {
            attributes.set(self.places.root())?;
        } else {
            let parent = self.places.directory(name.parent())?;
            let directory = self.make_or_keep(parent.as_fd(), name.last())?;
            attributes.set(directory.as_fd())?;
            self.places.remember(name.as_bytes(), directory);
        }
        self.times.keep(name.as_bytes(), entry.modified).call("write")
    }

    fn make_or_keep(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Problem> {
        match standing(parent, name)? {
            None => make_directory(parent, name),
            Some(Standing::Directory) => open_directory(parent, name),
            Some(_) => {
                let before = self.places.clear(parent, name)?;
                let made = make_directory(parent, name)?;
                if before == Some(Standing::Whiteout) {
                    set_opaque(made.as_fd())?;
                }
                Ok(made)
            }
        }
    }

    fn file<R: std::io::BufRead>(
        &mut self,
        name: &Name,
        entry: &Entry,
        attributes: &Attributes<'_>,
        content: &mut Archive<R>,
    ) -> Result<(), Failure> {
        let parent = self.places.directory(name.parent())?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            self.in_place_of(parent.as_fd(), name.last(), "openat", || openat(&*parent, name.last(), flags, PRIVATE))?;
        let file = std::fs::File::from(file);
        match &entry.sparse {
            None => copy(content, &mut Early::new(&file), entry.size)?,
            Some(map) => {
                for (offset, length) in &map.pieces {
                    rustix::fs::seek(&file, SeekFrom::Start(*offset)).call("lseek")?;
                    copy(content, &mut &file, *length)?;
                }
                rustix::fs::ftruncate(&file, map.real_size).call("ftruncate")?;
            }
        }
        attributes.set(file.as_fd())?;
        Ok(attributes.set_times(file.as_fd())?)
    }

    fn special(&mut self, name: &Name, entry: &Entry, attributes: &Attributes<'_>) -> Result<(), Problem> {
        let parent = self.places.directory(name.parent())?;
        let (here, last) = (parent.as_fd(), name.last());
        let node = |kind| {
            let (major, minor) = entry.device;
            move || mknodat(here, last, kind, PRIVATE, makedev(major, minor))
        };
        match entry.kind {
            EntryType::Link => return self.hard_link(here, last, &entry.link),
            EntryType::Symlink if entry.link.is_empty() => return Err(Problem::EmptyLink),
            EntryType::Symlink => self.in_place_of(here, last, "symlinkat", || symlinkat(&*entry.link, here, last))?,
            EntryType::Char => self.in_place_of(here, last, "mknodat", node(FileType::CharacterDevice))?,
            EntryType::Block => self.in_place_of(here, last, "mknodat", node(FileType::BlockDevice))?,
            EntryType::Fifo => self.in_place_of(here, last, "mknodat", node(FileType::Fifo))?,
            other => return Err(Problem::Type(other.as_byte().into())),
        }
        attributes.set_at(here, last, entry.kind == EntryType::Symlink)
    }

    /// Only to what this layer already has: layers are stacked in any order with any others.
    fn hard_link(&mut self, parent: BorrowedFd<'_>, name: &[u8], target: &[u8]) -> Result<(), Problem> {
        let shown = || printable(target);
        // Archivers strip the slash of names but some not of targets; both mean the layer's root.
        let relative = target.strip_prefix(b"/").unwrap_or(target);
        let target = Name::new(relative).map_err(Problem::LinkName)?;
        let missing = |errno| match errno {
            Errno::NOENT | Errno::NOTDIR => Problem::LinkTarget(shown()),
            errno => Problem::System { call: "openat2", source: errno.into() },
        };
        let there = self.places.existing(target.parent()).map_err(missing)?;
        match standing(there.as_fd(), target.last())? {
            None | Some(Standing::Whiteout) => return Err(Problem::LinkTarget(shown())),
            Some(Standing::Directory) => return Err(Problem::LinkToDirectory(shown())),
            Some(_) => {}
        }
        if same_place(there.as_fd(), target.last(), parent, name) {
            return Ok(());
        }
        // Without AT_SYMLINK_FOLLOW: a link to a symbolic link is another name for that link.
        self.in_place_of(parent, name, "linkat", || linkat(&*there, target.last(), parent, name, AtFlags::empty()))
    }

    fn whiteout(&mut self, parent: &[u8], gone: &[u8]) -> Result<(), Problem> {
        let parent = self.places.directory(parent)?;
        // It hides lower layers only: what this layer has itself stays, but shows nothing from below.
        match standing(parent.as_fd(), gone)? {
            Some(Standing::Directory) => set_opaque(open_directory(parent.as_fd(), gone)?.as_fd()),
            Some(_) => Ok(()),
            // In an opaque directory overlayfs would show it as a broken device.
            None if is_opaque(parent.as_fd()) => Ok(()),
            None => mknodat(&*parent, gone, FileType::CharacterDevice, Mode::empty(), 0).call("mknodat"),
        }
    }

    /// Makes something new; what has the name already is taken away first. Nothing is ever written through.
    fn in_place_of<T>(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        call: &'static str,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Result<T, Problem> {
        match make() {
            Err(Errno::EXIST) => {
                self.places.clear(parent, name)?;
                make().call(call)
            }
            other => other.call(call),
        }
    }
}

/// Whether both names are one file already: to replace one would lose both.
fn same_place(one: BorrowedFd<'_>, name: &[u8], other: BorrowedFd<'_>, other_name: &[u8]) -> bool {
    let stat = |parent, name| rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
    match (stat(one, name), stat(other, other_name)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

fn copy<R: std::io::BufRead>(content: &mut Archive<R>, file: &mut impl Write, length: u64) -> Result<(), Failure> {
    let mut left = length;
    while left > 0 {
        let piece = content.content(left).map_err(Failure::Archive)?;
        if piece.is_empty() {
            return Err(Problem::SparseMap.into());
        }
        file.write_all(piece).call("write")?;
        let bytes = piece.len();
        left -= bytes as u64;
        content.consume(bytes);
    }
    Ok(())
}

enum Failure {
    Entry(Problem),
    Archive(UnpackError),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Entry(problem)
    }
}
