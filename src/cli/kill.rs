//! `kill`: a signal to the payload.

use clap::{Args, ValueEnum};

use super::complete;
use super::failure::{Failure, USAGE};
use super::output::Accepted;
use super::target::{unit_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;
use crate::unit::signal;

/// Send a signal to the processes of containers
#[derive(Debug, Args)]
pub struct Kill {
    /// Name or number, with or without SIG
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGTERM")]
    signal: String,
    /// The container's first process, or every process it has
    #[arg(long, alias = "kill-who", value_name = "WHOM", default_value = "all")]
    kill_whom: Whom,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whom {
    #[value(alias = "main")]
    Leader,
    All,
}

impl Kill {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let number = signal::number(&self.signal)
            .ok_or_else(|| Failure::with_code(USAGE, format!("“{}” is not a signal", self.signal)))?;
        let whom = match self.kill_whom {
            Whom::Leader => "main",
            Whom::All => "all",
        };
        with_systemd(scope, async |systemd| {
            for name in &self.names {
                systemd.kill(&unit_of(scope, systemd, name).await?, whom, number).await?;
            }
            Ok(0)
        })
    }
}
