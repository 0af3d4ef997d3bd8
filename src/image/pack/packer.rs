//! Files of a stack into an archive: owners, times and attributes as they are, hard links as such.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, major, minor};
use tar::EntryType;

use super::super::StoreError;
use super::super::error::At;
use super::super::stack::Found;
use super::{Head, Writer};

/// PATH_MAX with its final zero: what is deeper can be read back by nobody.
const LONGEST_NAME: usize = 4095;

pub struct Packer<W> {
    archive: Writer<W>,
    /// For messages.
    to: PathBuf,
    /// The first name of every file that has several.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Packer<W> {
    pub fn new(out: W, to: &Path) -> Self {
        Packer { archive: Writer::new(out), to: to.to_owned(), linked: HashMap::new() }
    }

    /// A socket is nothing without who listens: it is left out.
    pub fn add(&mut self, found: &Found) -> Result<(), StoreError> {
        let kind = match found.kind() {
            FileType::RegularFile => EntryType::Regular,
            FileType::Directory => EntryType::Directory,
            FileType::Symlink => EntryType::Symlink,
            FileType::CharacterDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            FileType::Fifo => EntryType::Fifo,
            _ => return Ok(()),
        };
        let name = name(found, kind == EntryType::Directory)?;
        if kind != EntryType::Directory && found.stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&found.identity()) {
                let head = Head { kind: EntryType::Link, link: first, size: 0, ..head(found, &name, kind, &[]) };
                return self.archive.head(&head).at("write", &self.to);
            }
            self.linked.insert(found.identity(), name.clone());
        }
        let link = if kind == EntryType::Symlink { found.link()? } else { Vec::new() };
        let attributes = found.attributes()?;
        let head = Head { link: &link, ..head(found, &name, kind, &attributes) };
        match kind {
            EntryType::Regular => self.archive.file(&head, found.open()?).at("write", &self.to),
            _ => self.archive.head(&head).at("write", &self.to),
        }
    }

    /// An empty file that means something by its name.
    pub fn add_mark(&mut self, directory: &[u8], name: &[u8]) -> Result<(), StoreError> {
        let name = if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() };
        let head = Head { name: &name, mode: 0, ..Head::plain("", 0) };
        self.archive.head(&head).at("write", &self.to)
    }

    pub fn end(self) -> Result<W, StoreError> {
        self.archive.end().at("write", &self.to)
    }
}

fn name(found: &Found, directory: bool) -> Result<Vec<u8>, StoreError> {
    let mut name = if found.path.is_empty() { b".".to_vec() } else { found.path.clone() };
    if directory {
        name.push(b'/');
    }
    if name.len() > LONGEST_NAME {
        return Err(std::io::Error::from(rustix::io::Errno::NAMETOOLONG)).at("pack", found.place());
    }
    Ok(name)
}

fn head<'a>(found: &Found, name: &'a [u8], kind: EntryType, attributes: &'a [(Vec<u8>, Vec<u8>)]) -> Head<'a> {
    let stat = &found.stat;
    Head {
        name,
        kind,
        link: &[],
        mode: stat.st_mode & 0o7777,
        owner: (stat.st_uid, stat.st_gid),
        modified: (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        device: (major(stat.st_rdev), minor(stat.st_rdev)),
        size: if kind == EntryType::Regular { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
        attributes,
    }
}
