//! Why an image is not pulled, in one line that names it.

use super::super::trust::{Refusal, TrustError};
use super::super::{ImportError, ReferenceError, RegistriesError, RegistryError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Name(#[from] ReferenceError),
    #[error(transparent)]
    Settings(#[from] RegistriesError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("image “{name}”: {}", list(.failures))]
    Nowhere { name: String, failures: Vec<RegistryError> },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("image “{name}”: {source}")]
    Image { name: String, source: ImportError },
}

fn list(failures: &[RegistryError]) -> String {
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    if failures.is_empty() { "no registry is left to ask".to_owned() } else { failures.join("; ") }
}
