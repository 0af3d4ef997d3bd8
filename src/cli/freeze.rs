//! `pause` and `resume`: the freezer of the unit's cgroup.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use super::target::{units_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;
use crate::event::{self, About};

/// Freeze all processes of containers
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

/// Let paused containers run on
#[derive(Debug, Args)]
#[command(alias = "unpause")]
pub struct Resume {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

impl Pause {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_systemd(scope, async |systemd| {
            for (name, unit) in self.names.iter().zip(units_of(scope, systemd, &self.names).await?) {
                systemd.freeze(&unit).await?;
                event::record(scope, About::Container, "pause", name.as_str(), &[("unit", &unit)]);
            }
            Ok(0)
        })
    }
}

impl Resume {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_systemd(scope, async |systemd| {
            for (name, unit) in self.names.iter().zip(units_of(scope, systemd, &self.names).await?) {
                systemd.thaw(&unit).await?;
                event::record(scope, About::Container, "resume", name.as_str(), &[("unit", &unit)]);
            }
            Ok(0)
        })
    }
}
