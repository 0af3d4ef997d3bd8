//! What `docker save` wrote before it wrote OCI layouts, and what every docker and podman can load: `manifest.json`,
//! configurations, and layers as plain tar archives.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde_json::json;

use super::super::digest::Hasher;
use super::super::error::At;
use super::super::import::compression::Compression;
use super::super::import::go_on;
use super::super::{Digest, Store, StoreError};
use super::sink::Sink;
use super::{Chosen, digest_in};

pub fn write(store: &Store, images: &[Chosen], to: &mut Sink) -> Result<(), StoreError> {
    let mut written = HashSet::new();
    let mut records = Vec::new();
    for same in images.chunk_by(|one, other| one.entry.manifest == other.entry.manifest) {
        let image = &same[0];
        let config = digest_in(store, image, image.manifest.config().digest())?;
        if written.insert(config) {
            let path = store.blob(&config);
            let content = std::fs::read(&path).at("read", &path)?;
            to.file(&config_name(&config), content.len() as u64, &content[..])?;
        }
        let mut layers = Vec::new();
        for (descriptor, diff_id) in image.manifest.layers().iter().zip(image.config.rootfs().diff_ids()) {
            let diff_id = digest_in(store, image, diff_id)?;
            if written.insert(diff_id) {
                unpacked(&store.blob(&digest_in(store, image, descriptor.digest())?), &diff_id, to)?;
            }
            layers.push(layer_name(&diff_id));
        }
        // By its digest docker's archive can call nothing.
        let tags = same.iter().filter_map(|image| image.entry.name.as_ref()).filter(|name| !name.contains('@'));
        records.push(json!({
            "Config": config_name(&config),
            "RepoTags": tags.collect::<Vec<_>>(),
            "Layers": layers,
        }));
    }
    let manifest = serde_json::Value::from(records).to_string();
    to.file("manifest.json", manifest.len() as u64, manifest.as_bytes())
}

fn config_name(digest: &Digest) -> String {
    format!("{}.json", digest.hex())
}

fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

/// Its length must be known before its first byte: it is unpacked twice rather than kept anywhere.
fn unpacked(blob: &Path, diff_id: &Digest, to: &mut Sink) -> Result<(), StoreError> {
    let mut hasher = Hasher::default();
    let mut content = decoded(blob)?;
    let mut piece = vec![0; 1 << 17];
    loop {
        match go_on().and_then(|()| content.read(&mut piece)).at("unpack", blob)? {
            0 => break,
            bytes => hasher.update(&piece[..bytes]),
        }
    }
    let (found, size) = hasher.finish();
    if found != *diff_id {
        return Err(StoreError::damaged(blob, format_args!("unpacked it is {found}, but {diff_id} was stored")));
    }
    to.file(&layer_name(diff_id), size, decoded(blob)?)
}

fn decoded(blob: &Path) -> Result<Box<dyn Read>, StoreError> {
    let mut file = File::open(blob).at("open", blob)?;
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head).at("read", blob)?;
    std::io::Seek::rewind(&mut file).at("read", blob)?;
    Compression::of(&head).decoder(BufReader::with_capacity(1 << 17, file)).at("unpack", blob)
}
