//! `network …`: the networks containers are on.

mod change;
mod check;
mod list;
mod status;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::Accepted;
use crate::{Scope, network};

/// See and change the networks of containers
#[derive(Debug, Subcommand)]
pub enum Network {
    #[command(alias = "ls")]
    List(list::List),
    #[command(alias = "inspect")]
    Status(status::Status),
    Create(change::Create),
    #[command(alias = "rm")]
    Remove(change::Remove),
    Reload(Reload),
    Check(check::Check),
}

/// Make again what somebody has taken away of networks that are up
///
/// Bridges, the places of containers on them, the kernel's settings and berth's own firewall rules, all while the containers
/// run. berth-network.service does this by itself a second after something was changed.
#[derive(Debug, Args)]
pub struct Reload {
    #[command(flatten)]
    accepted: Accepted,
}

impl Network {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        match self {
            Network::List(list) => list.carry_out(scope),
            Network::Status(status) => status.carry_out(scope),
            Network::Create(create) => create.carry_out(scope),
            Network::Remove(remove) => remove.carry_out(scope),
            Network::Check(check) => check.carry_out(scope),
            Network::Reload(Reload { accepted }) => {
                let repairs = network::reload(scope)?;
                for repair in repairs.iter().filter(|_| !accepted.quiet) {
                    println!("made again: {repair}");
                }
                Ok(0)
            }
        }
    }
}
