//! Where the documents and layers of an image with a manifest come from: an archive, a layout, a registry.

use std::io::Read;
use std::sync::atomic::AtomicBool;

use oci_spec::image::Descriptor;

use super::super::Digest;
use super::ImportError;
use super::compression::Compression;
use super::files::{Files, Found, blob_name};
use super::incoming::BlobSource;
use super::layout::{digest_of, sniff};

/// Everything it hands out as a document is verified; a layer is by whoever reads it.
pub trait Origin: Sync {
    /// A manifest or an index.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError>;

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError>;

    /// Begins to read a layer; it ends early once `stop` is set.
    fn layer<'a>(&'a self, layer: &'a Announced, stop: &'a AtomicBool) -> Result<Opened<'a>, ImportError>;

    /// What a blob is called in messages.
    fn what(&self, digest: &Digest) -> String;

    /// How many layers are read at once.
    fn hands(&self) -> usize;
}

/// A layer as manifest and configuration announce it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Announced {
    pub digest: Digest,
    pub size: u64,
    pub diff_id: Digest,
}

/// A layer about to be read.
pub struct Opened<'a> {
    pub input: Box<dyn Read + 'a>,
    pub compression: Compression,
    pub blob: BlobSource,
}

impl Origin for Files {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        self.document(&digest_of(descriptor)?)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        self.document(&digest_of(descriptor)?)
    }

    fn layer<'a>(&'a self, layer: &'a Announced, _stop: &'a AtomicBool) -> Result<Opened<'a>, ImportError> {
        let what = blob_name(&layer.digest);
        let Found { mut file, ours, .. } = self.open(&what)?;
        let compression = sniff(&mut file, &what)?;
        let blob = ours.map_or(BlobSource::Stream, BlobSource::File);
        Ok(Opened { input: Box::new(file), compression, blob })
    }

    fn what(&self, digest: &Digest) -> String {
        blob_name(digest)
    }

    /// One layer alone keeps a disk and two cores busy.
    fn hands(&self) -> usize {
        1
    }
}
