//! A manifest for what came without one.

use oci_spec::image::{Descriptor, ImageConfiguration};
use serde_json::json;

use super::super::index::Entry;
use super::super::{Digest, StoreError};
use super::compression::Compression;
use super::incoming::{BlobSource, manifest_type};
use super::layout::digest_of;
use super::pipeline::Outcome;
use super::{ImportError, Imported, Incoming};

/// One layer as a manifest lists it.
#[derive(Debug, Clone)]
pub struct KeptLayer {
    media_type: &'static str,
    digest: Digest,
    size: u64,
}

impl KeptLayer {
    pub fn new(compression: Compression, blob: &BlobSource, outcome: &Outcome) -> Self {
        let kept = if *blob == BlobSource::Compressed { Compression::Zstd } else { compression };
        let media_type = kept.media_type().unwrap_or("application/octet-stream");
        KeptLayer { media_type, digest: outcome.blob.0, size: outcome.blob.1 }
    }

    /// Of another manifest, be it docker's: theirs differ in no more than what they call a layer.
    pub fn known(descriptor: &Descriptor) -> Result<Self, ImportError> {
        let said = descriptor.media_type().to_string();
        let compression = match said.rsplit(['.', '+']).next() {
            Some("gzip") => Compression::Gzip,
            Some("zstd") => Compression::Zstd,
            _ => Compression::Plain,
        };
        let media_type = compression.media_type().unwrap_or("application/octet-stream");
        Ok(KeptLayer { media_type, digest: digest_of(descriptor)?, size: descriptor.size() })
    }
}

/// Adds configuration, manifest and image, under each of the names. The same input always makes the same manifest.
pub fn add(
    config_text: &[u8],
    config: &ImageConfiguration,
    layers: &[KeptLayer],
    names: Vec<String>,
    into: &mut Incoming<'_>,
) -> Result<Vec<Imported>, ImportError> {
    let media_type = manifest_type(None);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type.to_string(),
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config_text).to_string(),
            "size": config_text.len(),
        },
        "layers": layers.iter().map(|layer| json!({
            "mediaType": layer.media_type,
            "digest": layer.digest.to_string(),
            "size": layer.size,
        })).collect::<Vec<_>>(),
    })
    .to_string();
    into.add_blob(config_text)?;
    let digest = into.add_blob(manifest.as_bytes())?;
    let size = manifest.len() as u64;
    let image = |name: String| {
        let entry = Entry {
            name: Some(name.clone()),
            manifest: digest,
            size,
            media_type: media_type.clone(),
            chosen_from: None,
        };
        Ok(Imported { record: into.add_image(entry, config)?, name })
    };
    names.into_iter().map(image).collect()
}

/// The configuration of an image that is nothing but a root file system.
pub fn bare_config(diff_id: &Digest, platform: &str) -> Result<(Vec<u8>, ImageConfiguration), StoreError> {
    let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
    let (architecture, variant) = architecture.split_once('/').map_or((architecture, None), |(a, v)| (a, Some(v)));
    let mut config = json!({
        "architecture": architecture,
        "os": os,
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
    });
    if let Some(variant) = variant {
        config["variant"] = variant.into();
    }
    let parsed = serde_json::from_value(config.clone());
    let parsed = parsed.map_err(|error| StoreError::damaged(std::path::Path::new("configuration"), error))?;
    Ok((config.to_string().into_bytes(), parsed))
}
