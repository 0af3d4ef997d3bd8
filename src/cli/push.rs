//! `push`: images from the store to registries.

use std::time::Duration;

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::image::ImportProgress;
use super::pull::seconds;
use crate::Scope;
use crate::image::{Patience, Store};

/// Send an image to a registry
///
/// What the registry has is not sent again, and the digest stays that of the image here. Of an image for several platforms
/// it is the one that was pulled. Logins, certificates and insecure registries are those of pull.
#[derive(Debug, Args)]
pub struct Push {
    /// How often to try again when the registry or the way to it fails
    #[arg(long, value_name = "N", default_value = "3")]
    retry: u32,
    /// Seconds before the first retry; each later one waits twice as long
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    retry_delay: Duration,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    #[arg(value_name = "IMAGE", add = complete::images())]
    image: String,
    /// REGISTRY/NAME[:TAG]; without it the image's own name
    destination: Option<String>,
}

impl Push {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let patience = Patience { retries: self.retry, delay: self.retry_delay };
        let progress = ImportProgress::sending(self.quiet);
        let pushed = Store::open(scope).push(&self.image, self.destination.as_deref(), patience, &progress)?;
        println!("{} {}", pushed.name, pushed.manifest);
        Ok(0)
    }
}
