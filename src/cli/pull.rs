//! `pull`: images from registries into the store.

mod declared;
mod narrator;
pub mod options;

use std::time::Duration;

use clap::Args;

use super::failure::{FAILED, Failure};
use super::image::{ImportProgress, interruption};
use super::output::printable;
use crate::Scope;
use crate::config::PullPolicy;
use crate::image::{News, Patience, Progress, PullError, PullOptions, Store};
use narrator::{Narrator, tell};
use options::{Insecure, Policy};

/// Exit status for the executor, which has been told why: `EX_CONFIG` of sysexits.h.
const MISCONFIGURED: i32 = 78;

/// Fetch images from registries, archives and directories
///
/// Which registries, mirrors and aliases: /etc/containers/registries.conf, see containers-registries.conf(5). Logins are
/// those of podman, skopeo and docker, see containers-auth.json(5). What lies on this host is named oci:DIR[:TAG],
/// oci-archive:FILE[:TAG], docker-archive:FILE[:REFERENCE] or dir:DIR.
#[derive(Debug, Args)]
pub struct Pull {
    /// os/arch of an image for several; ours where none is given
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// When a registry is asked
    #[arg(long, value_name = "POLICY", default_value = "always", conflicts_with = "all")]
    policy: Policy,
    /// Take an image that nobody vouches for
    #[arg(long, value_name = "HOLE")]
    insecure: Vec<Insecure>,
    /// How often to try again when a registry or the way to it fails: 3 times, or with --all as each container says
    #[arg(long, value_name = "N")]
    retry: Option<u32>,
    /// Seconds before the first retry, 1 or as each container says; each later one waits twice as long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    retry_delay: Option<Duration>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// Every image a container is declared with and that is missing, or whatever its own policy says
    #[arg(short, long, conflicts_with_all = ["references", "platform"])]
    all: bool,
    /// On behalf of a start: tell the executor on standard output
    #[arg(long, hide = true)]
    for_start: bool,
    #[arg(required_unless_present = "all", value_name = "REFERENCE")]
    references: Vec<String>,
}

impl Pull {
    /// One that fails does not keep the others from being pulled.
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let store = Store::open(scope);
        interruption::heed(interruption::FETCHING)?;
        if self.for_start {
            return Ok(self.for_start(&store));
        }
        if self.all {
            return self.all(scope, &store);
        }
        let mut code = 0;
        let options = self.options();
        for reference in &self.references {
            let pulled = self.one(&store, reference, self.policy.into(), &options);
            interruption::check(interruption::FETCHING)?;
            if let Err(error) = pulled {
                complain(&error.to_string());
                code = FAILED;
            }
        }
        Ok(code)
    }

    fn options(&self) -> PullOptions {
        PullOptions {
            platform: self.platform.clone(),
            patience: self.patience(Patience::default()),
            unverified: self.insecure.contains(&Insecure::ImageSignature),
        }
    }

    /// What was said on the command line comes first.
    fn patience(&self, otherwise: Patience) -> Patience {
        Patience {
            retries: self.retry.unwrap_or(otherwise.retries),
            delay: self.retry_delay.unwrap_or(otherwise.delay),
        }
    }

    fn one(&self, store: &Store, reference: &str, policy: PullPolicy, options: &PullOptions) -> Result<(), PullError> {
        let progress = ImportProgress::new(self.quiet);
        let (name, manifest) = match policy {
            PullPolicy::Always => {
                let pulled = store.pull(reference, options, &progress)?;
                (pulled.name, pulled.record.manifest)
            }
            _ => {
                let image = store.ensure(reference, policy, options, &progress, &complain)?;
                (reference.to_owned(), image.manifest)
            }
        };
        println!("{name} {manifest}");
        Ok(())
    }

    fn all(&self, scope: &Scope, store: &Store) -> Result<i32, Failure> {
        let (images, mistakes) = declared::images(scope)?;
        mistakes.iter().for_each(|text| eprintln!("berthctl: {text}"));
        let mut failed = Vec::new();
        for wanted in &images {
            let unverified = wanted.options.unverified || self.options().unverified;
            let patience = self.patience(wanted.options.patience);
            let options = PullOptions { unverified, patience, ..wanted.options.clone() };
            let pulled = self.one(store, &wanted.reference, wanted.policy, &options);
            interruption::check(interruption::FETCHING)?;
            if let Err(error) = pulled {
                complain(&error.to_string());
                failed.push(wanted.reference.as_str());
            }
        }
        let text = match failed.as_slice() {
            [] => String::new(),
            failed => format!("{} of {} images were not pulled: {}", failed.len(), images.len(), failed.join(", ")),
        };
        if failed.is_empty() && mistakes.is_empty() { Ok(0) } else { Err(Failure::with_code(FAILED, text)) }
    }

    fn for_start(&self, store: &Store) -> i32 {
        let warn = |text: &str| tell(&News::Warning(text.to_owned()));
        for reference in &self.references {
            let progress: &dyn Progress = &Narrator::begin(reference);
            match store.ensure(reference, self.policy.into(), &self.options(), progress, &warn) {
                Ok(image) => tell(&News::Image(image.manifest)),
                Err(error) if error.is_configuration() => {
                    tell(&News::Misconfigured(error.to_string()));
                    return MISCONFIGURED;
                }
                Err(error) => {
                    tell(&News::Failed(error.to_string()));
                    return FAILED;
                }
            }
        }
        0
    }
}

pub fn complain(text: &str) {
    eprintln!("berthctl: {}", printable(text));
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let delay = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    delay.ok_or_else(|| format!("“{text}” is not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        pull: Pull,
    }

    #[test]
    fn what_the_command_line_says_of_retries_holds_for_declared_images_too() {
        let declared = Patience { retries: 9, delay: Duration::from_secs(7) };
        for (line, retries, delay) in [
            ("--all", 9, 7),
            ("--all --retry 0", 0, 7),
            ("--all --retry-delay 2", 9, 2),
            ("--all --retry 1 --retry-delay 0", 1, 0),
        ] {
            let pull = Line::parse_from(["pull"].into_iter().chain(line.split(' '))).pull;
            assert_eq!(pull.patience(declared), Patience { retries, delay: Duration::from_secs(delay) }, "{line}");
        }
        assert_eq!(Line::parse_from(["pull", "web"]).pull.options().patience, Patience::default());
    }
}
