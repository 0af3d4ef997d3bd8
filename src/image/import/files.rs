//! The files of an image archive or layout, by their names in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use tar::EntryType;

use super::super::Digest;
use super::super::error::At;
use super::super::unpack::{Archive, Name, UnpackError};
use super::compression::Compression;
use super::{ImportError, Incoming};

/// Manifests and configurations (distribution-spec lets registries refuse larger ones).
const LARGEST_DOCUMENT: u64 = 4 << 20;

/// An image has at most some hundreds of layers.
const MOST_FILES: usize = 20_000;

pub enum Files {
    /// An OCI image layout as a directory.
    Directory(OwnedFd),
    /// An archive's files, each in the scratch directory; links lead to other names.
    Spooled { files: HashMap<Vec<u8>, PathBuf>, links: HashMap<Vec<u8>, Vec<u8>> },
}

/// A file found, and where it lies if it is ours to keep.
pub struct Found {
    pub file: File,
    pub size: u64,
    pub ours: Option<PathBuf>,
}

impl Files {
    pub fn directory(path: &Path) -> Result<Files, ImportError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Files::Directory(rustix::fs::open(path, flags, Mode::empty()).at("open", path)?))
    }

    /// Takes every file out of an archive, whatever their order: the index may well come last.
    pub fn spool(
        what: &str,
        input: impl Read,
        compression: Compression,
        into: &mut Incoming<'_>,
    ) -> Result<Files, ImportError> {
        let wrong = |source| ImportError::Unpack { what: what.to_owned(), source };
        let decompress =
            |source| ImportError::Decompress { what: what.to_owned(), compression: compression.name(), source };
        let decoder = compression.decoder(BufReader::with_capacity(1 << 17, input)).map_err(decompress)?;
        let mut archive = Archive::new(BufReader::with_capacity(1 << 17, decoder));
        let (mut files, mut links) = (HashMap::new(), HashMap::new());
        loop {
            let entry = match archive.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(Files::Spooled { files, links }),
                Err(UnpackError::Read(source)) => return Err(decompress(source)),
                Err(error) => return Err(wrong(error)),
            };
            let malformed = |problem: String| ImportError::Malformed { what: what.to_owned(), problem };
            let name = Name::new(&entry.name).map_err(|error| malformed(error.to_string()))?;
            if files.len() + links.len() > MOST_FILES {
                return Err(malformed(format!("more than {MOST_FILES} files are not an image")));
            }
            match entry.kind {
                EntryType::Regular | EntryType::Continuous if entry.sparse.is_none() => {
                    let (path, mut file) = into.scratch.fresh_file()?;
                    loop {
                        let piece = archive.content(u64::MAX).map_err(wrong)?;
                        if piece.is_empty() {
                            break;
                        }
                        file.write_all(piece).at("write", &path)?;
                        let bytes = piece.len();
                        archive.consume(bytes);
                    }
                    files.insert(name.as_bytes().to_vec(), path);
                }
                EntryType::Symlink => {
                    let mut target = name.parent().to_vec();
                    target.push(b'/');
                    target.extend_from_slice(&entry.link);
                    links.insert(name.as_bytes().to_vec(), without_dots(&target));
                }
                EntryType::Link => {
                    links.insert(name.as_bytes().to_vec(), without_dots(&entry.link));
                }
                _ => {}
            }
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.open(name).is_ok()
    }

    pub fn open(&self, name: &str) -> Result<Found, ImportError> {
        let missing = || ImportError::Missing { what: name.to_owned() };
        let (file, ours): (File, _) = match self {
            Files::Directory(directory) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
                let open = openat2(directory, name, flags, Mode::empty(), resolve).map_err(|_| missing())?;
                (open.into(), None)
            }
            Files::Spooled { files, links } => {
                let mut wanted = name.as_bytes();
                // `docker save` of old links equal layers to each other, once.
                for _ in 0..8 {
                    wanted = links.get(wanted).map_or(wanted, Vec::as_slice);
                }
                let path = files.get(wanted).ok_or_else(missing)?;
                (File::open(path).at("open", path)?, Some(path.clone()))
            }
        };
        let about = file.metadata().map_err(|source| ImportError::Read { what: name.to_owned(), source })?;
        if !about.is_file() {
            return Err(missing());
        }
        Ok(Found { file, size: about.len(), ours })
    }

    /// A whole small file.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ImportError> {
        let found = self.open(name)?;
        if found.size > LARGEST_DOCUMENT {
            let problem = format!("larger than the {LARGEST_DOCUMENT} bytes a document of an image may have");
            return Err(ImportError::Malformed { what: name.to_owned(), problem });
        }
        let mut content = Vec::new();
        let read = found.file.take(LARGEST_DOCUMENT).read_to_end(&mut content);
        read.map_err(|source| ImportError::Read { what: name.to_owned(), source })?;
        Ok(content)
    }

    /// A document named by its digest, verified.
    pub fn document(&self, digest: &Digest) -> Result<Vec<u8>, ImportError> {
        let name = blob_name(digest);
        let content = self.read(&name)?;
        let found = Digest::of(&content);
        if found != *digest {
            return Err(ImportError::Digest { what: name, expected: *digest, found });
        }
        Ok(content)
    }
}

pub fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// `a/../b` is `b`; above the top there is nothing.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}
