//! Small files that are whole or not there, whenever the power goes.

use std::io::Write;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::StoreError;
use super::error::At;

/// Writes beside `path`, syncs, renames. The caller holds the store's lock, so the name beside it is ours.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let unfinished = path.with_extension("new");
    if let Err(error) = write(&unfinished, content) {
        // On a full disk it takes room that others need.
        let _ = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    std::fs::rename(&unfinished, path).at("rename", &unfinished)?;
    sync_directory(path.parent().unwrap_or(path))
}

fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = std::fs::File::create(path).at("create", path)?;
    file.write_all(content).at("write", path)?;
    file.sync_all().at("sync", path)
}

/// Makes the renames in a directory last.
pub fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = rustix::fs::open(directory, flags, Mode::empty()).at("open", directory)?;
    rustix::fs::fsync(&open).at("sync", directory)
}

/// A directory only its owner can enter: what is inside may be set-user-ID or was written by strangers.
pub fn private_directory(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).at("make the directory", path)
}
