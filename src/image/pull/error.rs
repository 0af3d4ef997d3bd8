//! Why an image is not pulled, in one line that names it.

use super::super::trust::{Reason, Refusal, TrustError};
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
    #[error("image “{name}” is in the store for {found} alone, not for {wanted}")]
    OtherPlatform { name: String, found: String, wanted: String },
    #[error("image “{name}”: {source}")]
    Image { name: String, source: ImportError },
}

impl PullError {
    /// Whether only the administrator of this host can help, so that trying again does not.
    pub fn is_configuration(&self) -> bool {
        match self {
            PullError::Name(_) | PullError::Settings(_) | PullError::Trust(_) | PullError::OtherPlatform { .. } => true,
            PullError::Store(error) => error.is_about_its_name(),
            PullError::Refused(refusal) => {
                matches!(refusal.reason(), Reason::NoRule | Reason::Rejected | Reason::Unsupported(_))
            }
            PullError::Nowhere { .. } | PullError::Image { .. } => false,
        }
    }
}

fn list(failures: &[RegistryError]) -> String {
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    if failures.is_empty() { "no registry is left to ask".to_owned() } else { failures.join("; ") }
}
