//! What `image list` and `image inspect` show.

use std::collections::BTreeMap;

use oci_spec::image::{ImageConfiguration, ImageManifest};
use serde::Serialize;

use super::error::At;
use super::index::{Entry, Index};
use super::{ImageRecord, Store, StoreError};

/// One line of `image list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageRow {
    /// None for an image whose name moved on to a newer one.
    pub name: Option<String>,
    /// The first twelve digits of the manifest's digest.
    pub id: String,
    pub manifest: String,
    pub platform: String,
    /// RFC 3339, as the builder wrote it.
    pub created: Option<String>,
    /// Bytes of the blobs, as a registry would send them.
    pub size: u64,
    pub layers: usize,
}

/// Everything known of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageDetails {
    pub names: Vec<String>,
    #[serde(flatten)]
    pub record: ImageRecord,
    pub created: Option<String>,
    pub author: Option<String>,
    pub size: u64,
    /// The compressed layers, in the manifest's order: digest and bytes.
    pub blobs: Vec<Blob>,
    pub annotations: BTreeMap<String, String>,
    pub history: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Blob {
    pub digest: String,
    pub media_type: String,
    pub size: u64,
}

impl Store {
    /// By name; images without one come first.
    pub fn list(&self) -> Result<Vec<ImageRow>, StoreError> {
        let index = Index::load(&self.oci())?;
        index.entries().iter().map(|entry| self.row(entry)).collect()
    }

    fn row(&self, entry: &Entry) -> Result<ImageRow, StoreError> {
        let record = self.record(&entry.manifest)?;
        let (manifest, config) = self.documents(entry)?;
        Ok(ImageRow {
            name: entry.name.clone(),
            id: entry.manifest.hex()[..12].to_owned(),
            manifest: record.manifest,
            platform: record.platform,
            created: config.created().clone(),
            size: size(entry, &manifest),
            layers: manifest.layers().len(),
        })
    }

    pub fn inspect(&self, reference: &str) -> Result<ImageDetails, StoreError> {
        let index = Index::load(&self.oci())?;
        let entry = self.meant(&index, reference)?;
        let (manifest, config) = self.documents(entry)?;
        Ok(ImageDetails {
            names: index.names_of(&entry.manifest),
            record: self.record(&entry.manifest)?,
            created: config.created().clone(),
            author: config.author().clone(),
            size: size(entry, &manifest),
            blobs: blobs(&manifest),
            annotations: manifest.annotations().clone().unwrap_or_default().into_iter().collect(),
            history: config.history().iter().flatten().filter_map(|step| step.created_by().clone()).collect(),
        })
    }

    /// Manifest and configuration of an image in the store.
    pub(super) fn documents(&self, entry: &Entry) -> Result<(ImageManifest, ImageConfiguration), StoreError> {
        let manifest: ImageManifest = self.document(&entry.manifest)?;
        let path = self.blob(&entry.manifest);
        let config = manifest.config().digest().to_string().parse();
        let config = self.document(&config.map_err(|error| StoreError::damaged(&path, error))?)?;
        Ok((manifest, config))
    }

    fn document<T: serde::de::DeserializeOwned>(&self, digest: &super::Digest) -> Result<T, StoreError> {
        let path = self.blob(digest);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::missing_blob(&path, digest));
            }
            other => other.at("read", &path)?,
        };
        serde_json::from_slice(&text).map_err(|error| StoreError::damaged(&path, error))
    }
}

pub(super) fn blobs(manifest: &ImageManifest) -> Vec<Blob> {
    let blob = |layer: &oci_spec::image::Descriptor| Blob {
        digest: layer.digest().to_string(),
        media_type: layer.media_type().to_string(),
        size: layer.size(),
    };
    manifest.layers().iter().map(blob).collect()
}

fn size(entry: &Entry, manifest: &ImageManifest) -> u64 {
    let layers = manifest.layers().iter().map(|layer| layer.size());
    layers.fold(entry.size.saturating_add(manifest.config().size()), u64::saturating_add)
}
