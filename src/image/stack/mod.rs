//! Trees laid over each other as overlayfs shows them, read without being mounted: owners are those on the disk.
//!
//! What is in the trees is a stranger's, and may change while it is read: every directory is found from its tree's root
//! without following a link, every file is looked at and read through one descriptor.

mod found;
mod level;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

pub use found::Found;
use level::{Kind, Level};

use super::StoreError;
use super::unpack::is_opaque;

pub struct Stack {
    /// The topmost first.
    levels: Vec<Level>,
}

/// A directory and the levels that it is made of, as numbers, the topmost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Components with single slashes between; nothing for the root.
    pub path: Vec<u8>,
    levels: Vec<usize>,
}

/// What there is in one directory.
pub struct Listing {
    /// Itself, as its topmost level has it.
    pub directory: Found,
    /// What its levels are on the disk: two that are made of the same ones are the same.
    pub identity: Vec<(u64, u64)>,
    open: Vec<(usize, OwnedFd)>,
    /// Every name, and the number among the open levels of the topmost that has it.
    names: BTreeMap<Vec<u8>, usize>,
}

/// What a name in a directory shows.
pub enum Shown {
    Directory(Directory),
    Other(Found),
}

/// What a single tree holds, whiteouts too.
pub enum Part<'a> {
    Directory { found: &'a Found, opaque: bool },
    File(&'a Found),
    Whiteout { directory: &'a [u8], name: &'a [u8] },
}

impl Stack {
    /// `trees` are directories, the topmost first.
    pub fn open(trees: &[PathBuf]) -> Result<Stack, StoreError> {
        Ok(Stack { levels: trees.iter().map(|tree| Level::open(tree)).collect::<Result<_, _>>()? })
    }

    pub fn root(&self) -> Result<Directory, StoreError> {
        let mut levels = Vec::with_capacity(self.levels.len());
        for (number, level) in self.levels.iter().enumerate() {
            levels.push(number);
            if level.is_opaque()? {
                break;
            }
        }
        Ok(Directory { path: Vec::new(), levels })
    }

    /// None for one that has gone meanwhile.
    pub fn list(&self, directory: &Directory) -> Result<Option<Listing>, StoreError> {
        let mut open = Vec::with_capacity(directory.levels.len());
        for number in &directory.levels {
            if let Some(found) = self.levels[*number].directory(&directory.path)? {
                open.push((*number, found));
            }
        }
        let Some((top, found)) = open.first() else { return Ok(None) };
        let itself = self.levels[*top].found(&directory.path, found.as_fd(), b".")?;
        let Some(itself) = itself else { return Ok(None) };
        let mut names = BTreeMap::new();
        let mut identity = Vec::with_capacity(open.len());
        for (number, (level, found)) in open.iter().enumerate() {
            identity.push(self.levels[*level].identity(found.as_fd())?);
            for name in self.levels[*level].names(found.as_fd())? {
                names.entry(name).or_insert(number);
            }
        }
        Ok(Some(Listing { directory: itself, identity, open, names }))
    }

    /// What is seen at a name of a directory; none where it is whited out, or has gone meanwhile.
    pub fn show(&self, listing: &Listing, name: &[u8]) -> Result<Option<Shown>, StoreError> {
        let Some(top) = listing.names.get(name) else { return Ok(None) };
        let path = joined(&listing.directory.path, name);
        let mut levels = Vec::new();
        for (number, parent) in &listing.open[*top..] {
            match self.levels[*number].kind(parent.as_fd(), name)? {
                Kind::Missing => continue,
                Kind::Directory { opaque } => {
                    levels.push(*number);
                    if opaque {
                        break;
                    }
                }
                // Hides what is below it; and is hidden itself by a directory above it.
                Kind::Whiteout => break,
                Kind::Other if levels.is_empty() => {
                    let found = self.levels[*number].found(&path, parent.as_fd(), name)?;
                    // It has become a directory since it was looked at.
                    let found = found.filter(|found| found.kind() != FileType::Directory);
                    return Ok(found.map(Shown::Other));
                }
                Kind::Other => break,
            }
        }
        Ok(if levels.is_empty() { None } else { Some(Shown::Directory(Directory { path, levels })) })
    }

    /// Calls `visit` for everything that is seen: a directory before what is in it, names in order.
    pub fn walk(&self, visit: &mut dyn FnMut(&Found) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut pending = vec![self.root()?];
        while let Some(directory) = pending.pop() {
            let Some(listing) = self.list(&directory)? else { continue };
            visit(&listing.directory)?;
            let mut below = Vec::new();
            for name in listing.names() {
                match self.show(&listing, name)? {
                    Some(Shown::Directory(directory)) => below.push(directory),
                    Some(Shown::Other(found)) => visit(&found)?,
                    None => {}
                }
            }
            pending.extend(below.into_iter().rev());
        }
        Ok(())
    }
}

impl Stack {
    /// As [`Stack::walk`], of the topmost tree alone and of everything in it.
    pub fn walk_layer(&self, visit: &mut dyn FnMut(Part<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let Some(level) = self.levels.first() else { return Ok(()) };
        let mut pending = vec![Directory { path: Vec::new(), levels: vec![0] }];
        while let Some(directory) = pending.pop() {
            let Some(listing) = self.list(&directory)? else { continue };
            let Some((_, open)) = listing.open.first() else { continue };
            visit(Part::Directory { found: &listing.directory, opaque: is_opaque(open.as_fd()) })?;
            let mut below = Vec::new();
            for name in listing.names() {
                match level.kind(open.as_fd(), name)? {
                    Kind::Missing => {}
                    Kind::Directory { .. } => {
                        below.push(Directory { path: joined(&directory.path, name), levels: vec![0] });
                    }
                    Kind::Whiteout => visit(Part::Whiteout { directory: &directory.path, name })?,
                    Kind::Other => {
                        let found = level.found(&joined(&directory.path, name), open.as_fd(), name)?;
                        let found = found.filter(|found| found.kind() != FileType::Directory);
                        found.map_or(Ok(()), |found| visit(Part::File(&found)))?;
                    }
                }
            }
            pending.extend(below.into_iter().rev());
        }
        Ok(())
    }
}

impl Shown {
    pub fn path(&self) -> &[u8] {
        match self {
            Shown::Directory(directory) => &directory.path,
            Shown::Other(found) => &found.path,
        }
    }
}

impl Listing {
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.keys().map(Vec::as_slice)
    }
}

fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

fn shown(tree: &Path, path: &[u8]) -> PathBuf {
    tree.join(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path)))
}
