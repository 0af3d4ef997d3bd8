//! Taking images away: their names first, their content when no name is left.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::Serialize;

use super::error::At;
use super::index::{Entry, Index};
use super::scratch::{Scratch, remove_leftovers};
use super::store::{is_name, open_lock, resolve, try_lock};
use super::{Digest, Store, StoreError};
use crate::machine::{RELEASE, Started};

/// What `remove` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Removed {
    /// The name that is gone.
    pub name: Option<String>,
    /// The manifest, if it went with its last name.
    pub manifest: Option<String>,
}

impl Store {
    /// Takes the name away; with the last one goes the image, with every blob and layer no other image uses.
    /// An id takes the image and its only name.
    pub fn remove(&self, reference: &str) -> Result<Removed, StoreError> {
        self.prepare()?;
        let lock = self.lock()?;
        let mut index = Index::load(&self.oci())?;
        let entry = resolve(&index, reference)?.clone();
        let names = index.names_of(&entry.manifest);
        if names.len() > 1 && !is_name(&index, reference) {
            return Err(StoreError::SeveralNames { reference: reference.to_owned(), names });
        }
        if names.len() > 1 {
            let name = entry.name.unwrap_or_default();
            index.untie(&name);
            index.save()?;
            return Ok(Removed { name: Some(name), manifest: None });
        }
        let image_lock = self.lock_for_removal(reference, &entry)?;
        self.forget(&mut index, &entry.manifest)?;
        drop((image_lock, lock));
        self.clean()?;
        Ok(Removed { name: entry.name, manifest: Some(entry.manifest.to_string()) })
    }

    /// Removes every image that has lost its name to a newer one and is not in use.
    pub fn prune(&self) -> Result<Vec<Removed>, StoreError> {
        self.prepare()?;
        let lock = self.lock()?;
        let mut index = Index::load(&self.oci())?;
        let nameless: Vec<Entry> = index.entries().iter().filter(|entry| entry.name.is_none()).cloned().collect();
        let mut removed = Vec::new();
        for entry in nameless {
            match self.lock_for_removal("", &entry) {
                Ok(_image_lock) => self.forget(&mut index, &entry.manifest)?,
                Err(StoreError::InUse { .. }) => continue,
                Err(error) => return Err(error),
            }
            removed.push(Removed { name: None, manifest: Some(entry.manifest.to_string()) });
        }
        drop(lock);
        self.clean()?;
        Ok(removed)
    }

    fn lock_for_removal(&self, reference: &str, entry: &Entry) -> Result<OwnedFd, StoreError> {
        let path = self.image_lock(&entry.manifest);
        let lock = open_lock(&path)?;
        let deadline = Instant::now() + RELEASE;
        loop {
            if try_lock(&lock, &path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let manifest = entry.manifest.to_string();
        let uses = |started: &Started| started.image.as_ref().is_some_and(|(_, used)| *used == manifest);
        let holders = Started::all(self.scope()).into_iter().filter(uses).map(|started| started.name).collect();
        Err(StoreError::InUse { reference: reference.to_owned(), holders })
    }

    /// The name goes first: from then on the rest is garbage, whatever happens.
    fn forget(&self, index: &mut Index, manifest: &Digest) -> Result<(), StoreError> {
        index.drop_manifest(manifest);
        index.save()?;
        let record = self.record_path(manifest);
        remove_file(&record)?;
        // Whoever has it open and waits for it finds the record gone.
        remove_file(&self.image_lock(manifest))
    }

    /// Removes what killed imports left, and what no image uses, unless an import is under way that may count on it.
    pub(super) fn clean(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        remove_leftovers(self)?;
        let path = self.imports_lock();
        let imports = open_lock(&path)?;
        if !try_lock(&imports, &path)? {
            return Ok(());
        }
        let index = Index::load(&self.oci())?;
        let mut used = HashSet::new();
        for entry in index.entries() {
            // What a damaged image uses is not known: better keep too much.
            let Ok(files) = self.files_of(entry) else { return Ok(()) };
            used.extend(files);
        }
        let mut trash = Scratch::new(self)?;
        for directory in [self.blobs(), self.records(), self.scope().layers()] {
            sweep(&directory, &used, &mut trash)?;
        }
        Ok(())
    }

    /// Held, shared, by every import from its first look at the store to its end.
    pub(super) fn share_imports_lock(&self) -> Result<OwnedFd, StoreError> {
        let path = self.imports_lock();
        let lock = open_lock(&path)?;
        loop {
            match flock(&lock, FlockOperation::LockShared) {
                Err(Errno::INTR) => {}
                other => return other.at("lock", &path).map(|()| lock),
            }
        }
    }

    fn imports_lock(&self) -> PathBuf {
        self.scope().store.join("imports.lock")
    }

    fn files_of(&self, entry: &Entry) -> Result<Vec<PathBuf>, StoreError> {
        let (manifest, _) = self.documents(entry)?;
        let record = self.record(&entry.manifest)?;
        let path = self.record_path(&entry.manifest);
        let digest = |text: String| text.parse::<Digest>().map_err(|error| StoreError::damaged(&path, error));
        let mut files = vec![
            self.blob(&entry.manifest),
            self.record_path(&entry.manifest),
            self.image_lock(&entry.manifest),
            self.blob(&digest(manifest.config().digest().to_string())?),
        ];
        for layer in manifest.layers() {
            files.push(self.blob(&digest(layer.digest().to_string())?));
        }
        for layer in record.layers {
            files.push(self.layer(&digest(layer)?));
        }
        Ok(files)
    }
}

/// Moves away what is not in use; a rename is done or not, a removal can be killed half-way.
fn sweep(directory: &Path, used: &HashSet<PathBuf>, trash: &mut Scratch) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(directory).at("read", directory)? {
        let path = entry.at("read", directory)?.path();
        if !used.contains(&path) {
            std::fs::rename(&path, trash.fresh()).at("remove", &path)?;
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}
