//! What skopeo calls `dir:` and podman `docker-dir`: manifest and blobs side by side in a directory, blobs by their
//! digits alone (containers-transports(5)).

use std::io::Read;
use std::sync::atomic::AtomicBool;

use oci_spec::image::Descriptor;

use super::super::Digest;
use super::super::pull::document::media_type;
use super::files::{Files, Found};
use super::layout::{choose, digest_of, import_manifest, sniff};
use super::origin::{Announced, Opened, Origin};
use super::platform::Wanted;
use super::{BlobSource, ImportError, Imported, Incoming, Naming};

pub const TOP: &str = "manifest.json";

struct Flat {
    files: Files,
    top: Descriptor,
}

/// Imports the one image there, which has no name of its own.
pub fn import(
    files: Files,
    naming: &Naming,
    wanted: Option<&Wanted>,
    into: &mut Incoming<'_>,
) -> Result<Vec<Imported>, ImportError> {
    let origin = Flat::open(files)?;
    let (descriptor, chosen_from) = choose(&origin, &origin.top, wanted)?;
    let name = naming.of_only(None)?;
    let record = import_manifest(&origin, &descriptor, chosen_from, &name, wanted, into)?;
    Ok(vec![Imported { name, record }])
}

impl Flat {
    fn open(files: Files) -> Result<Flat, ImportError> {
        let text = files.read(TOP)?;
        let digest = oci_spec::image::Digest::try_from(Digest::of(&text).to_string());
        let malformed = |problem: String| ImportError::Malformed { what: TOP.to_owned(), problem };
        let digest = digest.map_err(|error| malformed(error.to_string()))?;
        let top = Descriptor::new(media_type(TOP, &text)?, text.len() as u64, digest);
        Ok(Flat { files, top })
    }

    fn document(&self, name: &str, digest: &Digest) -> Result<Vec<u8>, ImportError> {
        let text = self.files.read(name)?;
        match Digest::of(&text) {
            found if found == *digest => Ok(text),
            found => Err(ImportError::Digest { what: name.to_owned(), expected: *digest, found }),
        }
    }
}

impl Origin for Flat {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        let digest = digest_of(descriptor)?;
        match descriptor.digest() == self.top.digest() {
            true => self.document(TOP, &digest),
            false => self.document(&format!("{}.{TOP}", digest.hex()), &digest),
        }
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImportError> {
        let digest = digest_of(descriptor)?;
        self.document(&digest.hex(), &digest)
    }

    fn layer<'a>(&'a self, layer: &'a Announced, _stop: &'a AtomicBool) -> Result<Opened<'a>, ImportError> {
        let what = layer.digest.hex();
        let Found { mut file, .. } = self.files.open(&what)?;
        let compression = sniff(&mut file, &what)?;
        let input: Box<dyn Read> = Box::new(file);
        Ok(Opened { input, compression, blob: BlobSource::Stream })
    }

    fn what(&self, digest: &Digest) -> String {
        digest.hex()
    }

    fn hands(&self) -> usize {
        1
    }
}
