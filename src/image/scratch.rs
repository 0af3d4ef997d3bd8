//! `incoming/BOOT.ID`: where one import works until everything is whole, and what killed ones left behind.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::error::At;
use super::import::adopt;
use super::store::{is_at, try_lock};
use super::turn::Turn;
use super::{Store, StoreError, durable, tree};

/// A directory of this import's own, locked while it lives and removed with it.
pub struct Scratch {
    path: PathBuf,
    directory: OwnedFd,
    next: u64,
}

/// Who ends this process before its time takes them away.
static OURS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

impl Scratch {
    /// The caller holds the store's lock: a directory must not be taken for garbage before it is locked.
    pub fn new(store: &Store) -> Result<Scratch, StoreError> {
        let incoming = store.incoming();
        let (boot, process) = (boot(), std::process::id());
        for number in 0u32.. {
            let path = incoming.join(format!("{boot}.{process}-{number}"));
            match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o700)) {
                Err(rustix::io::Errno::EXIST) => continue,
                other => other.at("make the directory", &path)?,
            }
            let directory = open_directory(&path)?;
            flock(&directory, FlockOperation::NonBlockingLockExclusive).at("lock", &path)?;
            ours().push(path.clone());
            return Ok(Scratch { path, directory, next: 0 });
        }
        unreachable!("a process has fewer imports than numbers")
    }

    /// A name nothing here has yet.
    pub fn fresh(&mut self) -> PathBuf {
        self.next += 1;
        self.path.join(self.next.to_string())
    }

    /// An empty directory for a layer, opened.
    pub fn fresh_directory(&mut self) -> Result<(PathBuf, OwnedFd), StoreError> {
        let path = self.fresh();
        durable::private_directory(&path)?;
        let directory = open_directory(&path)?;
        Ok((path, directory))
    }

    /// One directory of it before its time.
    pub fn remove(&self, path: &Path) -> std::io::Result<()> {
        let directory = std::fs::File::open(path)?;
        remove(path, directory.as_fd())
    }

    /// A file of its own, readable again by its path.
    pub fn fresh_file(&mut self) -> Result<(PathBuf, std::fs::File), StoreError> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.fresh();
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        Ok((path.clone(), file.at("create", &path)?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next import.
        let _ = remove(&self.path, self.directory.as_fd());
        ours().retain(|path| *path != self.path);
    }
}

/// Removes what this process has staged, before it exits in the middle of an import.
pub fn abandon_scratch() {
    for path in ours().iter() {
        // Its threads go on until the end: one of them may just add something.
        for _ in 0..10 {
            match open_directory(path).map(|directory| remove(path, directory.as_fd())) {
                Ok(Err(_)) => {}
                Ok(Ok(())) => break,
                // No directory: whose turn it is.
                Err(_) => {
                    let _ = std::fs::remove_file(path);
                    break;
                }
            }
        }
    }
}

/// What this process has in `incoming/` just now.
pub fn ours() -> MutexGuard<'static, Vec<PathBuf>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which start of the machine this is (random(4), boot_id): what was written, but not synced, lasts as long. Empty where it is not
/// known.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim_end().to_owned()
}

/// Whether all that was written there by a killed process is there still.
fn is_of_this_boot(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    name.split_once('.').is_some_and(|(of, _)| !of.is_empty() && of == boot())
}

/// Removes what killed imports left, but for what they had finished. The caller holds the store's lock.
pub fn remove_leftovers(store: &Store) -> Result<(), StoreError> {
    let incoming = store.incoming();
    for entry in std::fs::read_dir(&incoming).at("read", &incoming)? {
        let entry = entry.at("read", &incoming)?;
        let path = entry.path();
        if entry.file_type().at("look at", &path)?.is_dir() {
            // Its owner may take it away just now.
            let Ok(directory) = open_directory(&path) else { continue };
            if try_lock(&directory, &path)? && is_at(&directory, &path) {
                if is_of_this_boot(&path) {
                    adopt(store, &path)?;
                }
                remove(&path, directory.as_fd()).at("remove", &path)?;
            }
        } else {
            Turn::forget_if_free(&path)?;
        }
    }
    Ok(())
}

/// With all that is in it; somebody else may be as quick.
pub fn remove_directory(path: &Path) -> Result<(), StoreError> {
    match open_directory(path) {
        Ok(directory) => remove(path, directory.as_fd()).at("remove", path),
        Err(_) => Ok(()),
    }
}

fn remove(path: &Path, directory: std::os::fd::BorrowedFd<'_>) -> std::io::Result<()> {
    tree::remove_content(directory)?;
    std::fs::remove_dir(path)
}

fn open_directory(path: &Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).at("open", path)
}
