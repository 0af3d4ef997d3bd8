//! Images out of the store, for another one: their blobs as they are.

mod docker;
mod layout;
mod sink;

use std::os::fd::OwnedFd;
use std::path::Path;

use oci_spec::image::{ImageConfiguration, ImageManifest};

use super::index::{Entry, Index};
use super::{Digest, Store, StoreError};
use sink::Sink;

/// What images are saved as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveFormat {
    /// A tar archive of an OCI image layout.
    OciArchive,
    /// What every docker can load: layers as they are unpacked, in a tar archive.
    DockerArchive,
    /// An OCI image layout as a directory.
    OciDirectory,
}

/// One image to be saved, and what keeps it from being removed meanwhile.
struct Chosen {
    /// Nameless where it was chosen by its id.
    entry: Entry,
    manifest: ImageManifest,
    config: ImageConfiguration,
    _lock: OwnedFd,
}

impl Store {
    /// Writes images to `to`; `-` is standard output. What is there before stays until all of it is written.
    pub fn save(&self, images: &[String], format: SaveFormat, to: &Path) -> Result<(), StoreError> {
        let chosen = self.choose_images(images)?;
        let mut sink = match format {
            SaveFormat::OciDirectory => Sink::directory(to)?,
            SaveFormat::OciArchive | SaveFormat::DockerArchive => Sink::archive(to)?,
        };
        match format {
            SaveFormat::OciArchive | SaveFormat::OciDirectory => layout::write(self, &chosen, &mut sink)?,
            SaveFormat::DockerArchive => docker::write(self, &chosen, &mut sink)?,
        }
        sink.finish()
    }

    fn choose_images(&self, images: &[String]) -> Result<Vec<Chosen>, StoreError> {
        let index = Index::load(&self.oci())?;
        let mut chosen: Vec<Chosen> = Vec::with_capacity(images.len());
        for image in images {
            let entry = self.meant(&index, image)?;
            let name = entry.name.clone().filter(|_| self.is_name(&index, image));
            let entry = Entry { name, chosen_from: None, ..entry.clone() };
            if chosen.iter().any(|known| known.entry == entry) {
                continue;
            }
            let _lock = self.lock_image(&self.record(&entry.manifest)?)?;
            let (manifest, config) = self.documents(&entry)?;
            chosen.push(Chosen { entry, manifest, config, _lock });
        }
        Ok(chosen)
    }
}

/// A digest of a document of the store, which was verified when it came in.
fn digest_in(store: &Store, image: &Chosen, digest: &impl ToString) -> Result<Digest, StoreError> {
    let path = store.blob(&image.entry.manifest);
    digest.to_string().parse().map_err(|error| StoreError::damaged(&path, error))
}
