//! `image export`: a root file system as one archive.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::super::complete;
use super::super::failure::Failure;
use super::super::output::Accepted;
use super::contents::Meant;
use super::interruption;
use super::save::not_a_terminal;
use crate::Scope;
use crate::image::Store;

/// Write the root file system of an image or a container to a tar archive
///
/// Of a container, with what it has written. Owners are those the container sees. A container comes before an image of
/// the same name, which NAME:TAG means.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    accepted: Accepted,
    /// A file, or - for standard output, which is no terminal
    #[arg(short, long = "output", value_name = "FILE|-", default_value = "-", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    #[arg(value_name = "IMAGE|CONTAINER", add = complete::images_or_containers())]
    source: String,
}

impl Export {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        not_a_terminal(&self.output)?;
        interruption::heed(interruption::WRITING)?;
        let meant = Meant::by(scope, &self.source)?;
        let exported = Store::open(scope).export(&meant.trees(), &self.output);
        interruption::check(interruption::WRITING)?;
        exported?;
        Ok(0)
    }
}
