//! One blob of an image again, from where the image came: its digest says that it is the same.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::digest::Hasher;
use super::super::error::At;
use super::super::{Digest, Patience, Reference, Registries, RegistryError, Repository, Store, StoreError};
use super::PullError;

/// Never set: what nobody stops.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// What is asked for, and where it goes.
struct Wanted<'a> {
    is_manifest: bool,
    digest: &'a Digest,
    size: u64,
    into: &'a Path,
}

impl Store {
    /// Writes it to a new file, verified.
    pub(in super::super) fn refetch(
        &self,
        name: &str,
        is_manifest: bool,
        digest: &Digest,
        size: u64,
        into: &Path,
    ) -> Result<(), PullError> {
        let reference: Reference = name.parse()?;
        let registries = Registries::of(self.scope())?;
        let places = registries.resolve(&reference)?.into_iter().flat_map(|found| found.places);
        let wanted = Wanted { is_manifest, digest, size, into };
        let places = places.map(|place| (place, ()));
        let ask = |from: Repository, ()| wanted.fetch(&from);
        Ok(self.first_answer((&reference, &registries), places, Patience::default(), ask)??)
    }
}

impl Wanted<'_> {
    /// The outer failure is the registry's, after which another may do; the inner one is ours.
    fn fetch(&self, from: &Repository) -> Result<Result<(), StoreError>, RegistryError> {
        let what = self.digest.to_string();
        let stream: Box<dyn Read> = match self.is_manifest {
            true => Box::new(std::io::Cursor::new(from.manifest(&what)?.text)),
            // One byte more than announced is enough to be wrong.
            false => Box::new(from.blob(self.digest, self.size, &GO_ON)?.take(self.size.saturating_add(1))),
        };
        let broken =
            |error: std::io::Error| RegistryError::Connection { url: what.clone(), problem: error.to_string() };
        match self.write(stream).map_err(broken)? {
            Ok(found) if found == *self.digest => Ok(Ok(())),
            Ok(found) => Err(RegistryError::Digest { what, expected: *self.digest, found }),
            Err(error) => Ok(Err(error)),
        }
    }

    fn write(&self, mut stream: impl Read) -> std::io::Result<Result<Digest, StoreError>> {
        let mut file = match File::create(self.into).at("create", self.into) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let (mut hasher, mut piece) = (Hasher::default(), vec![0; 1 << 17]);
        loop {
            let bytes = stream.read(&mut piece)?;
            if bytes == 0 {
                return Ok(Ok(hasher.finish().0));
            }
            hasher.update(&piece[..bytes]);
            if let Err(error) = file.write_all(&piece[..bytes]).at("write", self.into) {
                return Ok(Err(error));
            }
        }
    }
}
