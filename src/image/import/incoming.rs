//! What is being brought into the store. Each layer goes to its place as soon as it is whole and on the disk; the image
//! gets its name when all of it is.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use oci_spec::image::{Descriptor, ImageConfiguration, MediaType};

use super::super::error::At;
use super::super::index::{Entry, Index};
use super::super::scratch::{Scratch, remove_leftovers};
use super::super::turn::Turn;
use super::super::unpack::{Destination, is_opaque};
use super::super::{Digest, ImageRecord, ProcessDefaults, Store, StoreError, durable};
use super::compression::Compression;
use super::layout::{digest_of, sniff};
use super::origin::Origin;
use super::pipeline::{Job, Keep, Outcome};
use super::settling::{Finished, Pace, Piece};
use super::{ImportError, Progress, Silent};

pub struct Incoming<'a> {
    store: &'a Store,
    progress: &'a dyn Progress,
    pub scratch: Scratch,
    /// New blobs and layers, and where they wait, or waited, to get to their places.
    blobs: HashMap<Digest, PathBuf>,
    layers: HashMap<Digest, PathBuf>,
    pub(super) finished: Finished,
    /// In their places by our doing.
    pub(super) placed: HashSet<PathBuf>,
    pub(super) pace: Pace,
    images: Vec<(Entry, ImageRecord)>,
    /// Whether what is finished stays, though the image never gets its name.
    lasting: bool,
    /// There is something worth staying.
    has_layer: bool,
    /// As long as it is held, nothing leaves the store.
    present: Option<OwnedFd>,
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
    /// One whose blob is in the store.
    pub fn of_blob(
        path: &Path,
        blob: BlobSource,
        digest: Digest,
        size: u64,
        diff_id: Digest,
    ) -> Result<Layer<'static>, ImportError> {
        let what = digest.to_string();
        let mut file = std::fs::File::open(path).at("open", path)?;
        let compression = sniff(&mut file, &what)?;
        let (digest, size, diff_id) = (Some(digest), Some(size), Some(diff_id));
        Ok(Layer { what, input: Box::new(file), compression, blob, digest, size, diff_id })
    }

    /// Once more, from its blob alone.
    pub fn read_again(self, destination: Destination) -> Result<(), ImportError> {
        self.read(Keep::Nothing, Some(destination), &Silent).map(drop)
    }

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
        let _lock = store.lock()?;
        remove_leftovers(store)?;
        Ok(Incoming {
            store,
            progress,
            present: Some(store.share_imports_lock()?),
            scratch: Scratch::new(store)?,
            blobs: HashMap::new(),
            layers: HashMap::new(),
            finished: Finished::default(),
            placed: HashSet::new(),
            pace: Pace::new(),
            images: Vec::new(),
            lasting: false,
            has_layer: false,
        })
    }

    pub(super) fn store(&self) -> &'a Store {
        self.store
    }

    fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest) || self.store.blob(digest).exists()
    }

    fn layer_path(&self, diff_id: &Digest) -> Option<PathBuf> {
        let stored = || Some(self.store.layer(diff_id)).filter(|path| path.exists());
        let staged = self.layers.get(diff_id).cloned().filter(|path| path.exists());
        staged.or_else(stored)
    }

    /// Keeps a small blob: a manifest or a configuration.
    pub fn add_blob(&mut self, content: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(content);
        if !self.has_blob(&digest) {
            let path = self.scratch.fresh();
            std::fs::write(&path, content).at("write", &path)?;
            self.blobs.insert(digest, self.finished.add(&path, Piece::Blob(digest))?);
        }
        Ok(digest)
    }

    /// An image's configuration. Others who need it wait until it is in its place, with the first layers.
    pub fn config(&mut self, origin: &dyn Origin, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        let digest = digest_of(descriptor)?;
        let progress = self.progress;
        let say = |first| progress.waiting("the image's configuration", first);
        let turn = match self.has_blob(&digest) {
            true => None,
            false => Turn::wait(self.store, &digest, &AtomicBool::new(false), say)?,
        };
        let text = origin.config(descriptor)?;
        self.add_blob(&text)?;
        if let Some(turn) = turn {
            self.finished.hold(turn);
        }
        Ok(text)
    }

    /// Verifies a layer, and keeps of it what the store does not have.
    pub fn add_layer(&mut self, layer: Layer<'_>) -> Result<Outcome, ImportError> {
        if let (Some(diff_id), Some(digest), Some(size)) = (layer.diff_id, layer.digest, layer.size)
            && self.has_layer(&layer.what, &digest, &diff_id)
        {
            return Ok(Outcome { blob: (digest, size), diff: (diff_id, 0) });
        }
        let Places { keep, destination, kept } = self.places(&layer)?;
        let outcome = layer.read(keep, destination, self.progress).inspect_err(|error| self.fail(error))?;
        self.keep(kept, &outcome, None)?;
        if self.pace.is_due() {
            self.settle()?;
        }
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
                let (path, destination) = self.fresh_destination()?;
                (Some(path), Some(destination))
            }
        };
        Ok(Places { keep, destination, kept: Kept { blob, layer } })
    }

    /// An empty directory for a layer, and what its writing needs.
    pub fn fresh_destination(&mut self) -> Result<(PathBuf, Destination), StoreError> {
        let (path, layer) = self.scratch.fresh_directory()?;
        let (_, trash) = self.scratch.fresh_directory()?;
        let (_, notes) = self.scratch.fresh_file()?;
        Ok((path, Destination { layer, trash, notes }))
    }

    /// Notes what a layer's reader has verified.
    pub(super) fn keep(&mut self, kept: Kept, outcome: &Outcome, turn: Option<Turn>) -> Result<(), StoreError> {
        let (blob, diff_id) = (outcome.blob.0, outcome.diff.0);
        if let Place::Vacant(place) = self.blobs.entry(blob) {
            place.insert(self.finished.add(&kept.blob, Piece::Blob(blob))?);
        }
        if let Some(path) = kept.layer
            && let Place::Vacant(place) = self.layers.entry(diff_id)
        {
            place.insert(self.finished.add(&path, Piece::Layer(diff_id))?);
        }
        if let Some(turn) = turn {
            self.finished.hold(turn);
        }
        self.has_layer = true;
        Ok(())
    }

    /// An interruption is no reason to fetch again what was finished before it.
    pub(super) fn fail(&mut self, error: &ImportError) {
        self.lasting = self.has_layer && error.is_interruption();
    }

    /// What is finished goes to its place.
    fn settle(&mut self) -> Result<(), StoreError> {
        let (finished, start) = (std::mem::take(&mut self.finished), Instant::now());
        if !finished.is_empty() {
            self.placed.extend(finished.settle(self.store)?);
        }
        self.pace.settled(start.elapsed());
        Ok(())
    }

    /// Notes an image whose blobs and layers have all been added.
    pub fn add_image(&mut self, entry: Entry, config: &ImageConfiguration) -> Result<ImageRecord, ImportError> {
        let record = self.record_of(&entry, config)?;
        self.images.push((entry, record.clone()));
        Ok(record)
    }

    /// What is kept of an image whose layers are all there.
    pub fn record_of(&self, entry: &Entry, config: &ImageConfiguration) -> Result<ImageRecord, ImportError> {
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
        Ok(ImageRecord {
            manifest: entry.manifest.to_string(),
            layers,
            platform: platform_of(config),
            process: process_defaults(config),
            verified: None,
        })
    }

    /// Keeps with the image added last who has vouched for it.
    pub fn vouch(&mut self, record: &ImageRecord) {
        if let Some((_, last)) = self.images.last_mut() {
            last.clone_from(record);
        }
    }

    pub fn scope(&self) -> &crate::Scope {
        self.store.scope()
    }

    /// The rest of it to its place, and named last.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.settle()?;
        let store = self.store;
        let _lock = store.lock()?;
        durable::sync_directory(&store.blobs())?;
        durable::sync_directory(&store.scope().layers())?;
        let mut index = Index::load(&store.oci())?;
        for (entry, record) in std::mem::take(&mut self.images) {
            let path = store.record_path(&entry.manifest);
            let text = serde_json::to_vec(&record).map_err(|error| StoreError::damaged(&path, error))?;
            let is_new = !path.exists();
            durable::replace(&path, &text)?;
            if is_new {
                self.placed.insert(path);
            }
            index.tie(entry);
        }
        index.save()?;
        self.lasting = true;
        Ok(())
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if self.lasting {
            // Of a commit nothing is left to do.
            let _ = self.settle();
            return;
        }
        self.present = None;
        if !self.placed.is_empty()
            && let Ok(_lock) = self.store.lock()
        {
            // What others count on by now, and what cannot be moved, is left to the collection of garbage.
            let _ = self.store.release(&self.placed, &mut self.scratch);
        }
    }
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
