//! `cat`: a container's or network's file and its drop-ins, in the order they are read.

use std::str::FromStr;

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use crate::Scope;
use crate::config::{ContainerName, NameError, NetworkName, NetworkNameError, NetworkSources, Sources};

/// Print containers' files and drop-ins, and networks'
#[derive(Debug, Args)]
pub struct Cat {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME|network/NAME", add = complete::with_file_or_networks())]
    names: Vec<Name>,
}

/// Whose files: one name can be a container's and a network's.
#[derive(Debug, Clone)]
enum Name {
    Container(ContainerName),
    Network(NetworkName),
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("network/") {
            Some(name) => name.parse().map(Name::Network).map_err(|error: NetworkNameError| error.to_string()),
            None => text.parse().map(Name::Container).map_err(|error: NameError| error.to_string()),
        }
    }
}

impl Cat {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let mut files = Vec::new();
        for name in &self.names {
            files.extend(match name {
                Name::Container(name) => Sources::load(scope, name)?.files,
                Name::Network(name) => NetworkSources::load(scope, name)?.files,
            });
        }
        let texts: Vec<String> = files.iter().map(|file| format!("# {}\n{}", file.path.display(), file.text)).collect();
        print!("{}", texts.join("\n"));
        Ok(0)
    }
}
