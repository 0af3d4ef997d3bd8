//! `pull`: images from registries into the store.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::failure::{FAILED, Failure};
use super::image::{ImportProgress, interruption};
use crate::Scope;
use crate::image::{Patience, PullOptions, Store};

/// Fetch images from registries
///
/// Which registries, mirrors and aliases: /etc/containers/registries.conf, see containers-registries.conf(5). Logins are
/// those of podman, skopeo and docker, see containers-auth.json(5).
#[derive(Debug, Args)]
pub struct Pull {
    /// os/arch of an image for several; ours where none is given
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Take an image that nobody vouches for
    #[arg(long, value_name = "HOLE")]
    insecure: Vec<Insecure>,
    /// How often to try again when a registry or the way to it fails
    #[arg(long, value_name = "N", default_value = "3")]
    retry: u32,
    /// Seconds before the first retry; each later one waits twice as long
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    retry_delay: Duration,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    #[arg(required = true, value_name = "REFERENCE")]
    references: Vec<String>,
}

/// Holes that can be opened on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Insecure {
    /// Whoever the image comes from
    ImageSignature,
}

impl Pull {
    /// One that fails does not keep the others from being pulled.
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let store = Store::open(scope);
        let patience = Patience { retries: self.retry, delay: self.retry_delay };
        let unverified = self.insecure.contains(&Insecure::ImageSignature);
        let options = PullOptions { platform: self.platform, patience, unverified };
        let mut code = 0;
        interruption::heed()?;
        for reference in &self.references {
            let pulled = store.pull(reference, &options, &ImportProgress::new(self.quiet));
            interruption::check()?;
            match pulled {
                Ok(image) => println!("{} {}", image.name, image.record.manifest),
                Err(error) => {
                    eprintln!("berthctl: {}", super::output::printable(&error.to_string()));
                    code = FAILED;
                }
            }
        }
        Ok(code)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let delay = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    delay.ok_or_else(|| format!("“{text}” is not a number of seconds"))
}
