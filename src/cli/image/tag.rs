//! `image tag`: one image, one more name.

use clap::Args;

use super::super::complete;
use super::super::failure::Failure;
use super::super::output::Accepted;
use crate::image::Store;

/// Give an image one more name
///
/// Another image that has this name loses it, and stays.
#[derive(Debug, Args)]
pub struct Tag {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "IMAGE", add = complete::images())]
    image: String,
    /// Without a registry it is localhost/NAME, without a tag NAME:latest
    #[arg(value_name = "NAME")]
    name: String,
}

impl Tag {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        store.tag(&self.image, &self.name)?;
        Ok(0)
    }
}
