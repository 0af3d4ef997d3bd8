//! `incoming/HEX`: whose turn it is to fetch a blob. Others who need it wait, and take over should its holder die.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::At;
use super::scratch::ours;
use super::store::{is_at, open_lock, try_lock};
use super::{Digest, Store, StoreError, interrupted};

/// Between two looks whether it is our turn: short beside any fetch worth waiting for.
const LOOK: Duration = Duration::from_millis(20);

/// Held until what is fetched is in its place, or will never be.
pub struct Turn {
    path: PathBuf,
    _lock: OwnedFd,
}

impl Turn {
    /// Waits for it, and says so at every look; none once `stop` is set, or a person wants it to end.
    pub fn wait(
        store: &Store,
        digest: &Digest,
        stop: &AtomicBool,
        say: impl Fn(bool),
    ) -> Result<Option<Turn>, StoreError> {
        let path = store.incoming().join(digest.hex());
        let mut first = true;
        while !stop.load(Ordering::Relaxed) && interrupted().is_none() {
            let lock = open_lock(&path)?;
            if try_lock(&lock, &path)? {
                // Or else who had it before took its file away.
                if is_at(&lock, &path) {
                    ours().push(path.clone());
                    return Ok(Some(Turn { path, _lock: lock }));
                }
                continue;
            }
            say(std::mem::take(&mut first));
            std::thread::sleep(LOOK);
        }
        Ok(None)
    }

    /// Takes away the file of one whose holder died.
    pub fn forget_if_free(path: &Path) -> Result<(), StoreError> {
        let lock = match rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()) {
            // Its holder was done in the meantime.
            Err(Errno::NOENT) => return Ok(()),
            other => other.at("open", path)?,
        };
        if try_lock(&lock, path)? && is_at(&lock, path) {
            drop(Turn { path: path.to_owned(), _lock: lock });
        }
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // While it is still locked, so that it is nobody else's. One that stays is taken away by a later import.
        let _ = std::fs::remove_file(&self.path);
        ours().retain(|path| *path != self.path);
    }
}
