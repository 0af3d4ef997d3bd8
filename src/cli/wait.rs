//! `wait`: until containers have ended.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use super::target::{units_of, with_systemd};
use crate::Scope;
use crate::config::ContainerName;

/// Wait until containers have ended, and print the exit status of each
#[derive(Debug, Args)]
pub struct Wait {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::running())]
    names: Vec<ContainerName>,
}

impl Wait {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_systemd(scope, async |systemd| {
            let units = units_of(scope, systemd, &self.names).await?;
            for unit in &units {
                // Transient ones are gone once they have ended, which may be while another one is waited for.
                systemd.hold(unit).await?;
            }
            let mut without = Vec::new();
            for (name, unit) in self.names.iter().zip(&units) {
                match systemd.until_ended(unit).await? {
                    Some(_) if self.accepted.quiet => {}
                    Some(ended) => println!("{}", ended.exit_code()),
                    None if unit.ends_with(".scope") => {
                        without.push(format!("the exit status of {name} is known to who ran {unit}, not to systemd"));
                    }
                    None => without.push(format!("{name} has no exit status: {unit} has not run, or is forgotten")),
                }
            }
            if without.is_empty() { Ok(0) } else { Err(Failure::new(without.join("\n"))) }
        })
    }
}
