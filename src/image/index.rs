//! `index.json` of the store: which names there are and the manifest each stands for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageIndex, ImageIndexBuilder, MediaType};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use super::error::At;
use super::store::record_in;
use super::{Digest, StoreError, durable};

/// Full name of the image (OCI image-spec, annotations.md).
pub const NAME: &str = "org.opencontainers.image.ref.name";

/// Digest of the index a manifest was chosen from, by which the image may be referred to as well.
pub const CHOSEN_FROM: &str = "org.berth.chosen-from";

/// The names and manifests of a store, as read from its `index.json`.
pub struct Index {
    path: PathBuf,
    entries: Vec<Entry>,
    /// They have just lost their last name.
    nameless: Vec<Digest>,
}

/// One manifest under one name, or under none when its name moved on to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: Option<String>,
    pub manifest: Digest,
    pub size: u64,
    pub media_type: MediaType,
    pub chosen_from: Option<Digest>,
}

impl Index {
    /// A store without an index is empty.
    pub fn load(oci: &Path) -> Result<Index, StoreError> {
        let path = oci.join("index.json");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Index { path, entries: Vec::new(), nameless: Vec::new() });
            }
            Err(error) => return Err(error).at("read", &path),
        };
        let index: ImageIndex = serde_json::from_slice(&text).map_err(|error| StoreError::damaged(&path, error))?;
        let entries = index.manifests().iter().map(Entry::read).collect::<Result<_, _>>();
        let entries = entries.map_err(|error| StoreError::damaged(&path, error))?;
        Ok(Index { path, entries, nameless: Vec::new() })
    }

    /// From now on an image without a name ages.
    pub fn save(&self) -> Result<(), StoreError> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let now = Timestamps { last_access: now, last_modification: now };
        for manifest in &self.nameless {
            let record = record_in(self.path.parent().unwrap_or(&self.path), manifest);
            // Who cannot be given a new time is merely collected sooner.
            let _ = utimensat(CWD, &record, &now, AtFlags::SYMLINK_NOFOLLOW);
        }
        let descriptors: Vec<Descriptor> = self.entries.iter().map(Entry::descriptor).collect();
        let index = ImageIndexBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::ImageIndex)
            .manifests(descriptors)
            .build()
            .map_err(|error| StoreError::damaged(&self.path, error))?;
        let text = serde_json::to_vec(&index).map_err(|error| StoreError::damaged(&self.path, error))?;
        durable::replace(&self.path, &text)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn named(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name.as_deref() == Some(name))
    }

    pub fn names_of(&self, manifest: &Digest) -> Vec<String> {
        self.entries.iter().filter(|entry| entry.manifest == *manifest).filter_map(|entry| entry.name.clone()).collect()
    }

    /// Gives a manifest its name. Who had it before stays, nameless if that was the only one.
    pub fn tie(&mut self, new: Entry) {
        let before = self.entries.iter().position(|entry| entry.name.is_some() && entry.name == new.name);
        if let Some(before) = before {
            let mut old = self.entries.remove(before);
            old.name = None;
            if old.manifest != new.manifest {
                self.add_nameless(old);
            }
        }
        if new.name.is_none() {
            self.add_nameless(new);
            return;
        }
        self.entries.retain(|entry| entry.name.is_some() || entry.manifest != new.manifest);
        self.entries.push(new);
        self.entries.sort_by(|one, other| one.name.cmp(&other.name));
    }

    fn add_nameless(&mut self, entry: Entry) {
        if !self.entries.iter().any(|known| known.manifest == entry.manifest) {
            self.nameless.push(entry.manifest);
            self.entries.push(entry);
        }
    }

    /// Takes a name away, and the manifest with it if that was its only one.
    pub fn untie(&mut self, name: &str) {
        self.entries.retain(|entry| entry.name.as_deref() != Some(name));
    }

    pub fn drop_manifest(&mut self, manifest: &Digest) {
        self.entries.retain(|entry| entry.manifest != *manifest);
    }
}

impl Entry {
    fn read(descriptor: &Descriptor) -> Result<Entry, super::DigestError> {
        let annotation =
            |key: &str| descriptor.annotations().as_ref().and_then(|annotations| annotations.get(key)).cloned();
        Ok(Entry {
            name: annotation(NAME),
            manifest: descriptor.digest().to_string().parse()?,
            size: descriptor.size(),
            media_type: descriptor.media_type().clone(),
            chosen_from: annotation(CHOSEN_FROM).map(|digest| digest.parse()).transpose()?,
        })
    }

    pub fn descriptor(&self) -> Descriptor {
        let mut annotations = HashMap::new();
        annotations.extend(self.name.clone().map(|name| (NAME.to_owned(), name)));
        annotations.extend(self.chosen_from.map(|digest| (CHOSEN_FROM.to_owned(), digest.to_string())));
        let digest = oci_spec::image::Digest::try_from(self.manifest.to_string());
        // A SHA-256 of ours is always one of theirs.
        let mut descriptor = match digest {
            Ok(digest) => Descriptor::new(self.media_type.clone(), self.size, digest),
            Err(error) => unreachable!("{error}"),
        };
        if !annotations.is_empty() {
            descriptor.set_annotations(Some(annotations));
        }
        descriptor
    }
}
