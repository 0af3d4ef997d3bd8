//! A second name for an image.

use super::index::{Entry, Index};
use super::{Reference, ReferenceError, Store, StoreError};
use crate::event::{self, About};

impl Store {
    /// Ties `name` to the image as well, and away from whatever had it. Returns the name in full.
    pub fn tag(&self, image: &str, name: &str) -> Result<String, StoreError> {
        let full = self.name_given(name)?;
        self.prepare()?;
        let _lock = self.lock()?;
        let mut index = Index::load(&self.oci())?;
        let entry = self.meant(&index, image)?.clone();
        let manifest = entry.manifest.to_string();
        index.tie(Entry { name: Some(full.clone()), ..entry });
        index.save()?;
        event::record(self.scope(), About::Image, "tag", &full, &[("digest", &manifest)]);
        Ok(full)
    }

    /// The full name that a person gives an image.
    pub(super) fn name_given(&self, name: &str) -> Result<String, StoreError> {
        let reference: Reference = name.parse()?;
        // What a digest says of its content is not for a person to choose.
        match reference.digest() {
            Some(_) => Err(ReferenceError::GivenDigest(name.to_owned()).into()),
            None => Ok(reference.given_name()),
        }
    }
}
