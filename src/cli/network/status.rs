//! `network status`: one network that is up, and who is on it.

use clap::Args;
use serde::Serialize;

use crate::Scope;
use crate::cli::complete;
use crate::cli::failure::Failure;
use crate::cli::output::{Accepted, Format, print_json};
use crate::config::{Network, NetworkName};
use crate::network::state::{Live, Member};

/// Exit status of systemctl(1) for what is not up.
const NOT_UP: i32 = 3;

/// Show networks that are up, and the containers on them
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(short, long, default_value = "table")]
    output: Format,
    #[arg(required = true, value_name = "NAME", add = complete::networks())]
    names: Vec<NetworkName>,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    network: Live,
    containers: Vec<Member>,
}

impl Status {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let mut shown = Vec::new();
        let mut down = Vec::new();
        for name in &self.names {
            match Live::load(scope, name.as_str()) {
                Some(network) => {
                    shown.push(Shown { containers: Member::all(scope, &network.name), network });
                }
                None => {
                    Network::load(scope, name)?;
                    down.push(format!("network {name} is not up: it is made for the first container on it"));
                }
            }
        }
        match self.output {
            Format::Json => print_json(&shown)?,
            Format::Table => shown.iter().for_each(print),
        }
        if down.is_empty() { Ok(0) } else { Err(Failure::with_code(NOT_UP, down.join("\n"))) }
    }
}

fn print(shown: &Shown) {
    let network = &shown.network;
    println!("{}", network.name);
    line("Driver", &network.driver);
    line("Interface", &network.interface);
    for subnet in &network.subnets {
        let gateway = subnet.gateway.map(|gateway| format!(" (the host is {gateway})")).unwrap_or_default();
        line("Subnet", &format!("{}{gateway}", subnet.subnet));
    }
    let said = [(network.internal, "internal"), (network.isolate, "isolated"), (network.dns, "answers names")];
    let said: Vec<&str> = said.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    if !said.is_empty() {
        line("Settings", &said.join(", "));
    }
    for member in &shown.containers {
        let addresses: Vec<String> = member.addresses.iter().map(|address| address.addr().to_string()).collect();
        let aliases =
            if member.aliases.is_empty() { String::new() } else { format!(" ({})", member.aliases.join(" ")) };
        line("Container", &format!("{}{aliases} {}", member.container, addresses.join(" ")));
    }
}

fn line(label: &str, value: &str) {
    println!("{label:>11}: {value}");
}
