//! `image save`: images into an archive or a layout.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};

use super::super::complete;
use super::super::failure::{Failure, USAGE};
use super::super::output::Accepted;
use super::interruption;
use crate::image::{SaveFormat, Store};

/// Write images to an archive, names, layers and all
///
/// Their blobs are copied as they are, so that their digests stay. skopeo, podman and docker read the result, and `image
/// load` brings it back.
#[derive(Debug, Args)]
pub struct Save {
    #[command(flatten)]
    accepted: Accepted,
    /// A file, or - for standard output, which is no terminal
    #[arg(short, long = "output", value_name = "FILE|-", default_value = "-", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    #[arg(long, value_name = "FORMAT", default_value = "oci-archive")]
    format: Format,
    #[arg(required = true, value_name = "IMAGE", add = complete::images())]
    images: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tar archive of an OCI image layout
    OciArchive,
    /// What old versions of docker can load, and podman when there are several images: layers uncompressed
    DockerArchive,
    /// An OCI image layout as a directory
    OciDir,
}

impl Save {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let format = match self.format {
            Format::OciArchive => SaveFormat::OciArchive,
            Format::DockerArchive => SaveFormat::DockerArchive,
            Format::OciDir if self.output == Path::new("-") => {
                return Err(Failure::with_code(USAGE, "a directory needs a name: --output DIRECTORY"));
            }
            Format::OciDir => SaveFormat::OciDirectory,
        };
        not_a_terminal(&self.output)?;
        interruption::heed(interruption::WRITING)?;
        let saved = store.save(&self.images, format, &self.output);
        interruption::check(interruption::WRITING)?;
        saved?;
        Ok(0)
    }
}

/// An archive makes a mess of one.
pub fn not_a_terminal(output: &Path) -> Result<(), Failure> {
    match output == Path::new("-") && std::io::stdout().is_terminal() {
        true => Err(Failure::with_code(USAGE, "an archive is not written to a terminal; use --output FILE or a pipe")),
        false => Ok(()),
    }
}
