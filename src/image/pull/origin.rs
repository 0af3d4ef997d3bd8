//! A registry as the origin of one image. What the store has already is not asked for.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use oci_spec::image::Descriptor;

use super::super::import::compression::Compression;
use super::super::import::layout::{digest_of, is_index};
use super::super::import::{Announced, BlobSource, ImportError, Opened, Origin};
use super::super::index::Entry;
use super::super::registry::{Document, LARGEST_DOCUMENT};
use super::super::{Digest, RegistryError, Repository, Store};
use super::document;

/// A second connection hides the time the first one waits; many are taken for an attack.
const CONNECTIONS: usize = 3;

/// Enough to tell every compression by.
const HEAD: u64 = 16;

pub struct RegistryOrigin<'a> {
    store: &'a Store,
    repository: Repository,
    top: Document,
    /// The index, where `top` is not it but what was chosen from it before.
    chosen_from: Option<Digest>,
    /// Manifests and indexes of this image, verified.
    seen: Mutex<HashMap<Digest, Vec<u8>>>,
}

impl<'a> RegistryOrigin<'a> {
    /// The image the registry has under a tag or digest. Where it is the one the store has under this name already,
    /// `known`, its documents are not sent again.
    pub fn find(
        store: &'a Store,
        repository: Repository,
        reference: &str,
        known: Option<&Entry>,
    ) -> Result<RegistryOrigin<'a>, RegistryError> {
        let known = known.and_then(|entry| Some((entry, stored(store, &entry.manifest)?)));
        if let Some((entry, text)) = known {
            let now = repository.digest(reference)?;
            if now.is_some() && (now == Some(entry.manifest) || now == entry.chosen_from) {
                let top = Document { digest: entry.manifest, media_type: entry.media_type.to_string(), text };
                return Ok(RegistryOrigin::new(store, repository, top, entry.chosen_from));
            }
        }
        let top = repository.manifest(reference)?;
        Ok(RegistryOrigin::new(store, repository, top, None))
    }

    fn new(store: &'a Store, repository: Repository, top: Document, chosen_from: Option<Digest>) -> Self {
        let seen = Mutex::new(HashMap::from([(top.digest, top.text.clone())]));
        RegistryOrigin { store, repository, top, chosen_from, seen }
    }

    pub fn chosen_from(&self) -> Option<Digest> {
        self.chosen_from
    }

    /// The index the image was chosen from, if there is one.
    pub fn index(&self) -> Result<Option<(Digest, Vec<u8>)>, RegistryError> {
        match (self.chosen_from, self.top().is_ok_and(|top| is_index(&top))) {
            (_, true) => Ok(Some((self.top.digest, self.top.text.clone()))),
            (Some(digest), false) => Ok(Some((digest, self.repository.manifest(&digest.to_string())?.text))),
            (None, false) => Ok(None),
        }
    }

    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub fn top(&self) -> Result<Descriptor, ImportError> {
        let what = self.what(&self.top.digest);
        let media_type = document::media_type(&what, &self.top.text)?;
        let digest = oci_spec::image::Digest::try_from(self.top.digest.to_string());
        let digest = digest.map_err(|error| ImportError::Malformed { what, problem: error.to_string() })?;
        Ok(Descriptor::new(media_type, self.top.text.len() as u64, digest))
    }

    /// A document is fetched once, however often it is looked at.
    pub fn kept_manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        let digest = digest_of(descriptor)?;
        let known = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        let text = match known.or_else(|| stored(self.store, &digest)) {
            Some(text) => text,
            None => self.repository.manifest(&digest.to_string())?.text,
        };
        let what = self.what(&digest);
        let found = text.len() as u64;
        if found != descriptor.size() {
            return Err(RegistryError::Size { what, expected: descriptor.size(), found }.into());
        }
        let media_type = document::media_type(&what, &text)?;
        if is_index(&Descriptor::new(media_type.clone(), found, descriptor.digest().clone())) != is_index(descriptor) {
            let problem = format!("announced as {}, but it is {media_type}", descriptor.media_type());
            return Err(ImportError::Malformed { what, problem });
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, text.clone());
        Ok(text)
    }
}

/// A document of an earlier pull, unless it has been damaged since.
fn stored(store: &Store, digest: &Digest) -> Option<Vec<u8>> {
    let file = std::fs::File::open(store.blob(digest)).ok()?;
    let mut text = Vec::new();
    file.take(LARGEST_DOCUMENT).read_to_end(&mut text).ok()?;
    (Digest::of(&text) == *digest).then_some(text)
}

impl Origin for RegistryOrigin<'_> {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        self.kept_manifest(descriptor)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        let digest = digest_of(descriptor)?;
        match stored(self.store, &digest).filter(|text| text.len() as u64 == descriptor.size()) {
            Some(text) => Ok(text),
            None => Ok(self.repository.document(&digest, descriptor.size())?),
        }
    }

    fn layer<'a>(&'a self, layer: &'a Announced, stop: &'a AtomicBool) -> Result<Opened<'a>, ImportError> {
        let mut stream = self.repository.blob(&layer.digest, layer.size, stop)?;
        let mut head = Vec::new();
        let read = stream.by_ref().take(HEAD).read_to_end(&mut head);
        read.map_err(|source| ImportError::Read { what: self.what(&layer.digest), source })?;
        let compression = Compression::of(&head);
        let input = Box::new(Cursor::new(head).chain(stream));
        Ok(Opened { input, compression, blob: BlobSource::Stream })
    }

    fn what(&self, digest: &Digest) -> String {
        digest.to_string()
    }

    fn hands(&self) -> usize {
        CONNECTIONS
    }
}
