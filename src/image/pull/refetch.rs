//! One blob of an image again, from where the image came: its digest says that it is the same.

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
        let registries = Registries::load(&self.scope().shared_settings())?;
        let logins = Logins::of_environment(registries.credential_helpers());
        let mut failures = Vec::new();
        for place in registries.resolve(&reference)?.into_iter().flat_map(|whereabouts| whereabouts.places) {
            let certificates = certificate_directories(self.scope());
            let repository = Repository::new(place, &logins, certificates, Patience::default());
            let fetched = repository.and_then(|repository| match is_manifest {
                true => Ok(Fetched::Whole(repository.manifest(&digest.to_string())?.text)),
                false => Ok(Fetched::Blob(repository)),
            });
            match fetched {
                Ok(Fetched::Whole(text)) => return Ok(std::fs::write(into, text).at("write", into)?),
                Ok(Fetched::Blob(repository)) => match repository.blob(digest, size, &GO_ON) {
                    Ok(mut stream) => {
                        let mut file = std::fs::File::create(into).at("create", into)?;
                        std::io::copy(&mut stream, &mut file).at("write", into)?;
                        let found = Digest::of_stream(std::fs::File::open(into).at("open", into)?).at("read", into)?;
                        if found == *digest {
                            return Ok(());
                        }
                        failures.push(RegistryError::Digest { what: name.to_owned(), expected: *digest, found });
                    }
                    Err(error) => failures.push(error),
                },
                Err(error) => failures.push(error),
            }
        }
        Err(PullError::Nowhere { name: name.to_owned(), failures })
    }
}

enum Fetched {
    Whole(Vec<u8>),
    Blob(Repository),
}
