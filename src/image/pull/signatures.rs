//! Where signatures of an image lie: beside it at its registry, and below a lookaside's URL.

use std::path::PathBuf;

use super::super::registry::{Repository, get_file};
use super::super::trust::{SignatureSource, SourceError};
use super::super::{Digest, RegistryError};

pub struct Signatures<'a> {
    pub repository: &'a Repository,
    pub certificates: Vec<PathBuf>,
}

impl SignatureSource for Signatures<'_> {
    fn file(&self, url: &str) -> Result<Option<Vec<u8>>, SourceError> {
        present(get_file(url, self.certificates.clone()))
    }

    fn manifest(&self, reference: &str) -> Result<Option<Vec<u8>>, SourceError> {
        present(self.repository.manifest(reference).map(|document| document.text))
    }

    fn blob(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, SourceError> {
        Ok(self.repository.document(digest, size)?)
    }

    fn referrers(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SourceError> {
        present(self.repository.referrers(digest))
    }
}

fn present(found: Result<Vec<u8>, RegistryError>) -> Result<Option<Vec<u8>>, SourceError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
