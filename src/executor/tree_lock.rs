//! One writer for a tree or a disk image: systemd-nspawn's own locks (shared/discover-image.c, `image_path_lock`), so
//! that neither it nor machinectl(1) works on what a container of berth's has as its root, and the other way round.

use std::os::fd::OwnedFd;
use std::path::Path;

use super::claim::same_file;
use super::error::{Context, StepError};
use super::range::lock_file;

const LOCKS: &str = "/run/systemd/nspawn/locks";

/// `stored` are the unit's own locks, kept over a restart.
pub fn take(tree: &Path, stored: Vec<OwnedFd>) -> Result<OwnedFd, StepError> {
    let about = rustix::fs::stat(tree).call(|| format!("stat({})", tree.display()))?;
    let path = Path::new(LOCKS).join(format!("inode-{}:{}", about.st_dev, about.st_ino));
    if let Some(lock) = stored.into_iter().find(|lock| same_file(lock, &path)) {
        return Ok(lock);
    }
    lock_file(&path).ok_or_else(|| StepError::InUse(tree.display().to_string()))
}
