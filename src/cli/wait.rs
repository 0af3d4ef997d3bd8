//! `wait`: until containers have ended.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::target::{unit_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;

/// Wait until containers have ended, and print the exit status of each
#[derive(Debug, Args)]
pub struct Wait {
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

impl Wait {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_systemd(scope, async |systemd| {
            for name in &self.names {
                let unit = unit_of(scope, systemd, name).await?;
                if let Some(ended) = systemd.until_ended(&unit).await? {
                    println!("{}", ended.exit_code());
                }
            }
            Ok(0)
        })
    }
}
