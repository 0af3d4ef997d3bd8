//! What is being brought into the store: nobody sees any of it until all of it is whole and on the disk.

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::image::{ImageConfiguration, MediaType};

use super::super::error::At;
use super::super::index::{Entry, Index};
use super::super::scratch::Scratch;
use super::super::unpack::{Destination, is_opaque};
use super::super::{Digest, ImageRecord, ProcessDefaults, Store, StoreError, durable};
use super::compression::Compression;
use super::pipeline::{Job, Keep, Outcome};
use super::{ImportError, Progress};

pub struct Incoming<'a> {
    store: &'a Store,
    progress: &'a dyn Progress,
    pub scratch: Scratch,
    /// New blobs and layers, and where they wait.
    blobs: HashMap<Digest, PathBuf>,
    layers: HashMap<Digest, PathBuf>,
    images: Vec<(Entry, ImageRecord)>,
    /// As long as it is held, nothing leaves the store.
    _present: OwnedFd,
}

/// One layer on its way in.
pub struct Layer<'a> {
    /// For messages and the progress bar.
    pub what: String,
    pub input: Box<dyn Read + 'a>,
    pub compression: Compression,
    pub blob: BlobSource,
    pub digest: Option<Digest>,
    pub size: Option<u64>,
    pub diff_id: Option<Digest>,
}

/// Where a layer's blob is kept from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobSource {
    /// Already in a file of the scratch directory.
    File(PathBuf),
    /// Written as it is read.
    Stream,
    /// Written compressed, since it is not.
    Compressed,
}

/// Where a layer is written to.
pub(super) struct Places {
    pub keep: Keep,
    /// None where it is unpacked already.
    pub destination: Option<Destination>,
    pub kept: Kept,
}

/// What is there of a layer once it has been read.
pub(super) struct Kept {
    blob: PathBuf,
    layer: Option<PathBuf>,
}

impl Layer<'_> {
    /// All of it, verified.
    pub(super) fn read(
        self,
        keep: Keep,
        destination: Option<Destination>,
        progress: &dyn Progress,
    ) -> Result<Outcome, ImportError> {
        let Layer { what, input, compression, digest, size, diff_id, .. } = self;
        let reading = progress.begin(&what, size);
        let job = Job { what: what.clone(), compression, keep, destination, size, progress: &*reading };
        let outcome = job.run(input)?;
        if let Some(expected) = digest.filter(|expected| *expected != outcome.blob.0) {
            return Err(ImportError::Digest { what, expected, found: outcome.blob.0 });
        }
        if let Some(expected) = diff_id.filter(|expected| *expected != outcome.diff.0) {
            return Err(ImportError::DiffId { what, expected, found: outcome.diff.0 });
        }
        Ok(outcome)
    }
}

impl<'a> Incoming<'a> {
    /// Tidies up what killed imports left first.
    pub fn new(store: &'a Store, progress: &'a dyn Progress) -> Result<Self, StoreError> {
        store.prepare()?;
        store.clean()?;
        let _lock = store.lock()?;
        Ok(Incoming {
            store,
            progress,
            _present: store.share_imports_lock()?,
            scratch: Scratch::new(store)?,
            blobs: HashMap::new(),
            layers: HashMap::new(),
            images: Vec::new(),
        })
    }

    fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest) || self.store.blob(digest).exists()
    }

    fn layer_path(&self, diff_id: &Digest) -> Option<PathBuf> {
        let stored = || Some(self.store.layer(diff_id)).filter(|path| path.exists());
        self.layers.get(diff_id).cloned().or_else(stored)
    }

    /// Keeps a small blob: a manifest or a configuration.
    pub fn add_blob(&mut self, content: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(content);
        if !self.has_blob(&digest) {
            let path = self.scratch.fresh();
            std::fs::write(&path, content).at("write", &path)?;
            self.blobs.insert(digest, path);
        }
        Ok(digest)
    }

    /// Verifies a layer, and keeps of it what the store does not have.
    pub fn add_layer(&mut self, layer: Layer<'_>) -> Result<Outcome, ImportError> {
        if let (Some(diff_id), Some(digest), Some(size)) = (layer.diff_id, layer.digest, layer.size)
            && self.has_layer(&layer.what, &digest, &diff_id)
        {
            return Ok(Outcome { blob: (digest, size), diff: (diff_id, 0) });
        }
        let Places { keep, destination, kept } = self.places(&layer)?;
        let outcome = layer.read(keep, destination, self.progress)?;
        self.keep(kept, &outcome);
        Ok(outcome)
    }

    /// Whether a layer is there both packed and unpacked; if so, its reader need not come, and is told.
    pub(super) fn has_layer(&self, what: &str, digest: &Digest, diff_id: &Digest) -> bool {
        let there = self.is_there(digest, diff_id);
        if there {
            self.progress.known(what);
        }
        there
    }

    pub(super) fn is_there(&self, digest: &Digest, diff_id: &Digest) -> bool {
        self.layer_path(diff_id).is_some() && self.has_blob(digest)
    }

    pub(super) fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// Makes room for what of the layer is to be kept.
    pub(super) fn places(&mut self, layer: &Layer<'_>) -> Result<Places, StoreError> {
        let (blob, keep) = match &layer.blob {
            BlobSource::File(path) => (path.clone(), Keep::Nothing),
            BlobSource::Stream => {
                let (path, file) = self.scratch.fresh_file()?;
                (path, Keep::AsItIs(file))
            }
            BlobSource::Compressed => {
                let (path, file) = self.scratch.fresh_file()?;
                (path, Keep::Zstd(file))
            }
        };
        let (layer, destination) = match layer.diff_id.as_ref().and_then(|id| self.layer_path(id)) {
            Some(_) => (None, None),
            None => {
                let (path, layer) = self.scratch.fresh_directory()?;
                let (_, trash) = self.scratch.fresh_directory()?;
                let (_, notes) = self.scratch.fresh_file()?;
                (Some(path), Some(Destination { layer, trash, notes }))
            }
        };
        Ok(Places { keep, destination, kept: Kept { blob, layer } })
    }

    /// Notes what a layer's reader has verified.
    pub(super) fn keep(&mut self, kept: Kept, outcome: &Outcome) {
        self.blobs.entry(outcome.blob.0).or_insert(kept.blob);
        if let Some(path) = kept.layer {
            self.layers.entry(outcome.diff.0).or_insert(path);
        }
    }

    /// Notes an image whose blobs and layers have all been added.
    pub fn add_image(&mut self, entry: Entry, config: &ImageConfiguration) -> Result<ImageRecord, ImportError> {
        let malformed = |problem: String| ImportError::Malformed { what: "the image's configuration".into(), problem };
        let mut layers = Vec::new();
        for diff_id in config.rootfs().diff_ids() {
            let digest: Digest = diff_id.parse().map_err(|error| malformed(format!("{error}")))?;
            let path = self.layer_path(&digest).ok_or_else(|| malformed(format!("layer {digest} is not there")))?;
            // Whatever is below a layer with an opaque root can never be seen.
            if opaque_root(&path)? {
                layers.clear();
            }
            layers.push(diff_id.clone());
        }
        let record = ImageRecord {
            manifest: entry.manifest.to_string(),
            layers,
            platform: platform_of(config),
            process: process_defaults(config),
            verified: None,
        };
        self.images.push((entry, record.clone()));
        Ok(record)
    }

    /// Keeps with the image added last who has vouched for it.
    pub fn vouch(&mut self, record: &ImageRecord) {
        if let Some((_, last)) = self.images.last_mut() {
            last.clone_from(record);
        }
    }

    /// Everything at once: on the disk first, then in its place, and named last.
    pub fn commit(self) -> Result<(), StoreError> {
        self.scratch.sync()?;
        let store = self.store;
        let _lock = store.lock()?;
        for (digest, path) in &self.blobs {
            put(path, &store.blob(digest))?;
        }
        for (diff_id, path) in &self.layers {
            put(path, &store.layer(diff_id))?;
        }
        durable::sync_directory(&store.blobs())?;
        durable::sync_directory(&store.scope().layers())?;
        let mut index = Index::load(&store.oci())?;
        for (entry, record) in self.images {
            let path = store.record_path(&entry.manifest);
            let text = serde_json::to_vec(&record).map_err(|error| StoreError::damaged(&path, error))?;
            durable::replace(&path, &text)?;
            index.tie(entry);
        }
        index.save()
    }
}

/// Another import may have been first with the same content.
fn put(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Ok(());
    }
    std::fs::rename(from, to).at("rename", from)
}

fn opaque_root(layer: &Path) -> Result<bool, StoreError> {
    let directory = std::fs::File::open(layer).at("open", layer)?;
    Ok(is_opaque(std::os::fd::AsFd::as_fd(&directory)))
}

/// `linux/arm/v7`.
pub fn platform_of(config: &ImageConfiguration) -> String {
    let variant = config.variant().as_ref().filter(|variant| !variant.is_empty());
    let variant = variant.map_or(String::new(), |variant| format!("/{variant}"));
    format!("{}/{}{variant}", config.os(), config.architecture())
}

/// An image whose media type nobody said.
pub fn manifest_type(said: Option<&MediaType>) -> MediaType {
    said.cloned().unwrap_or(MediaType::ImageManifest)
}

/// What the image itself says of its process.
pub fn process_defaults(config: &ImageConfiguration) -> ProcessDefaults {
    let Some(config) = config.config() else { return ProcessDefaults::default() };
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut defaults = ProcessDefaults {
        entrypoint: config.entrypoint().clone().unwrap_or_default(),
        command: config.cmd().clone().unwrap_or_default(),
        environment: config.env().clone().unwrap_or_default(),
        working_directory: text(config.working_dir()),
        user: text(config.user()),
        stop_signal: text(config.stop_signal()),
        volumes: config.volumes().clone().unwrap_or_default(),
        exposed_ports: config.exposed_ports().clone().unwrap_or_default(),
        labels: config.labels().clone().unwrap_or_default().into_iter().collect(),
    };
    // They come from a map without order.
    defaults.volumes.sort();
    defaults.exposed_ports.sort();
    defaults
}
