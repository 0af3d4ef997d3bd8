//! A whole root file system as one archive.

use std::io::{BufWriter, IntoInnerError};
use std::path::{Path, PathBuf};

use super::delivery::Delivery;
use super::error::At;
use super::pack::Packer;
use super::stack::Stack;
use super::{Store, StoreError};

impl Store {
    /// Writes what is seen of `trees`, the topmost first, to `to`; `-` is standard output.
    pub fn export(&self, trees: &[PathBuf], to: &Path) -> Result<(), StoreError> {
        let stack = Stack::open(trees)?;
        let delivery = Delivery::to(to)?;
        let path = delivery.path().to_owned();
        let mut packer = Packer::new(BufWriter::with_capacity(1 << 17, delivery), &path);
        stack.walk(&mut |found| packer.add(found))?;
        let written = packer.end()?.into_inner();
        written.map_err(IntoInnerError::into_error).at("write", &path)?.finish()
    }
}
