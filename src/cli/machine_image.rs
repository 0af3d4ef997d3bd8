//! `list-images`, `image-status`, `show-image`, `clone`, `rename`, `read-only`, `remove`, `set-limit`, `clean`: trees and disk
//! images in /var/lib/machines, with machinectl's words for them.

use clap::Args;

use super::complete;
use super::failure::{Failure, USAGE};
use super::output::{Accepted, Listing, Table, bytes, print_json, printable, time};
use super::privilege::Agent;
use crate::Scope;
use crate::machine::{Images, MachineImage, Started};

/// List trees and disk images in /var/lib/machines
#[derive(Debug, Args)]
pub struct ListImages {
    /// Also hidden ones, whose names begin with a dot
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    listing: Listing,
}

/// Show what is known of trees and disk images in /var/lib/machines
#[derive(Debug, Args)]
pub struct ImageStatus {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "IMAGE", add = complete::machine_images())]
    names: Vec<String>,
}

/// The same, for programs
#[derive(Debug, Args)]
pub struct ShowImage {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "IMAGE", add = complete::machine_images())]
    names: Vec<String>,
}

/// Copy a tree or disk image in /var/lib/machines, sharing what is the same where the file system can
#[derive(Debug, Args)]
pub struct CloneImage {
    /// The copy cannot be written to
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "IMAGE", add = complete::machine_images())]
    name: String,
    new: String,
}

/// Rename a tree or disk image in /var/lib/machines that no container runs on
#[derive(Debug, Args)]
pub struct RenameImage {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "IMAGE", add = complete::machine_images())]
    name: String,
    new: String,
}

/// Say whether a tree or disk image in /var/lib/machines can be written to
#[derive(Debug, Args)]
pub struct ReadOnlyImage {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "IMAGE", add = complete::machine_images())]
    name: String,
    #[arg(default_value = "yes", value_parser = ["yes", "no", "true", "false"])]
    read_only: String,
}

/// Remove trees and disk images in /var/lib/machines that no container runs on
#[derive(Debug, Args)]
pub struct RemoveImages {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "IMAGE", add = complete::machine_images())]
    names: Vec<String>,
}

/// Limit how large a tree in /var/lib/machines can become, or all of them together (btrfs)
#[derive(Debug, Args)]
pub struct SetLimit {
    #[command(flatten)]
    accepted: Accepted,
    /// An image, then bytes, as 512M or 10G; “-” is no limit
    #[arg(required = true, num_args = 1..=2, value_name = "[IMAGE] BYTES")]
    words: Vec<String>,
}

/// Remove hidden trees and disk images in /var/lib/machines, which downloads leave
#[derive(Debug, Args)]
pub struct Clean {
    /// Every one, unless a container runs on one
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    accepted: Accepted,
}

fn with_images<T>(talk: impl AsyncFnOnce(&Images) -> Result<T, Failure>) -> Result<T, Failure> {
    let _agent = Agent::start();
    zbus::block_on(async { talk(&Images::connect().await?).await })
}

/// machined's own lock is nspawn's; that containers of berth run on an image is for us to see.
fn unused(scope: &Scope, names: &[&str]) -> Result<(), Failure> {
    let users = |name: &str| {
        let places = [scope.machines.join(name), scope.machines.join(format!("{name}.raw"))];
        let mut running = Started::all(scope).into_iter().filter(Started::is_alive);
        running.find(|started| started.root_directory.as_ref().is_some_and(|root| places.contains(root)))
    };
    match names.iter().find_map(|name| Some((name, users(name)?))) {
        Some((name, user)) => Err(Failure::new(format!("{name} is in use: container {} runs on it", user.name))),
        None => Ok(()),
    }
}

impl ListImages {
    pub fn carry_out(self) -> Result<i32, Failure> {
        let mut images = with_images(async |images| Ok(images.list().await?))?;
        images.retain(|image| self.all || !image.name.starts_with('.'));
        self.listing.print(&images, |image| &image.name, table, "images")?;
        Ok(0)
    }
}

fn table(images: &[MachineImage]) -> Table {
    let mut table = Table::new(["NAME", "TYPE", "RO", "USAGE", "CREATED", "MODIFIED"]);
    for image in images {
        table.row([
            image.name.clone(),
            image.kind.clone(),
            if image.read_only { "yes" } else { "no" }.to_owned(),
            image.usage.map(bytes).unwrap_or_default(),
            image.created.map(time).unwrap_or_default(),
            image.modified.map(time).unwrap_or_default(),
        ]);
    }
    table
}

/// Those with these names; one that is not there is a failure.
async fn found(images: &Images, names: &[String]) -> Result<Vec<MachineImage>, Failure> {
    let all = images.list().await?;
    let find = |name: &String| match all.iter().find(|image| image.name == *name) {
        Some(image) => Ok(image.clone()),
        None => Err(Failure::new(format!("no image “{name}” in /var/lib/machines"))),
    };
    names.iter().map(find).collect()
}

impl ImageStatus {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_images(async |images| {
            for (number, image) in found(images, &self.names).await?.into_iter().enumerate() {
                if number > 0 {
                    println!();
                }
                println!("{}", image.name);
                let line = |label: &str, text: &str| println!("{label:>12}: {text}");
                line("Type", &image.kind);
                let file = if image.kind == "raw" { format!("{}.raw", image.name) } else { image.name.clone() };
                line("Path", &scope.machines.join(file).display().to_string());
                if let Some(system) = images.os_release(&image.name).await.get("PRETTY_NAME") {
                    line("OS", &printable(system));
                }
                line("RO", if image.read_only { "read-only" } else { "writable" });
                let times = [("Created", image.created), ("Modified", image.modified)];
                times
                    .iter()
                    .filter_map(|(label, at)| Some((label, (*at)?)))
                    .for_each(|(label, at)| line(label, &time(at)));
                if let Some(usage) = image.usage {
                    line("Usage", &bytes(usage));
                }
                if let Err(in_use) = unused(scope, &[&image.name]) {
                    line("Used", &in_use.text);
                }
            }
            Ok(0)
        })
    }
}

impl ShowImage {
    pub fn carry_out(self) -> Result<i32, Failure> {
        print_json(&with_images(async |images| found(images, &self.names).await)?)?;
        Ok(0)
    }
}

impl CloneImage {
    pub fn carry_out(self) -> Result<i32, Failure> {
        with_images(async |images| Ok(images.copy(&self.name, &self.new, self.read_only).await?))?;
        Ok(0)
    }
}

impl RenameImage {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        unused(scope, &[&self.name])?;
        with_images(async |images| Ok(images.rename(&self.name, &self.new).await?))?;
        Ok(0)
    }
}

impl ReadOnlyImage {
    pub fn carry_out(self) -> Result<i32, Failure> {
        let read_only = ["yes", "true"].contains(&&*self.read_only);
        with_images(async |images| Ok(images.mark_read_only(&self.name, read_only).await?))?;
        Ok(0)
    }
}

impl RemoveImages {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        unused(scope, &names)?;
        with_images(async |images| {
            for name in names {
                images.remove(name).await?;
            }
            Ok(0)
        })
    }
}

impl SetLimit {
    pub fn carry_out(self) -> Result<i32, Failure> {
        let (name, amount) = match self.words.as_slice() {
            [name, amount] => (Some(name.as_str()), amount),
            [amount, ..] => (None, amount),
            [] => return Ok(USAGE),
        };
        let bytes = match amount.as_str() {
            "-" => u64::MAX,
            text => crate::config::size(text)
                .ok_or_else(|| Failure::with_code(USAGE, format!("“{text}” is no number of bytes")))?,
        };
        with_images(async |images| Ok(images.limit(name, bytes).await?))?;
        Ok(0)
    }
}

impl Clean {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        with_images(async |images| {
            if self.all {
                let names: Vec<String> = images.list().await?.into_iter().map(|image| image.name).collect();
                unused(scope, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
            for (name, size) in images.clean(self.all).await? {
                if !self.accepted.quiet {
                    println!(
                        "Removed image '{name}'. Freed {}.",
                        if size == u64::MAX { "-".to_owned() } else { bytes(size) }
                    );
                }
            }
            Ok(0)
        })
    }
}
