//! `network create` and `network remove`: a file of /etc/berth/networks, written and taken away.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Scope;
use crate::cli::complete;
use crate::cli::draft::Draft;
use crate::cli::failure::Failure;
use crate::cli::output::Accepted;
use crate::config::{NetworkName, NetworkSources};
use crate::event::{self, About};
use crate::network::remove_unused;
use crate::network::state::{Live, Member};

/// The first line of what we have written, and may remove.
const MARK: &str = "# Made by berthctl network create; berthctl network remove takes it away.";

/// Describe a network in /etc/berth/networks
///
/// It is made when the first container is started on it, and goes with the last.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(short, long, value_enum, default_value = "bridge")]
    driver: DriverName,
    /// Of containers on it, one of each family: picked free of the host's routes where none is said
    #[arg(long = "subnet", value_name = "ADDRESS/LENGTH")]
    subnets: Vec<String>,
    /// The host's address on a subnet; on an interface of the host's, the way out
    #[arg(long = "gateway", value_name = "ADDRESS")]
    gateways: Vec<String>,
    /// Addresses are given out from here only
    #[arg(long = "range", value_name = "ADDRESS/LENGTH")]
    ranges: Vec<String>,
    /// Pick no IPv6 subnet
    #[arg(long)]
    no_ipv6: bool,
    /// Nothing leaves it but to the host
    #[arg(long)]
    internal: bool,
    /// Nothing passes between it and other networks
    #[arg(long)]
    isolate: bool,
    /// Answer no names on it
    #[arg(long)]
    no_dns: bool,
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// The host's interface that a macvlan or ipvlan network is on
    #[arg(long, value_name = "INTERFACE")]
    parent: Option<String>,
    /// A VLAN of the parent
    #[arg(long, value_name = "ID")]
    vlan: Option<u16>,
    #[arg(value_name = "NAME")]
    name: NetworkName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DriverName {
    Bridge,
    Macvlan,
    Ipvlan,
}

/// Remove the description of a network that create has written
///
/// One that somebody wrote by hand stays, and so does one that containers are on.
#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::networks())]
    names: Vec<NetworkName>,
}

impl Create {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let text = self.text();
        NetworkSources::from_text(self.name.clone(), text.clone()).parse()?;
        if let Ok(known) = NetworkSources::load(scope, &self.name)
            && let Some(file) = known.files.first()
        {
            return Err(Failure::new(format!("network {} is there already: {}", self.name, file.path.display())));
        }
        let path = path(scope, &self.name)?;
        Draft::write(&path, None)?.keep_with(&text)?;
        event::record(scope, About::Network, "create", self.name.as_str(), &[]);
        if !self.accepted.quiet {
            println!("wrote {}", path.display());
        }
        Ok(0)
    }

    fn text(&self) -> String {
        let mut table = toml_edit::DocumentMut::new();
        let list = |values: &[String]| toml_edit::value(values.iter().collect::<toml_edit::Array>());
        let word = self.driver.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        table["driver"] = toml_edit::value(word);
        for (key, values) in [("subnets", &self.subnets), ("gateways", &self.gateways), ("ranges", &self.ranges)] {
            if !values.is_empty() {
                table[key] = list(values);
            }
        }
        for (key, said, value) in [
            ("ipv6", self.no_ipv6, false),
            ("internal", self.internal, true),
            ("isolate", self.isolate, true),
            ("dns", self.no_dns, false),
        ] {
            if said {
                table[key] = toml_edit::value(value);
            }
        }
        if let Some(parent) = &self.parent {
            table["parent"] = toml_edit::value(parent);
        }
        for (key, number) in [("mtu", self.mtu), ("vlan", self.vlan.map(u32::from))] {
            if let Some(number) = number {
                table[key] = toml_edit::value(i64::from(number));
            }
        }
        format!("{MARK}\n{table}")
    }
}

impl Remove {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let mut failures = Vec::new();
        for name in &self.names {
            match remove(scope, name) {
                Ok(path) if !self.accepted.quiet => println!("removed {}", path.display()),
                Ok(_) => {}
                Err(failure) => failures.push(failure.text),
            }
        }
        if failures.is_empty() { Ok(0) } else { Err(Failure::new(failures.join("\n"))) }
    }
}

fn remove(scope: &Scope, name: &NetworkName) -> Result<PathBuf, Failure> {
    let on_it: Vec<String> = match Live::load(scope, name.as_str()) {
        Some(live) => Member::all(scope, &live.name).into_iter().map(|member| member.container).collect(),
        None => Vec::new(),
    };
    if !on_it.is_empty() {
        return Err(Failure::new(format!("network {name} is in use by {}", on_it.join(", "))));
    }
    let path = path(scope, name)?;
    match std::fs::read_to_string(&path) {
        Ok(text) if text.starts_with(MARK) => {}
        Ok(_) => {
            let text = format!("{} was written by hand; remove it by hand too", path.display());
            return Err(Failure::new(text));
        }
        Err(error) => return Err(Failure::new(format!("network {name}: read {}: {error}", path.display()))),
    }
    std::fs::remove_file(&path)?;
    event::record(scope, About::Network, "remove", name.as_str(), &[]);
    // The last container may just have left it.
    remove_unused(scope).map_err(|error| Failure::new(error.to_string()))?;
    Ok(path)
}

fn path(scope: &Scope, name: &NetworkName) -> Result<PathBuf, Failure> {
    let root = scope.network_roots().next_back().ok_or_else(|| Failure::new("there is no place for networks"))?;
    Ok(root.join(format!("{name}.toml")))
}
