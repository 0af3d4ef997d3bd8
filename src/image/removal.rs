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
use super::scratch::Scratch;
use super::store::{open_lock, try_lock};
use super::{Digest, Store, StoreError};
use crate::event::{self, About};
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
        let removed = match self.remove_now(reference) {
            Err(error) if error.is_about_room() && self.make_room(reference).is_ok() => self.remove_now(reference),
            other => other,
        }?;
        let (name, manifest) = (removed.name.as_deref(), removed.manifest.as_deref());
        if let Some(name) = name.filter(|_| manifest.is_none()) {
            event::record(self.scope(), About::Image, "untag", name, &[]);
        } else if let Some(name) = name.or(manifest) {
            let digest = manifest.unwrap_or_default();
            event::record(self.scope(), About::Image, "remove", name, &[("digest", digest)]);
        }
        Ok(removed)
    }

    fn remove_now(&self, reference: &str) -> Result<Removed, StoreError> {
        self.prepare()?;
        let lock = self.lock()?;
        let mut index = Index::load(&self.oci())?;
        let entry = self.meant(&index, reference)?.clone();
        let names = index.names_of(&entry.manifest);
        if names.len() > 1 && !self.is_name(&index, reference) {
            return Err(StoreError::SeveralNames { reference: reference.to_owned(), names });
        }
        if names.len() > 1 {
            let name = entry.name.unwrap_or_default();
            index.untie(&name);
            index.save()?;
            return Ok(Removed { name: Some(name), manifest: None });
        }
        let image_lock = self.lock_unused(reference, &entry, RELEASE)?;
        let files = self.own_files(&entry);
        let mut trash = Scratch::new(self)?;
        self.forget(&mut index, &entry.manifest)?;
        drop(image_lock);
        self.release(&files, &mut trash)?;
        // What takes its time is done without the lock.
        drop(lock);
        Ok(Removed { name: entry.name, manifest: Some(entry.manifest.to_string()) })
    }

    /// Of a damaged image only what can be told; the rest is found by the collection of garbage.
    pub(super) fn own_files(&self, entry: &Entry) -> HashSet<PathBuf> {
        let least = || vec![self.blob(&entry.manifest)];
        self.files_of(entry).unwrap_or_else(|_| least()).into_iter().collect()
    }

    /// The image's lock, once no container runs with it; one that is ending is waited for.
    pub(super) fn lock_unused(
        &self,
        reference: &str,
        entry: &Entry,
        patience: Duration,
    ) -> Result<OwnedFd, StoreError> {
        let path = self.image_lock(&entry.manifest);
        let lock = open_lock(&path)?;
        let manifest = entry.manifest.to_string();
        let uses = |started: &Started| started.image.as_ref().is_some_and(|(_, used)| *used == manifest);
        let deadline = Instant::now() + patience;
        loop {
            let free = try_lock(&lock, &path)?;
            let started = Started::all(self.scope()).into_iter().filter(uses);
            // The lock of one in a scope dies with its `berthctl`, which it may outlive.
            let holders: Vec<Started> = started.filter(|started| !free || started.is_alive()).collect();
            if free && holders.is_empty() {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                let holders = holders.into_iter().map(|started| started.name).collect();
                return Err(StoreError::InUse { reference: reference.to_owned(), holders });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The name goes first: from then on the rest is garbage, whatever happens.
    pub(super) fn forget(&self, index: &mut Index, manifest: &Digest) -> Result<(), StoreError> {
        index.drop_manifest(manifest);
        index.save()?;
        let record = self.record_path(manifest);
        remove_file(&record)?;
        // Whoever has it open and waits for it finds the record gone.
        remove_file(&self.image_lock(manifest))
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

    pub(super) fn imports_lock(&self) -> PathBuf {
        self.scope().store.join("imports.lock")
    }
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}
