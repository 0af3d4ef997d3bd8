//! Why an image is not pushed, in one line that names it.

use super::super::{Digest, ReferenceError, RegistriesError, RegistryError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Name(#[from] ReferenceError),
    #[error(transparent)]
    Settings(#[from] RegistriesError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("image “{image}” has no name; say where it is to go: berthctl push {image} REGISTRY/NAME")]
    NoName { image: String },
    #[error("“{name}” names no registry; say where it is to go: berthctl push {image} REGISTRY/NAME")]
    NoRegistry { image: String, name: String },
    #[error("“{name}”: the image is {manifest}, and cannot be called {other}")]
    OtherDigest { name: String, other: Digest, manifest: Digest },
    #[error("image “{name}”: {source}")]
    Registry { name: String, source: RegistryError },
}
