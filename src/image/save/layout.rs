//! An OCI image layout of some of the store's images (OCI image-spec, image-layout.md).

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};

use oci_spec::image::{Descriptor, ImageIndexBuilder, MediaType};

use super::super::digest::Hasher;
use super::super::error::At;
use super::super::import::go_on;
use super::super::import::layout::CONTAINERD_NAME;
use super::super::store::LAYOUT;
use super::super::{Digest, Store, StoreError};
use super::sink::Sink;
use super::{Chosen, digest_in};

pub fn write(store: &Store, images: &[Chosen], to: &mut Sink) -> Result<(), StoreError> {
    document("oci-layout", LAYOUT, to)?;
    let mut written = HashSet::new();
    for image in images {
        for (digest, size) in blobs(store, image)? {
            if written.insert(digest) {
                copy(store, &digest, size, to)?;
            }
        }
    }
    let path = store.oci();
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests(images.iter().map(descriptor).collect::<Vec<_>>())
        .build()
        .map_err(|error| StoreError::damaged(&path, error))?;
    // By way of a value, whose keys are in order: the same images make the same archive.
    let index = serde_json::to_value(&index).map_err(|error| StoreError::damaged(&path, error))?;
    document("index.json", index.to_string().as_bytes(), to)
}

/// Documents first: they are small, and readers of a stream want them.
fn blobs(store: &Store, image: &Chosen) -> Result<Vec<(Digest, u64)>, StoreError> {
    let mut blobs = vec![(image.entry.manifest, image.entry.size)];
    for descriptor in std::iter::once(image.manifest.config()).chain(image.manifest.layers()) {
        blobs.push((digest_in(store, image, descriptor.digest())?, descriptor.size()));
    }
    Ok(blobs)
}

/// containerd and docker look for the full name under a key of their own.
fn descriptor(image: &Chosen) -> Descriptor {
    let mut descriptor = image.entry.descriptor();
    if let Some(name) = &image.entry.name {
        let mut annotations = descriptor.annotations().clone().unwrap_or_default();
        annotations.insert(CONTAINERD_NAME.to_owned(), name.clone());
        descriptor.set_annotations(Some(annotations));
    }
    descriptor
}

fn document(name: &str, content: &[u8], to: &mut Sink) -> Result<(), StoreError> {
    to.file(name, content.len() as u64, content)
}

/// Byte by byte, and only if it is what its name says.
fn copy(store: &Store, digest: &Digest, size: u64, to: &mut Sink) -> Result<(), StoreError> {
    let path = store.blob(digest);
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::missing_blob(&path, digest));
        }
        other => other.at("open", &path)?,
    };
    let mut hasher = Hasher::default();
    let reader = Hashed { input: BufReader::with_capacity(1 << 17, file), hasher: &mut hasher };
    to.file(&format!("blobs/sha256/{}", digest.hex()), size, reader)?;
    match hasher.finish() {
        (found, length) if (found, length) == (*digest, size) => Ok(()),
        (found, length) => {
            let problem = format!("its content is {found} in {length} bytes, but {digest} in {size} was stored");
            Err(StoreError::damaged(&path, problem))
        }
    }
}

struct Hashed<'a, R> {
    input: R,
    hasher: &'a mut Hasher,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        go_on()?;
        let bytes = self.input.read(into)?;
        self.hasher.update(&into[..bytes]);
        Ok(bytes)
    }
}
