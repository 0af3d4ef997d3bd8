//! `bind` and `unbind`, `attach-device` and `detach-device`: the host's files and devices in a container that runs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::complete;
use super::failure::{Failure, USAGE};
use super::output::Accepted;
use crate::Scope;
use crate::config::{ContainerName, parse_device};
use crate::event::{self, About};
use crate::executor::{self, Binding};

/// Show a file or directory of the host's in a running container
///
/// It is there until the container ends or `unbind` takes it away; a [[mount]] in the container's file is there from each
/// start. What is mounted below SOURCE comes with it. Its files belong to the same users, by number, as on the host,
/// translated by the container's user namespace where the file system has idmapped mounts, and else to nobody.
#[derive(Debug, Args)]
pub struct Bind {
    /// Nobody in the container may write to it
    #[arg(long)]
    read_only: bool,
    /// Make the destination, and the directories it is in, where it is missing
    #[arg(long)]
    mkdir: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
    /// On the host
    #[arg(value_hint = ValueHint::AnyPath)]
    source: PathBuf,
    /// In the container; the same path where none is given
    destination: Option<PathBuf>,
}

/// Take away what bind has put into a running container
#[derive(Debug, Args)]
pub struct Unbind {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
    /// In the container
    destination: PathBuf,
}

/// Give a running container a device of the host's
///
/// Its node is there, for the container's root, and its unit is allowed to use it, until the container ends or detach-device
/// takes it away; `devices` in the container's file are there from each start.
#[derive(Debug, Args)]
pub struct AttachDevice {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
    /// Below /dev, as in `devices` of the container's file; access is some of r, w and m
    #[arg(value_name = "DEVICE[:DESTINATION][:ACCESS]", value_hint = ValueHint::AnyPath)]
    device: String,
}

/// Take away what attach-device has given a running container
#[derive(Debug, Args)]
pub struct DetachDevice {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "NAME", add = complete::running())]
    name: ContainerName,
    /// In the container
    destination: PathBuf,
}

impl AttachDevice {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let device = parse_device(&self.device).map_err(|error| Failure::with_code(USAGE, error))?;
        executor::attach_device(scope, &self.name, &device)?;
        Ok(0)
    }
}

impl DetachDevice {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        executor::detach_device(scope, &self.name, &Path::new("/").join(&self.destination))?;
        Ok(0)
    }
}

impl Bind {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let source = std::path::absolute(&self.source)?;
        let target = Path::new("/").join(self.destination.as_ref().unwrap_or(&source));
        let binding = Binding { source, target, read_only: self.read_only, make: self.mkdir };
        executor::bind(scope, &self.name, &binding)?;
        let (source, target) = (binding.source.to_string_lossy(), binding.target.to_string_lossy());
        event::record(scope, About::Container, "bind", self.name.as_str(), &[("source", &source), ("target", &target)]);
        Ok(0)
    }
}

impl Unbind {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let target = Path::new("/").join(&self.destination);
        executor::unbind(scope, &self.name, &target)?;
        let target = target.to_string_lossy();
        event::record(scope, About::Container, "unbind", self.name.as_str(), &[("target", &target)]);
        Ok(0)
    }
}
