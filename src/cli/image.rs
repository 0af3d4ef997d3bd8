//! `berthctl image …`: what each verb does; how it looks is the caller's.

use std::path::Path;

use crate::Scope;
use crate::image::{
    ImageDetails, ImageRow, ImportError, ImportOptions, Imported, Progress, Removed, Store, StoreError,
};

/// `image import FILE [NAME]`; `-` is standard input.
pub fn import(
    scope: &Scope,
    file: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Vec<Imported>, ImportError> {
    Store::open(scope).import(file, options, progress)
}

/// `image list`
pub fn list(scope: &Scope) -> Result<Vec<ImageRow>, StoreError> {
    Store::open(scope).list()
}

/// `image inspect NAME`
pub fn inspect(scope: &Scope, reference: &str) -> Result<ImageDetails, StoreError> {
    Store::open(scope).inspect(reference)
}

/// `image remove NAME`
pub fn remove(scope: &Scope, reference: &str) -> Result<Removed, StoreError> {
    Store::open(scope).remove(reference)
}

/// `clean`: images that lost their name to a newer one.
pub fn prune(scope: &Scope) -> Result<Vec<Removed>, StoreError> {
    Store::open(scope).prune()
}
