//! `image load`: what `image save`, docker and podman have saved.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::super::failure::Failure;
use super::{ImportProgress, interruption, print_imported};
use crate::image::Store;

/// Bring in every image of an archive, under its own names
#[derive(Debug, Args)]
pub struct Load {
    /// A file, a directory (an OCI image layout, or what skopeo calls dir:), or - for standard input
    #[arg(short, long, value_name = "FILE|-", default_value = "-", value_hint = ValueHint::AnyPath)]
    input: PathBuf,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Load {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        interruption::heed(interruption::FETCHING)?;
        let loaded = store.load(&self.input, &ImportProgress::new(self.quiet));
        interruption::check(interruption::FETCHING)?;
        print_imported(&loaded?);
        Ok(0)
    }
}
