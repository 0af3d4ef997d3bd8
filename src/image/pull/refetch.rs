//! One blob of an image again, from where the image came: its digest says that it is the same.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::error::At;
use super::super::{Digest, Logins, Patience, Reference, Registries, RegistryError, Repository, Store};
use super::{PullError, certificate_directories};

/// Never set: what nobody stops.
static GO_ON: AtomicBool = AtomicBool::new(false);

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
        let logins = Logins::of(self.scope(), registries.credential_helpers());
        let mut failures = Vec::new();
        for place in registries.resolve(&reference)?.into_iter().flat_map(|whereabouts| whereabouts.places) {
            let certificates = certificate_directories(self.scope());
            let repository = match Repository::new(place, &logins, certificates, Patience::default()) {
                Ok(repository) => repository,
                Err(error) => {
                    failures.push(error);
                    continue;
                }
            };
            let fetched = match is_manifest {
                true => repository.manifest(&digest.to_string()).map(|document| std::fs::write(into, document.text)),
                // One byte more than announced is enough to be wrong.
                false => {
                    repository.blob(digest, size, &GO_ON).map(|stream| write(stream.take(size.saturating_add(1)), into))
                }
            };
            match fetched {
                Ok(written) => {
                    let found = written.and_then(|()| Digest::of_stream(std::fs::File::open(into)?));
                    match found.at("write", into)? {
                        found if found == *digest => return Ok(()),
                        found => {
                            failures.push(RegistryError::Digest { what: name.to_owned(), expected: *digest, found });
                        }
                    }
                }
                Err(error) => failures.push(error),
            }
        }
        Err(PullError::Nowhere { name: name.to_owned(), failures })
    }
}

fn write(mut stream: impl Read, into: &Path) -> std::io::Result<()> {
    std::io::copy(&mut stream, &mut std::fs::File::create(into)?).map(drop)
}
