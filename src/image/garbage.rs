//! What no image needs: told from the rest, and moved away.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags};

use super::error::At;
use super::index::{Entry, Index};
use super::scratch::Scratch;
use super::store::{open_lock, try_lock};
use super::{Digest, Store, StoreError, durable};

impl Store {
    /// Moves away those of `files` that no image needs, unless an import is under way that may count on them. The
    /// caller holds the store's lock.
    pub(super) fn release(&self, files: &HashSet<PathBuf>, trash: &mut Scratch) -> Result<(), StoreError> {
        let path = self.imports_lock();
        let imports = open_lock(&path)?;
        if !try_lock(&imports, &path)? {
            return Ok(());
        }
        // What a damaged image uses is not known: better keep too much.
        let Ok(used) = self.used(&Index::load(&self.oci())?) else { return Ok(()) };
        files.difference(&used).try_for_each(|file| put_away(file, trash).map(drop))
    }

    /// Every file of every image.
    pub(super) fn used(&self, index: &Index) -> Result<HashSet<PathBuf>, StoreError> {
        let mut used = HashSet::new();
        for entry in index.entries() {
            used.extend(self.files_of(entry)?);
        }
        Ok(used)
    }

    pub(super) fn files_of(&self, entry: &Entry) -> Result<Vec<PathBuf>, StoreError> {
        let (manifest, config) = self.documents(entry)?;
        let path = self.record_path(&entry.manifest);
        let digest = |text: &str| text.parse::<Digest>().map_err(|error| StoreError::damaged(&path, error));
        let mut files = vec![
            self.blob(&entry.manifest),
            self.record_path(&entry.manifest),
            self.image_lock(&entry.manifest),
            self.blob(&digest(manifest.config().digest().as_ref())?),
        ];
        for layer in manifest.layers() {
            files.push(self.blob(&digest(layer.digest().as_ref())?));
        }
        // Of the record's, those below an opaque root are left out; they are there all the same.
        for layer in config.rootfs().diff_ids() {
            files.push(self.layer(&digest(layer)?));
        }
        for layer in self.record(&entry.manifest)?.layers {
            files.push(self.layer(&digest(&layer)?));
        }
        Ok(files)
    }
}

impl Store {
    /// A right tree in the place of a damaged one, unless a container runs with it: what it has open would be lost.
    pub(super) fn exchange_layer(&self, diff_id: &Digest, right: &Path) -> Result<(), String> {
        let exchange = || {
            self.sync()?;
            let _lock = self.lock()?;
            let (place, index) = (self.layer(diff_id), Index::load(&self.oci())?);
            let mut locks = Vec::new();
            for entry in index.entries() {
                // One that is damaged may have it as well.
                if self.files_of(entry).map_or(true, |files| files.contains(&place)) {
                    // An image of two names is locked once.
                    if locks.iter().any(|(_, known)| *known == entry.manifest) {
                        continue;
                    }
                    match self.lock_unused("", entry, Duration::ZERO) {
                        Ok(lock) => locks.push((lock, entry.manifest)),
                        Err(StoreError::InUse { holders, .. }) => return Ok(Err(runs_with_it(&holders))),
                        Err(error) => return Err(error),
                    }
                }
            }
            // The damaged one goes with what else was staged.
            let flags = if place.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            rustix::fs::renameat_with(CWD, right, CWD, &place, flags).at("rename", right)?;
            durable::sync_directory(&self.scope().layers())?;
            Ok(Ok(()))
        };
        exchange().unwrap_or_else(|error: StoreError| Err(error.to_string()))
    }
}

fn runs_with_it(holders: &[String]) -> String {
    let who = if holders.is_empty() { "a container".to_owned() } else { holders.join(", ") };
    format!("{who} runs with it: stop that first")
}

/// A rename is done or not, a removal can be killed half-way. Tells where it went.
pub fn put_away(file: &Path, trash: &mut Scratch) -> Result<PathBuf, StoreError> {
    let away = trash.fresh();
    match std::fs::rename(file, &away) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(away),
        other => other.at("remove", file).map(|()| away),
    }
}
