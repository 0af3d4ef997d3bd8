//! A layer's archive becomes a directory overlayfs can stack: owners and modes as they are, whiteouts in its own form.
//!
//! The archive is hostile. Nothing outside the directory is reached, whatever names and links it holds; what makes
//! no sense in a layer is an error that names the entry.

mod archive;
mod attributes;
mod error;
mod layer;
mod name;
mod pax;
mod places;
mod times;

use std::io::BufRead;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use archive::Archive;
pub use error::{Problem, UnpackError};
pub use name::{Meaning, Name, NameError};
pub use places::is_opaque;

/// Where a layer is written, with the places its writing needs, all in one file system.
pub struct Destination {
    /// Empty.
    pub layer: OwnedFd,
    /// Empty; removed by the caller together with what has been put there.
    pub trash: OwnedFd,
    /// Empty; for notes.
    pub notes: std::fs::File,
}

/// Several times what the largest honest layers hold: an archive of nothing but names costs its author next to nothing,
/// and a file system an inode each.
const MOST_ENTRIES: u64 = 1_000_000;

/// Writes every entry of `archive`. The stream is read up to the archive's end mark only.
pub fn unpack<R: BufRead>(archive: &mut Archive<R>, destination: Destination) -> Result<(), UnpackError> {
    let mut writer = layer::Writer::new(destination)?;
    let mut entries = 0;
    while let Some(entry) = archive.next()? {
        entries += 1;
        if entries > MOST_ENTRIES {
            return Err(UnpackError::Entries(MOST_ENTRIES));
        }
        writer.write(&entry, archive)?;
    }
    writer.finish()
}

/// Unpacks an archive in memory into `directory`, which is empty, and returns the layer's own directory: the way in
/// for fuzzers, which need neither a store nor threads.
pub fn unpack_bytes(archive: &[u8], directory: &Path) -> Result<PathBuf, UnpackError> {
    let make = |name: &str| -> std::io::Result<(PathBuf, OwnedFd)> {
        let path = directory.join(name);
        std::fs::create_dir(&path)?;
        let open = std::fs::File::open(&path)?;
        Ok((path, open.into()))
    };
    let (path, layer) = make("layer").map_err(UnpackError::Read)?;
    let (_, trash) = make("trash").map_err(UnpackError::Read)?;
    let mut options = std::fs::OpenOptions::new();
    let notes = options.read(true).write(true).create_new(true).open(directory.join("notes"));
    let notes = notes.map_err(UnpackError::Times)?;
    unpack(&mut Archive::new(archive), Destination { layer, trash, notes })?;
    Ok(path)
}
