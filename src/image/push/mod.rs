//! From the store to a registry: what is not there of an image's blobs, then its manifest as it came, so that its digest
//! stays the same.

mod blob;
mod error;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use oci_spec::image::ImageManifest;

use super::index::{Entry, Index};
use super::registry::Arrival;
use super::{
    Digest, Logins, Patience, Place, Progress, Reference, Registries, Repository, Store, StoreError,
    certificate_directories,
};
use crate::event::{self, About};
use blob::StoredBlob;

pub use error::PushError;

/// As many as a pull has.
const CONNECTIONS: usize = 3;

/// Repositories a token is asked for, beside that of the image.
const MOST_SOURCES: usize = 4;

/// An image that is at a registry now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub name: String,
    pub manifest: Digest,
}

/// What is sent where.
struct Push<'a> {
    store: &'a Store,
    repository: Repository,
    /// Paths at the same registry that have a blob, as far as names in the store tell.
    known: HashMap<Digest, String>,
    progress: &'a dyn Progress,
}

impl Store {
    /// Sends an image to its own name, or to another.
    pub fn push(
        &self,
        image: &str,
        destination: Option<&str>,
        patience: Patience,
        progress: &dyn Progress,
    ) -> Result<Pushed, PushError> {
        let index = Index::load(&self.oci())?;
        let entry = self.meant(&index, image)?;
        let _stays = self.lock_image(&self.record(&entry.manifest)?)?;
        let name = destination.or(entry.name.as_deref());
        let name = name.ok_or_else(|| PushError::NoName { image: image.to_owned() })?;
        let reference: Reference = name.parse()?;
        if reference.host().is_none_or(|host| host == "localhost") {
            return Err(PushError::NoRegistry { image: image.to_owned(), name: name.to_owned() });
        }
        if let Some(other) = reference.digest().filter(|digest| **digest != entry.manifest) {
            return Err(PushError::OtherDigest { name: name.to_owned(), other: *other, manifest: entry.manifest });
        }
        let (manifest, _) = self.documents(entry)?;
        let registries = Registries::of(self.scope())?;
        let wrong = |source| PushError::Registry { name: name.to_owned(), source };
        let place = place(&registries, &reference)?;
        let mut known = self.elsewhere(&index, &manifest, &place);
        let mut sources: Vec<String> = known.values().cloned().collect();
        sources.sort();
        sources.dedup();
        sources.truncate(MOST_SOURCES);
        known.retain(|_, source| sources.contains(source));
        let logins = Logins::of(self.scope(), registries.credential_helpers());
        let certificates = certificate_directories(self.scope());
        let repository = Repository::for_push(place, &logins, certificates, patience, &sources).map_err(wrong)?;
        let push = Push { store: self, repository, known, progress };
        push.send(name, entry, &manifest)?;
        let tag = reference.digest().map_or_else(|| reference.tag().unwrap_or("latest").to_owned(), Digest::to_string);
        let text = push.manifest(entry)?;
        let media_type = entry.media_type.to_string();
        push.repository.send_manifest(&tag, &media_type, &entry.manifest, &text).map_err(wrong)?;
        let name = full_name(&reference);
        event::record(self.scope(), About::Image, "push", &name, &[("digest", &entry.manifest.to_string())]);
        Ok(Pushed { name, manifest: entry.manifest })
    }

    /// Which repositories of the same registry have blobs of this image, too.
    fn elsewhere(&self, index: &Index, pushed: &ImageManifest, place: &Place) -> HashMap<Digest, String> {
        let wanted: HashSet<String> = blobs(pushed).map(|(digest, _)| digest).collect();
        let mut known = HashMap::new();
        for entry in index.entries() {
            let Some(reference) = entry.name.as_deref().and_then(|name| name.parse::<Reference>().ok()) else {
                continue;
            };
            if reference.host() != Some(&place.host) || reference.path() == place.path {
                continue;
            }
            // One that is damaged is no help; nor is it what is being pushed.
            let Ok((manifest, _)) = self.documents(entry) else { continue };
            let shared = blobs(&manifest).filter(|(digest, _)| wanted.contains(digest));
            for digest in shared.filter_map(|(digest, _)| digest.parse().ok()) {
                known.entry(digest).or_insert_with(|| reference.path().to_owned());
            }
        }
        known
    }
}

impl Push<'_> {
    /// All blobs, several at once. The first failure ends it.
    fn send(&self, name: &str, entry: &Entry, manifest: &ImageManifest) -> Result<(), PushError> {
        let mut wanted: Vec<(Digest, u64)> = Vec::new();
        for (digest, size) in blobs(manifest) {
            let path = self.store.blob(&entry.manifest);
            let digest = digest.parse().map_err(|error| StoreError::damaged(&path, error))?;
            if !wanted.contains(&(digest, size)) {
                wanted.push((digest, size));
            }
        }
        self.progress.expect(wanted.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size)));
        let hands = CONNECTIONS.min(wanted.len());
        let (queue, failure) = (Mutex::new(wanted.into_iter()), Mutex::new(None));
        std::thread::scope(|threads| {
            for _ in 0..hands {
                threads.spawn(|| {
                    while failure.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((digest, size)) = next else { return };
                        if let Err(error) = self.blob(name, &digest, size) {
                            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        }
                    }
                });
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn blob(&self, name: &str, digest: &Digest, size: u64) -> Result<(), PushError> {
        let wrong = |source| PushError::Registry { name: name.to_owned(), source };
        let what = digest.to_string();
        if self.repository.has_blob(digest).map_err(wrong)? {
            self.progress.known(&what);
            return Ok(());
        }
        let path = self.store.blob(digest);
        let content = StoredBlob::open(&path, digest, size, || self.progress.begin(&what, Some(size)))?;
        let from = self.known.get(digest).map(String::as_str);
        match self.repository.send_blob(digest, from, &content).map_err(wrong)? {
            Arrival::Mounted => self.progress.known(&what),
            Arrival::Sent => {}
        }
        Ok(())
    }

    fn manifest(&self, entry: &Entry) -> Result<Vec<u8>, StoreError> {
        let path = self.store.blob(&entry.manifest);
        let text = std::fs::read(&path).map_err(|error| StoreError::damaged(&path, error))?;
        match Digest::of(&text) {
            found if found == entry.manifest => Ok(text),
            found => Err(StoreError::damaged(&path, format_args!("its content is {found}; pull the image again"))),
        }
    }
}

/// The registry's own place: a mirror is somebody else's to fill.
fn place(registries: &Registries, reference: &Reference) -> Result<Place, PushError> {
    let nowhere = || PushError::NoRegistry { image: reference.to_string(), name: reference.to_string() };
    let found = registries.resolve(reference)?.into_iter().next();
    found.and_then(|whereabouts| whereabouts.places.into_iter().next_back()).ok_or_else(nowhere)
}

fn blobs(manifest: &ImageManifest) -> impl Iterator<Item = (String, u64)> + '_ {
    let all = manifest.layers().iter().chain([manifest.config()]);
    all.map(|descriptor| (descriptor.digest().to_string(), descriptor.size()))
}

fn full_name(reference: &Reference) -> String {
    match reference.tag().or(reference.digest().map(|_| "")) {
        Some(_) => reference.to_string(),
        None => format!("{reference}:latest"),
    }
}
