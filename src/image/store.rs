//! `/var/lib/berth/{oci,layers,incoming}`: where everything lies, and how an image is found.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::error::{At, Hint};
use super::index::{Entry, Index};
use super::reference::{Reference, as_id};
use super::{Digest, ImageRecord, Registries, StoreError, durable};
use crate::Scope;

/// The whole of `oci-layout` (OCI image-spec, image-layout.md).
pub(super) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The images of one scope. Nothing is read or made before it is asked for.
#[derive(Debug, Clone)]
pub struct Store {
    scope: Scope,
}

impl Store {
    pub fn open(scope: &Scope) -> Store {
        Store { scope: scope.clone() }
    }

    /// The image a container's TOML names: a full name, a short one (first `localhost/`, then Docker Hub's), either
    /// with `@sha256:…`, or the first digits of an id.
    pub fn find(&self, reference: &str) -> Result<ImageRecord, StoreError> {
        let index = Index::load(&self.oci())?;
        self.record(&self.meant(&index, reference)?.manifest)
    }

    /// What a container's word stands for.
    pub(super) fn meant<'a>(&self, index: &'a Index, reference: &str) -> Result<&'a Entry, StoreError> {
        resolve(index, reference).or_else(|error| self.led_to(index, reference).ok_or(error))
    }

    /// Whether it is by a name, of its own or one that leads to it, rather than by an id that a word finds something.
    pub(super) fn is_name(&self, index: &Index, text: &str) -> bool {
        is_name(index, text) || (resolve(index, text).is_err() && self.led_to(index, text).is_some())
    }

    /// Whether what is found by this word is there by an id, or by a name that no registry gave it.
    pub(super) fn is_own(&self, reference: &str) -> bool {
        let Ok(index) = Index::load(&self.oci()) else { return false };
        let name = resolve(&index, reference).map(|entry| entry.name.as_deref());
        name.is_ok_and(|name| !is_name(&index, reference) || name.is_some_and(|name| name.starts_with("localhost/")))
    }

    /// The image a short name leads to by registries.conf: an alias' or a searched registry's.
    fn led_to<'a>(&self, index: &'a Index, reference: &str) -> Option<&'a Entry> {
        let parsed = reference.parse::<Reference>().ok().filter(|parsed| parsed.host().is_none())?;
        let registries = Registries::of(&self.scope).ok()?;
        let places = registries.resolve(&parsed).ok()?;
        places.iter().find_map(|found| by_reference(index, &parsed.of_repository(&found.repository)?))
    }

    /// Keeps `remove` from taking the image away, as long as the descriptor is open somewhere.
    pub fn lock_image(&self, image: &ImageRecord) -> Result<OwnedFd, StoreError> {
        let manifest: Digest = image.manifest.parse().map_err(|error| StoreError::damaged(&self.records(), error))?;
        let path = self.image_lock(&manifest);
        loop {
            let lock = open_lock(&path)?;
            flock(&lock, FlockOperation::LockShared).at("lock", &path)?;
            // It may have been removed between finding and locking it, and imported again since.
            if !self.record_path(&manifest).exists() {
                return Err(StoreError::Vanished(image.manifest.clone()));
            }
            if is_at(&lock, &path) {
                return Ok(lock);
            }
        }
    }

    pub(super) fn record(&self, manifest: &Digest) -> Result<ImageRecord, StoreError> {
        let path = self.record_path(manifest);
        let text = std::fs::read(&path).at("read", &path)?;
        serde_json::from_slice(&text).map_err(|error| StoreError::damaged(&path, error))
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The OCI image layout.
    pub(super) fn oci(&self) -> PathBuf {
        self.scope.store.join("oci")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.oci().join("blobs/sha256")
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// Whether a blob's content is not what its name says.
    pub(super) fn is_damaged(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.blob(digest);
        let file = std::fs::File::open(&path).at("open", &path)?;
        Ok(Digest::of_stream(file).at("read", &path)? != *digest)
    }

    pub(super) fn records(&self) -> PathBuf {
        records_in(&self.oci())
    }

    pub(super) fn record_path(&self, manifest: &Digest) -> PathBuf {
        record_in(&self.oci(), manifest)
    }

    /// Not the record itself: a lock must outlive every rename.
    pub(super) fn image_lock(&self, manifest: &Digest) -> PathBuf {
        self.records().join(format!("{}.lock", manifest.hex()))
    }

    pub(super) fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.scope.layers().join(diff_id.hex())
    }

    /// What is being brought in or thrown away, in the file system of its destination.
    pub(super) fn incoming(&self) -> PathBuf {
        self.scope.store.join("incoming")
    }

    /// Makes the directories where they are missing.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        std::fs::create_dir_all(&self.scope.store).at("make the directory", &self.scope.store)?;
        for directory in [self.blobs(), self.records(), self.scope.layers(), self.incoming()] {
            durable::private_directory(&directory)?;
        }
        let layout = self.oci().join("oci-layout");
        if layout.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        durable::replace(&layout, LAYOUT)
    }

    /// Everything written to the store until now is on the disk afterwards.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let path = self.incoming();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&path, flags, Mode::empty()).at("open", &path)?;
        rustix::fs::syncfs(&directory).at("sync", &path)
    }

    /// Held while names, records, blobs and layers change; never while anything is read or unpacked.
    pub(super) fn lock(&self) -> Result<OwnedFd, StoreError> {
        let path = self.scope.store.join("lock");
        let lock = open_lock(&path)?;
        flock(&lock, FlockOperation::LockExclusive).at("lock", &path)?;
        Ok(lock)
    }
}

/// Of the OCI image layout there.
pub(super) fn record_in(oci: &Path, manifest: &Digest) -> PathBuf {
    records_in(oci).join(format!("{}.json", manifest.hex()))
}

fn records_in(oci: &Path) -> PathBuf {
    oci.join("records")
}

/// Opens a lock file, making it where it is missing.
pub(super) fn open_lock(path: &Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).at("open", path)
}

/// Whether what is open is what has that name.
pub(super) fn is_at(open: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(open), rustix::fs::lstat(path)) {
        (Ok(open), Ok(path)) => (open.st_dev, open.st_ino) == (path.st_dev, path.st_ino),
        _ => false,
    }
}

/// Takes the lock if nobody has it.
pub(super) fn try_lock(lock: &OwnedFd, path: &Path) -> Result<bool, StoreError> {
    match flock(lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno).at("lock", path),
    }
}

/// What a person's word stands for: a name exactly, a short name's candidates, an id's first digits.
fn resolve<'a>(index: &'a Index, text: &str) -> Result<&'a Entry, StoreError> {
    if let Some(entry) = index.named(text) {
        return Ok(entry);
    }
    match (text.parse::<Reference>(), as_id(text)) {
        (Ok(reference), id) => match by_reference(index, &reference) {
            Some(entry) => Ok(entry),
            None => id.map_or_else(|| Err(not_found(index, text)), |id| by_id(index, text, id)),
        },
        (Err(_), Some(id)) => by_id(index, text, id),
        (Err(error), None) => Err(error.into()),
    }
}

/// The same, but for names that only lead to one.
fn is_name(index: &Index, text: &str) -> bool {
    let by_name = || text.parse().is_ok_and(|reference| by_reference(index, &reference).is_some());
    index.named(text).is_some() || by_name()
}

/// With a digest the tag says nothing: what counts is that a repository of this name has this content.
fn by_reference<'a>(index: &'a Index, reference: &Reference) -> Option<&'a Entry> {
    let candidates = reference.candidates();
    let Some(digest) = reference.digest() else {
        return candidates.iter().find_map(|name| index.named(name));
    };
    let same_content =
        index.entries().iter().filter(|entry| entry.manifest == *digest || entry.chosen_from.as_ref() == Some(digest));
    // A name with a digest has no tag.
    let repository = |name: &str| match name.split_once('@') {
        Some((repository, _)) => Some(repository.to_owned()),
        None => name.rsplit_once(':').map(|(repository, _)| repository.to_owned()),
    };
    let wanted: Vec<_> = candidates.iter().map(|name| repository(name)).collect();
    same_content.into_iter().find(|entry| match entry.name.as_deref() {
        Some(name) => wanted.contains(&repository(name)),
        None => true,
    })
}

fn by_id<'a>(index: &'a Index, text: &str, id: &str) -> Result<&'a Entry, StoreError> {
    let mut found: Vec<&Entry> = index.entries().iter().filter(|entry| entry.manifest.hex().starts_with(id)).collect();
    found.sort_by_key(|entry| entry.manifest);
    found.dedup_by_key(|entry| entry.manifest);
    match found.as_slice() {
        [] => Err(not_found(index, text)),
        [only] => Ok(only),
        several => Err(StoreError::Ambiguous {
            id: text.to_owned(),
            matches: several.iter().map(|entry| entry.manifest.hex()[..12].to_owned()).collect(),
        }),
    }
}

fn not_found(index: &Index, text: &str) -> StoreError {
    let wanted = repository_base(text);
    let mut similar: Vec<(usize, String)> = index
        .entries()
        .iter()
        .filter_map(|entry| entry.name.clone())
        .map(|name| (edits(repository_base(&name), wanted), name))
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    similar.sort();
    let similar = similar.into_iter().take(3).map(|(_, name)| format!("“{name}”")).collect();
    StoreError::NotFound { reference: text.to_owned(), hint: Hint { similar } }
}

/// `nginx` of `docker.io/library/nginx:1.27`.
fn repository_base(name: &str) -> &str {
    let base = name.rsplit('/').next().unwrap_or(name);
    base.split([':', '@']).next().unwrap_or(base)
}

/// How many letters must be changed, added or left out (Levenshtein's distance), of names of at most 64 letters.
fn edits(one: &str, other: &str) -> usize {
    if one.len() > 64 || other.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = number + 1;
        for (column, against) in other.bytes().enumerate() {
            let substitution = diagonal + usize::from(letter != against);
            diagonal = row[column + 1];
            row[column + 1] = substitution.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
