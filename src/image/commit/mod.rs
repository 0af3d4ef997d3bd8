//! What a container has written becomes a layer, and with its image's others a new image.

mod change;
mod configuration;
mod conveyor;
mod layer;
mod template;

use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::error::At;
use super::import::compression::Compression;
use super::import::layout::{digest_of, json};
use super::import::manifest::{self, KeptLayer};
use super::import::{BlobSource, ImportError, Imported, Incoming, Layer, Progress};
use super::index::Index;
use super::{Digest, ImageRecord, Store, StoreError};
use crate::event::{self, About};

pub use change::{ChangeError, ConfigChange};

/// How messages call the layer.
const WHAT: &str = "what the container has written";

/// What a person may say about the new image.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    pub author: Option<String>,
    pub message: Option<String>,
    pub changes: Vec<ConfigChange>,
}

/// The new image, read from the container, and not yet in the store.
pub struct Committed<'a> {
    incoming: Incoming<'a>,
    image: Imported,
}

impl Store {
    /// Reads everything in `written`, the writable layer of a container of the image `base`; the container is not needed
    /// after that. Ends early once `stop` is set.
    pub fn commit<'a>(
        &'a self,
        (base, written): (&ImageRecord, &Path),
        name: &str,
        options: &CommitOptions,
        stop: &AtomicBool,
        progress: &'a dyn Progress,
    ) -> Result<Committed<'a>, ImportError> {
        let name = self.name_given(name)?;
        let mut incoming = Incoming::new(self, progress)?;
        let index = Index::load(&self.oci())?;
        let (manifest, _) = self.documents(self.meant(&index, &base.manifest)?)?;
        let path = self.blob(&digest_of(manifest.config())?);
        let text = std::fs::read(&path).at("read", &path)?;

        let mut layers = manifest.layers().iter().map(KeptLayer::known).collect::<Result<Vec<_>, _>>()?;
        let (layer, diff_id) = add_layer(written, stop, &mut incoming)?;
        layers.push(layer);
        let text = configuration::changed(&text, &diff_id, options)
            .map_err(|source| ImportError::Json { what: path.display().to_string(), source })?;
        let config = json("the new configuration", text.as_bytes())?;
        let image = manifest::add(text.as_bytes(), &config, &layers, vec![name], &mut incoming)?.remove(0);
        Ok(Committed { incoming, image })
    }
}

impl Committed<'_> {
    /// Into the store, on the disk.
    pub fn finish(self) -> Result<Imported, StoreError> {
        let scope = self.incoming.scope().clone();
        self.incoming.commit()?;
        let digest = ("digest", self.image.record.manifest.as_str());
        event::record(&scope, About::Image, "commit", &self.image.name, &[digest]);
        Ok(self.image)
    }
}

/// Packed by one thread, and by another compressed, hashed and unpacked as any layer that comes from outside: what a
/// container has written is as strange.
fn add_layer(written: &Path, stop: &AtomicBool, into: &mut Incoming<'_>) -> Result<(KeptLayer, Digest), ImportError> {
    let (writer, reader) = conveyor::new(stop);
    std::thread::scope(|threads| {
        let packing = threads.spawn(move || layer::pack(written, BufWriter::with_capacity(1 << 17, writer)));
        let layer = Layer {
            what: WHAT.to_owned(),
            input: Box::new(reader),
            compression: Compression::Plain,
            blob: BlobSource::Compressed,
            digest: None,
            size: None,
            diff_id: None,
        };
        let read = into.add_layer(layer);
        let packed = packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (packed, read) {
            // The packer has nobody to pack for once the reader has failed.
            (Err(error), Err(read)) if conveyor::is_abandoned(&error) => Err(read),
            // An archive that ends early can look whole to its reader.
            (Err(error), _) => Err(error.into()),
            (Ok(()), read) => {
                let outcome = read?;
                Ok((KeptLayer::new(Compression::Plain, &BlobSource::Compressed, &outcome), outcome.diff.0))
            }
        }
    })
}
