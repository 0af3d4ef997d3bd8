//! `cat`: a container's file and its drop-ins, in the order they are read.

use clap::Args;

use super::complete;
use super::failure::Failure;
use super::output::Accepted;
use crate::Scope;
use crate::config::{ContainerName, Sources};

/// Print containers' files and drop-ins
#[derive(Debug, Args)]
pub struct Cat {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "NAME", add = complete::with_file())]
    names: Vec<ContainerName>,
}

impl Cat {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let mut files = Vec::new();
        for name in &self.names {
            files.extend(Sources::load(scope, name)?.files);
        }
        let texts: Vec<String> = files.iter().map(|file| format!("# {}\n{}", file.path.display(), file.text)).collect();
        print!("{}", texts.join("\n"));
        Ok(0)
    }
}
