//! `enable` and `disable`: whether containers are started at boot.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::jobs::{Start, Stop};
use super::output::Accepted;
use super::target::with_systemd;
use crate::Scope;
use crate::config::{ContainerName, Sources};

/// Have containers started at boot, as [install] in their files says
#[derive(Debug, Args)]
pub struct Enable {
    /// Start them now, too
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::with_file())]
    names: Vec<ContainerName>,
}

/// Have containers no longer started at boot
///
/// What is said by “autostart” in a container's file stays so.
#[derive(Debug, Args)]
pub struct Disable {
    /// Stop them now, too
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::any())]
    names: Vec<ContainerName>,
}

impl Enable {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        for name in &self.names {
            Sources::load(scope, name)?;
        }
        let units: Vec<String> = self.names.iter().map(ContainerName::unit).collect();
        let changes = with_systemd(scope, async |systemd| Ok(systemd.enable(&units).await?))?;
        if !self.accepted.quiet {
            for (link, target) in &changes {
                eprintln!("Created symlink {link} → {target}.");
            }
        }
        if self.now { Start::of(self.names).carry_out(scope) } else { Ok(0) }
    }
}

impl Disable {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let units: Vec<String> = self.names.iter().map(ContainerName::unit).collect();
        let links = with_systemd(scope, async |systemd| Ok(systemd.disable(&units).await?))?;
        if links.is_empty() {
            // One that has neither a link nor a file is a mistake of the caller's.
            for name in &self.names {
                Sources::load(scope, name)?;
            }
        }
        if !self.accepted.quiet {
            for link in &links {
                eprintln!("Removed {link}.");
            }
        }
        if self.now { Stop::of(self.names).carry_out(scope) } else { Ok(0) }
    }
}
